package element

import "context"

// Session is one iSCSI session of an initiator with a volume.
type Session struct {
	SessionID     int64  `json:"sessionID"`
	InitiatorName string `json:"initiatorName"`
	InitiatorIP   string `json:"initiatorIP"` // address:port
	VolumeID      int64  `json:"volumeID"`
}

// ListISCSISessions returns every session of the array.
func (c *Client) ListISCSISessions(ctx context.Context) ([]Session, error) {
	var result struct {
		Sessions []Session `json:"sessions"`
	}
	err := c.repeat(ctx, "ListISCSISessions", none{}, &result)
	return result.Sessions, err
}
