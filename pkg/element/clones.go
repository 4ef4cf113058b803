package element

import "context"

// CloneVolumeRequest: what is not given is the source's; the source's QoS is
// inherited, its access groups are not. NewSize in bytes. SnapshotID 0 clones
// the volume as it is now.
type CloneVolumeRequest struct {
	VolumeID     int64      `json:"volumeID"`
	SnapshotID   int64      `json:"snapshotID,omitempty"`
	Name         string     `json:"name"`
	NewAccountID int64      `json:"newAccountID,omitempty"`
	NewSize      int64      `json:"newSize,omitempty"`
	Access       string     `json:"access,omitempty"`
	Attributes   Attributes `json:"attributes,omitempty"`
}

// Clone is a clone on its way: the volume is there at once, in status init until
// the job behind the handle has ended.
type Clone struct {
	VolumeID    int64 `json:"volumeID"`
	AsyncHandle int64 `json:"asyncHandle"`
}

// CloneVolume begins a clone. It is not repeated once it was sent: a second call
// makes a second volume of the same name.
func (c *Client) CloneVolume(ctx context.Context, r CloneVolumeRequest) (Clone, error) {
	var result Clone
	err := c.once(ctx, "CloneVolume", r, &result)
	return result, err
}

// asyncComplete is the status of a job that has ended, well or not.
const asyncComplete = "complete"

// GetAsyncResult tells whether a job has ended, and keeps its result for the
// next reader; *Error where it failed.
func (c *Client) GetAsyncResult(ctx context.Context, handle int64) (done bool, err error) {
	params := struct {
		AsyncHandle int64 `json:"asyncHandle"`
		KeepResult  bool  `json:"keepResult"`
	}{handle, true}
	var result struct {
		Status string `json:"status"`
		Error  *struct {
			Name    string `json:"name"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if err := c.repeat(ctx, "GetAsyncResult", params, &result); err != nil {
		return false, err
	}
	if e := result.Error; e != nil {
		return true, &Error{Method: "GetAsyncResult", Name: e.Name, Message: e.Message}
	}
	return result.Status == asyncComplete, nil
}
