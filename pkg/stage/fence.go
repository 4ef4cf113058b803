package stage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/klog/v2"
)

// Fences are the grants that the controller took from this node without being
// sure that the node has let go. What the node still holds of them would write
// over its successor's data; until it says that nothing is left, it gets no new
// grant.
type Fences interface {
	// Pending maps a volume to the epoch up to which, inclusive, its grants to this
	// node are over.
	Pending(ctx context.Context) (map[string]int64, error)
	// Confirm tells that nothing of the volume up to that epoch is left here.
	Confirm(ctx context.Context, volumeID string, epoch int64) error
}

type noFences struct{}

func (noFences) Pending(context.Context) (map[string]int64, error) { return nil, nil }
func (noFences) Confirm(context.Context, string, int64) error      { return nil }

// obey takes down what is of an epoch that is over, and confirms it.
func (s *Stager) obey(ctx context.Context, volumeID string, epoch int64) error {
	r, err := s.records.load(volumeID)
	if err == nil && r == nil {
		r, err = s.unrecorded(ctx, volumeID)
	}
	if err != nil {
		return err
	}
	if r != nil && r.Epoch <= epoch {
		if err := s.evict(ctx, r); err != nil {
			return err
		}
	}
	return s.fences.Confirm(ctx, volumeID, epoch)
}

// unrecorded finds what a lost record was of: the kubelet's staging path has the
// volume's hash in it. Nil where nothing is mounted there; a raw LUN whose record
// was removed by hand is not found.
func (s *Stager) unrecorded(ctx context.Context, volumeID string) (*record, error) {
	all, err := s.mounts.List(ctx)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(volumeID))
	for _, m := range all {
		if slices.Contains(strings.Split(m.Path, string(filepath.Separator)), hex.EncodeToString(sum[:])) {
			return s.reconstruct(ctx, volumeID, m.Path)
		}
	}
	return nil, nil
}

// evict takes the volume from the node whoever uses it, with what is not yet
// written: every I/O is failed first, which may cost the device; then all its
// mounts leave the mount table, also those that the record does not know; then
// device and session go. Pods that still have files open get errors; their paths
// stay for the kubelet to unpublish.
func (s *Stager) evict(ctx context.Context, r *record) error {
	klog.FromContext(ctx).Info("Volume of a grant that is over is taken from the node", "volume", r.VolumeID, "target", r.Target.IQN, "epoch", r.Epoch)
	mounted, err := s.mountsOf(ctx, r)
	if err != nil {
		return err
	}
	if r.Target.IQN != "" {
		if err := s.iscsi.Sever(ctx, r.Target.IQN); err != nil {
			return err
		}
	}
	for _, path := range slices.Concat(mounted, slices.Sorted(maps.Keys(r.Published))) {
		if err := s.mounts.Unmount(ctx, path, atOnce); err != nil {
			return err
		}
	}
	return s.dismantle(ctx, r, r.StagingPath, atOnce)
}

// mountsOf are the paths at which the target's devices are mounted, the last
// mount first.
func (s *Stager) mountsOf(ctx context.Context, r *record) ([]string, error) {
	if r.Target.IQN == "" {
		return nil, nil
	}
	numbers, err := s.numbers(ctx, r)
	if err != nil {
		return nil, err
	}
	all, err := s.mounts.List(ctx)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, m := range slices.Backward(all) {
		if m.Device != "" && slices.Contains(numbers, m.Device) {
			paths = append(paths, m.Path)
		}
	}
	return paths, nil
}
