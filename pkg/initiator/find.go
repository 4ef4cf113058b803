package initiator

import (
	"context"
	"errors"
	"fmt"
)

// Find is the target's device if it is attached, verified as Attach does but
// without a change to anything: the map of its paths where there is one.
// ErrNotFound where there is none.
func (i *Initiator) Find(_ context.Context, t Target) (Device, error) {
	paths, err := i.locate(t)
	if err != nil {
		return Device{}, err
	}
	m, found, err := i.mapOf(t.NAA)
	if err != nil {
		return Device{}, err
	}
	if found {
		return i.mapDevice(m)
	}
	return paths[0].Device, nil
}

// locate gives the target's paths; ErrNotFound where none is there.
func (i *Initiator) locate(t Target) ([]path, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	all, err := i.sessions(t.IQN)
	if err != nil {
		return nil, err
	}
	var paths []path
	for _, s := range all {
		dir := s.lunDir(t.LUN)
		if !exists(dir) {
			continue
		}
		if err := verify(dir, t.NAA); err != nil {
			return nil, fmt.Errorf("find %s: %w", t.IQN, err)
		}
		d, err := i.blockDevice(dir)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		paths = append(paths, path{dir: dir, Device: d})
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("find %s lun %d: not attached: %w", t.IQN, t.LUN, ErrNotFound)
	}
	return paths, nil
}

// Resize has the kernel read the LUN's size again on each path, and waits until the map
// of them has it; ErrUnavailable where a path has less than t.SizeBytes then.
func (i *Initiator) Resize(ctx context.Context, t Target) (Device, error) {
	if err := i.resizePaths(ctx, t); err != nil {
		return Device{}, fmt.Errorf("resize: %w", err)
	}
	listening, stop := context.WithCancel(ctx)
	defer stop()
	events := i.listen(listening)
	var d Device
	err := i.await(ctx, events, fmt.Sprintf("%d bytes of %s", t.SizeBytes, t.IQN), func() (done bool, err error) {
		if err := i.resizeMapOf(ctx, t); err != nil {
			return false, err
		}
		d, err = i.Find(ctx, t)
		return err == nil && d.SizeBytes >= t.SizeBytes, err
	})
	if err != nil {
		return Device{}, fmt.Errorf("resize: %w", err)
	}
	return d, nil
}

// resizePaths has each path's size read again. A kubelet may ask for more than the
// array gives, and holds up all else of the volume meanwhile: it asks again by itself.
func (i *Initiator) resizePaths(ctx context.Context, t Target) error {
	paths, err := i.locate(t)
	if err != nil {
		return err
	}
	for _, p := range paths {
		if err := i.refresh(ctx, p.dir); err != nil {
			return err
		}
	}
	paths, err = i.locate(t)
	if err != nil {
		return err
	}
	for _, p := range paths {
		if p.SizeBytes < t.SizeBytes {
			return fmt.Errorf("%s of %s has %d bytes after a rescan, %d are wanted: %w", p.Name, t.IQN, p.SizeBytes, t.SizeBytes, ErrUnavailable)
		}
	}
	return nil
}

func (i *Initiator) resizeMapOf(ctx context.Context, t Target) error {
	m, found, err := i.mapOf(t.NAA)
	if err != nil || !found {
		return err
	}
	d, err := i.mapDevice(m)
	if err != nil || d.SizeBytes >= t.SizeBytes {
		return err
	}
	return i.resizeMap(ctx, m)
}
