package initiator

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Sever fails every I/O to the target's devices from now on, so that nothing
// that this node still holds of them in memory can reach the array: its paths go
// offline, and the map of them waits for none to come back.
func (i *Initiator) Sever(ctx context.Context, iqn string) error {
	if err := i.sever(ctx, iqn); err != nil {
		return fmt.Errorf("sever %s: %w", iqn, err)
	}
	return nil
}

func (i *Initiator) sever(ctx context.Context, iqn string) error {
	_, dirs, err := i.live(iqn)
	if err != nil {
		return err
	}
	maps, failure := i.mapsOver(dirs) // before a path is deleted
	for _, dir := range dirs {
		if err := i.silence(ctx, dir); err != nil {
			return err
		}
	}
	for _, m := range maps {
		failure = errors.Join(failure, i.unqueue(ctx, m))
	}
	return failure
}

// silence makes one scsi device take no I/O any more. The kernel lets nobody set
// the state of one whose session is away (EINVAL): what waits in it would go out
// when the session came back, so the device is deleted, which fails all of that.
func (i *Initiator) silence(ctx context.Context, lunDir string) error {
	err := i.write(ctx, filepath.Join(lunDir, "state"), "offline")
	if errors.Is(err, unix.EINVAL) {
		err = i.write(ctx, filepath.Join(lunDir, "delete"), "1")
	}
	if err != nil && !gone(err) {
		return fmt.Errorf("%s: %w: %w", filepath.Base(lunDir), ErrUnavailable, err)
	}
	return nil
}
