package api

import (
	"cmp"
	"time"

	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// volumeOptions are the lesser settings of a volume. How many snapshots may be
// of the kind that gives way to newer ones matters; dontMoveForIopsRebalance is
// kept and told, for there is one node.
type volumeOptions struct {
	FIFOSize      integer  `json:"fifoSize"`
	MinFIFOSize   *integer `json:"minFifoSize"` // 0 is given
	DontMove      boolean  `json:"dontMoveForIopsRebalance"`
	SetCreateTime boolean  `json:"setCreateTime"`
	CreateTime    string   `json:"createTime"`
}

func fifoSize(v store.Volume) int64 { return cmp.Or(v.FIFOSize, fifoSizeDefault) }

// applyOptions changes what is given, within what the volume's snapshots need.
func (c *call) applyOptions(v *store.Volume, p volumeOptions) error {
	v.DontMove = p.DontMove.or(v.DontMove)
	if p.SetCreateTime.or(false) {
		created, err := parseTime("createTime", p.CreateTime)
		if err != nil {
			return err
		}
		v.Created = created
	}
	if p.FIFOSize == 0 && p.MinFIFOSize == nil {
		return nil
	}
	held, err := c.tx.SnapshotsOf(v.ID)
	if err != nil {
		return err
	}
	fifos := int64(len(fifosOf(held)))
	if p.FIFOSize != 0 {
		if err := within("fifoSize", int64(p.FIFOSize), max(1, fifos), snapshotsPerVolumeMax); err != nil {
			return err
		}
		v.FIFOSize = int64(p.FIFOSize)
	}
	if p.MinFIFOSize != nil {
		v.MinFIFOSize = int64(*p.MinFIFOSize)
	}
	return within("minFifoSize", v.MinFIFOSize, 0, min(fifoSize(*v), snapshotsPerVolumeMax-int64(len(held))+fifos))
}

// parseTime reads an ISO 8601 date and time; UTC where it names no zone.
func parseTime(field, text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC().Truncate(time.Second), nil
		}
	}
	return time.Time{}, failf(invalidParameter, "%s %q is not a date and time of ISO 8601", field, text)
}
