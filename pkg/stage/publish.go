package stage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/san-csi/san-csi/pkg/filesystem"
	"github.com/san-csi/san-csi/pkg/initiator"
	"k8s.io/klog/v2"
)

// Publish shows the staged volume at the target path: the staging mount bound
// to a directory, or the block device bound to a file. Published already with
// the same attributes is success, with others ErrConflict; a volume that is not
// staged here is ErrNotFound.
func (s *Stager) Publish(ctx context.Context, req PublishRequest) error {
	if err := needed("volume id", req.VolumeID, "staging path", req.StagingPath, "target path", req.TargetPath); err != nil {
		return err
	}
	return s.alone(req.VolumeID, func() error { return failed("publish", req.VolumeID, s.publish(ctx, req)) })
}

func (s *Stager) publish(ctx context.Context, req PublishRequest) error {
	r, d, err := s.staged(ctx, req.VolumeID)
	if err != nil {
		return err
	}
	all, err := s.mounts.List(ctx)
	if err != nil {
		return err
	}
	r.forget(all, req.TargetPath)
	if err := r.publishable(req); err != nil {
		return err
	}
	r.Published[req.TargetPath] = publication{ReadOnly: req.ReadOnly, MountFlags: req.MountFlags}
	if err := s.records.save(r); err != nil {
		return err
	}
	readOnly := req.ReadOnly || r.readOnly()
	if shown := seenAt(all, req.TargetPath); shown != nil {
		if shows(shown, r, d) && shown.ReadOnly == readOnly {
			return nil
		}
		if err := s.mounts.Unmount(ctx, req.TargetPath, gently); err != nil {
			return err
		}
	}
	if r.Block {
		return s.mounts.BindDevice(ctx, d.Path, req.TargetPath, readOnly)
	}
	return s.mounts.BindDirectory(ctx, r.StagingPath, req.TargetPath, req.MountFlags, readOnly)
}

// shows reports whether a mount is of the staged volume: the whole filesystem,
// or the device node.
func shows(m *filesystem.Mount, r *record, d initiator.Device) bool {
	return m.Device == d.Number && (r.Block || m.Root == "/" && m.Type == r.FSType)
}

// forget drops the target paths at which nothing is mounted, but for the one
// that is asked about.
func (r *record) forget(all []filesystem.Mount, asked string) {
	maps.DeleteFunc(r.Published, func(path string, _ publication) bool {
		return path != asked && seenAt(all, path) == nil
	})
}

// publishable compares the request with the stage and with what is published.
func (r *record) publishable(req PublishRequest) error {
	if r.StagingPath != req.StagingPath {
		return fmt.Errorf("staged at %s, not at %s: %w", r.StagingPath, req.StagingPath, ErrConflict)
	}
	if r.Block != req.Block {
		return fmt.Errorf("staged with block %t, asked for %t: %w", r.Block, req.Block, ErrConflict)
	}
	if label := seLinuxContext(req.MountFlags); label != "" && label != seLinuxContext(r.MountFlags) {
		return fmt.Errorf("asked for with SELinux label %s, the filesystem is mounted with %q: one label per volume and node: %w", label, seLinuxContext(r.MountFlags), ErrConflict)
	}
	asked := publication{ReadOnly: req.ReadOnly, MountFlags: req.MountFlags}
	if p, ok := r.Published[req.TargetPath]; ok {
		if !p.same(asked) {
			return fmt.Errorf("published at %s with read-only %t, flags %v, asked for %t, %v: %w",
				req.TargetPath, p.ReadOnly, p.MountFlags, req.ReadOnly, req.MountFlags, ErrConflict)
		}
		return nil
	}
	for path := range r.Published {
		if req.SingleWriter {
			return fmt.Errorf("published at %s, and only one target path is allowed: %w", path, ErrBusy)
		}
	}
	return nil
}

