package initiator

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
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
	all, err := i.sessions(iqn)
	if err != nil {
		return err
	}
	dirs, err := lunsOf(all)
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := i.write(ctx, filepath.Join(dir, "state"), "offline"); err != nil && !gone(err) {
			return fmt.Errorf("%s: %w: %w", filepath.Base(dir), ErrUnavailable, err)
		}
	}
	maps, err := i.mapsOver(dirs)
	for _, m := range maps {
		err = errors.Join(err, i.unqueue(ctx, m))
	}
	return err
}
