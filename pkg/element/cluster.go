package element

import "context"

type none struct{}

// ClusterInfo names the array.
type ClusterInfo struct {
	Name     string `json:"name"`
	UniqueID string `json:"uniqueID"` // fixed for the array's life
	SVIP     string `json:"svip"`     // iSCSI address, without a port
}

// ClusterCapacity: bytes and IOPS of 4 KiB.
type ClusterCapacity struct {
	MaxIOPS                   int64 `json:"maxIOPS"`
	MaxOverProvisionableSpace int64 `json:"maxOverProvisionableSpace"`
	MaxProvisionedSpace       int64 `json:"maxProvisionedSpace"`
	ProvisionedSpace          int64 `json:"provisionedSpace"`
	MaxUsedSpace              int64 `json:"maxUsedSpace"` // block capacity
	UsedSpace                 int64 `json:"usedSpace"`    // of that
}

// Limits are the array's own bounds: bytes, IOPS, counts.
type Limits struct {
	VolumeSizeMin       int64 `json:"volumeSizeMin"`
	VolumeSizeMax       int64 `json:"volumeSizeMax"`
	VolumeNameLengthMax int   `json:"volumeNameLengthMax"`
	VolumesPerGroupMax  int   `json:"volumesPerVolumeAccessGroupCountMax"`
	VolumesPerSnapshot  int   `json:"volumesPerGroupSnapshotMax"`
	VolumeMinIOPSMin    int64 `json:"volumeMinIOPSMin"`
	VolumeMinIOPSMax    int64 `json:"volumeMinIOPSMax"`
	VolumeMaxIOPSMin    int64 `json:"volumeMaxIOPSMin"`
	VolumeMaxIOPSMax    int64 `json:"volumeMaxIOPSMax"`
	VolumeBurstIOPSMin  int64 `json:"volumeBurstIOPSMin"`
	VolumeBurstIOPSMax  int64 `json:"volumeBurstIOPSMax"`
}

// GetClusterInfo names the array.
func (c *Client) GetClusterInfo(ctx context.Context) (ClusterInfo, error) {
	var result struct {
		Info ClusterInfo `json:"clusterInfo"`
	}
	err := c.repeat(ctx, "GetClusterInfo", none{}, &result)
	return result.Info, err
}

// GetClusterCapacity tells what the array has and has given.
func (c *Client) GetClusterCapacity(ctx context.Context) (ClusterCapacity, error) {
	var result struct {
		Capacity ClusterCapacity `json:"clusterCapacity"`
	}
	err := c.repeat(ctx, "GetClusterCapacity", none{}, &result)
	return result.Capacity, err
}

// GetLimits tells the array's bounds.
func (c *Client) GetLimits(ctx context.Context) (Limits, error) {
	var result Limits
	err := c.repeat(ctx, "GetLimits", none{}, &result)
	return result, err
}

// GetDefaultQoS tells what a volume gets that asks for nothing.
func (c *Client) GetDefaultQoS(ctx context.Context) (QoS, error) {
	var result QoS
	err := c.repeat(ctx, "GetDefaultQoS", none{}, &result)
	return result, err
}
