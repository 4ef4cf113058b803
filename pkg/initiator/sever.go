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
	listening, stop := context.WithCancel(ctx)
	defer stop()
	if err := i.sever(ctx, i.listen(listening), iqn); err != nil {
		return fmt.Errorf("sever %s: %w", iqn, err)
	}
	return nil
}

func (i *Initiator) sever(ctx context.Context, events <-chan struct{}, iqn string) error {
	all, dirs, err := i.live(iqn)
	if err != nil {
		return err
	}
	maps, failure := i.mapsOver(dirs) // before a path is gone
	for _, s := range all {
		if err := i.silence(ctx, events, s); err != nil {
			return err
		}
	}
	for _, m := range maps {
		failure = errors.Join(failure, i.unqueue(ctx, m))
	}
	return failure
}

// silence makes the devices of one session take no I/O any more. The kernel lets
// nobody set the state of one whose session is away (EINVAL), and what waits in
// it would go out when the session came back. To delete it would wait for that
// too, up to the replacement timeout; a session that iscsid knows to be away it
// ends at once, which fails all that waits.
func (i *Initiator) silence(ctx context.Context, events <-chan struct{}, s session) error {
	dirs, err := s.luns()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		err := i.write(ctx, filepath.Join(dir, "state"), "offline")
		if errors.Is(err, unix.EINVAL) {
			return i.logout(ctx, events, s)
		}
		if err != nil && !gone(err) {
			return fmt.Errorf("%s: %w: %w", filepath.Base(dir), ErrUnavailable, err)
		}
	}
	return nil
}
