package provision

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

// Capacity is what a class may still take: bytes in all, and the bounds of one
// volume.
type Capacity struct {
	AvailableBytes, MinVolumeBytes, MaxVolumeBytes int64
}

// Capacity sums what the arrays that the class allows, and that are reached from
// that place (nil = any), can still promise to volumes with the class's floor.
// One that does not answer has nothing to give now.
func (f *Flows) Capacity(ctx context.Context, params, place map[string]string) (Capacity, error) {
	c, err := parseClass(params)
	if err != nil {
		return Capacity{}, err
	}
	if place != nil {
		c.wish.Topology.Requisite = []map[string]string{place}
	}
	members, err := f.fleet.Match(c.wish)
	if errors.Is(err, san.ErrExhausted) {
		return Capacity{}, nil // no array is reached from there
	}
	if err != nil {
		return Capacity{}, err
	}
	var sum Capacity
	var failed error
	answered := false
	for _, m := range members {
		one, err := capacityAmong(ctx, m, c.qos, len(members))
		if err != nil {
			failed = fmt.Errorf("array %q: %w", m.Name, err)
			klog.FromContext(ctx).Error(err, "capacity not known", "array", m.Name)
			continue
		}
		answered = true
		sum.AvailableBytes += one.AvailableBytes
		sum.MaxVolumeBytes = max(sum.MaxVolumeBytes, one.MaxVolumeBytes)
		if sum.MinVolumeBytes == 0 || one.MinVolumeBytes < sum.MinVolumeBytes {
			sum.MinVolumeBytes = one.MinVolumeBytes
		}
	}
	if !answered {
		return Capacity{}, failed
	}
	return sum, nil
}

// capacityAmong is capacityOf, not for longer than the other arrays can wait.
func capacityAmong(ctx context.Context, m placement.Member, r qos.Request, among int) (Capacity, error) {
	if among > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, lookTimeout)
		defer cancel()
	}
	return capacityOf(ctx, m, r)
}

// capacityOf is what one array can still promise to volumes of that QoS.
func capacityOf(ctx context.Context, m placement.Member, r qos.Request) (Capacity, error) {
	room, err := m.Ledger.Room(ctx)
	if err != nil {
		return Capacity{}, err
	}
	limits, err := m.Array.Limits(ctx)
	if err != nil {
		return Capacity{}, err
	}
	nothing := Capacity{MinVolumeBytes: limits.MinSizeBytes}
	largest := min(room.Bytes, limits.MaxSizeBytes, sizeFor(r, room.IOPS, limits))
	if largest < limits.MinSizeBytes {
		return nothing, nil
	}
	floor, err := floorAt(ctx, m.Array, r, largest, limits)
	var parameter *qos.ParameterError
	if errors.As(err, &parameter) || errors.Is(err, san.ErrInvalid) {
		return nothing, nil // this array cannot have the class at all
	}
	if err != nil {
		return Capacity{}, err
	}
	if floor > room.IOPS {
		return nothing, nil
	}
	fits := Capacity{AvailableBytes: room.Bytes, MinVolumeBytes: limits.MinSizeBytes, MaxVolumeBytes: largest}
	if volumes := room.IOPS / max(floor, 1); volumes <= room.Bytes/largest {
		fits.AvailableBytes = largest * volumes
	}
	return fits, nil
}

// sizeFor is the largest size of a volume whose floor is within iops, and not
// above the class's own ceiling and burst, as far as the floor scales with the
// size.
func sizeFor(r qos.Request, iops int64, l san.Limits) int64 {
	for _, above := range []int64{r.Max.IOPS, r.Burst.IOPS} {
		if above != 0 {
			iops = min(iops, above)
		}
	}
	if r.Min.MicroPerGiB == 0 || l.QoS.Min.High != 0 && iops >= l.QoS.Min.High {
		return l.MaxSizeBytes // a floor that scales stops at the array's bound
	}
	size := r.Min.SizeFor(iops)
	return size - size%max(l.SizeStep, 1)
}

// floorAt is the floor of a volume of that size.
func floorAt(ctx context.Context, a san.Array, r qos.Request, size int64, l san.Limits) (int64, error) {
	quality, err := values(r, size, l)
	if err != nil {
		return 0, err
	}
	granted, err := a.InForce(ctx, quality)
	return granted.Min, err
}