// staged gives the record and the device of a volume whose stage is complete:
// for a filesystem, its device is what the staging path shows.
func (s *Stager) staged(ctx context.Context, volumeID string) (*record, initiator.Device, error) {
	r, err := s.records.load(volumeID)
	if err != nil {
		return nil, initiator.Device{}, err
	}
	if r == nil {
		return nil, initiator.Device{}, fmt.Errorf("not staged on this node: %w", ErrNotFound)
	}
	d, err := s.iscsi.Find(ctx, r.target())
	if errors.Is(err, initiator.ErrNotFound) {
		return nil, d, fmt.Errorf("its stage has no device: %w: %w", ErrNotFound, err)
	}
	if err != nil || r.Block {
		return r, d, err
	}
	m, err := s.mountAt(ctx, r.StagingPath)
	if err != nil {
		return nil, d, err
	}
	if m == nil || !shows(m, r, d) {
		return nil, d, fmt.Errorf("%s does not show %s (%s): %w", r.StagingPath, d.Path, d.Number, ErrNotFound)
	}
	return r, d, nil
}

// Unpublish takes the volume from the target path and removes the path. It may
// be repeated; a volume or path that is not there is success.
func (s *Stager) Unpublish(ctx context.Context, volumeID, targetPath string) error {
	if err := needed("volume id", volumeID, "target path", targetPath); err != nil {
		return err
	}
	return s.alone(volumeID, func() error { return failed("unpublish", volumeID, s.unpublish(ctx, volumeID, targetPath)) })
}

func (s *Stager) unpublish(ctx context.Context, volumeID, targetPath string) error {
	if err := s.retract(ctx, targetPath, gently); err != nil {
		return err
	}
	r, err := s.records.load(volumeID)
	if err != nil || r == nil {
		return err
	}
	if _, ok := r.Published[targetPath]; !ok {
		return nil
	}
	delete(r.Published, targetPath)
	if err := s.records.save(r); err != nil {
		// The mount is gone, which is what was asked for: a full disk must not keep
		// pods here. Whoever reads the record looks at the mount table too.
		klog.FromContext(ctx).Error(err, "Stage record still names a path that is unpublished", "volume", volumeID, "path", targetPath)
	}
	return nil
}

func (s *Stager) retract(ctx context.Context, targetPath string, force bool) error {
	if err := s.mounts.Unmount(ctx, targetPath, force); err != nil {
		return err
	}
	return s.mounts.Remove(ctx, targetPath)
}

// mountAt is the mount that is seen at path, nil where there is none.
func (s *Stager) mountAt(ctx context.Context, path string) (*filesystem.Mount, error) {
	all, err := s.mounts.List(ctx)
	if err != nil {
		return nil, err
	}
	return seenAt(all, path), nil
}

// seenAt is the mount of the table that is seen at path: the last one there.
func seenAt(all []filesystem.Mount, path string) *filesystem.Mount {
	for _, m := range slices.Backward(all) {
		if samePath(m.Path, path) {
			return &m
		}
	}
	return nil
}

// samePath compares a path of the mount table, which has no links, with one of
// the caller's, whose parents may be links. Nothing that is mounted is touched.
func samePath(mounted, asked string) bool {
	if mounted == filepath.Clean(asked) {
		return true
	}
	if filepath.Base(mounted) != filepath.Base(asked) {
		return false
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(asked))
	return err == nil && mounted == filepath.Join(parent, filepath.Base(asked))
}

// seLinuxContext is the label that a mount is asked for with, "" = the files' own
// (mount(8), context=). It belongs to the filesystem: its bind mounts have it too.
func seLinuxContext(flags []string) string {
	for _, flag := range flags {
		if label, ok := strings.CutPrefix(flag, "context="); ok {
			return strings.Trim(label, `"`)
		}
	}
	return ""
}

// readOnly reports whether the staging mount is to be read-only.
func (r *record) readOnly() bool { return r.ReadOnly || slices.Contains(r.MountFlags, "ro") }
