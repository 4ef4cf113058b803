package filesystem

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// blkid(8): nothing was found, or the device could not be read.
const blkidNothing = 2

// blkid(8): more than one signature was found.
const blkidSeveral = 8

// Content is what a device holds.
type Content struct {
	Device string
	Type   string // the filesystem or other user as blkid names it; "" where it knows none
	Zero   bool   // all the places of known signatures, and samples of the rest, read as zeroes
	Twin   string // of a btrfs: another device of the node with its fsid, "" where there is none
}

// Inspect opens the device for itself, reads it directly and asks blkid
// meanwhile. Both must be content: blkid's exit code does not tell a device
// without a signature from one that cannot be read. A failed open or read is
// ErrUnreadable; a device that is held by somebody is ErrBusy.
func (f *Filesystem) Inspect(ctx context.Context, path string) (Content, error) {
	c := Content{Device: path}
	err := withDevice(ctx, path, unix.O_RDONLY, func(d *device) error {
		var readErr, probeErr error
		var both sync.WaitGroup
		both.Go(func() { c.Zero, readErr = allZero(d) })
		both.Go(func() { c.Type, probeErr = f.signature(ctx, path) })
		both.Wait()
		return errors.Join(readErr, probeErr)
	})
	if err != nil {
		return Content{}, fmt.Errorf("inspect: %w", err)
	}
	if c.Type == Btrfs {
		if c.Twin, err = f.twin(ctx, path); err != nil {
			return Content{}, fmt.Errorf("inspect: %w", err)
		}
	}
	return c, nil
}

// lanes is how many places are read at once: each takes a round trip.
const lanes = 8

// allZero reads every place, also after one that is not zero: an unreadable
// device must show here and nowhere later.
func allZero(d *device) (bool, error) {
	var other atomic.Bool
	var reads errgroup.Group
	reads.SetLimit(lanes)
	for _, p := range places(d.size) {
		reads.Go(func() error {
			zero, err := d.zero(p)
			if !zero {
				other.Store(true)
			}
			return err
		})
	}
	err := reads.Wait()
	return !other.Load() && err == nil, err
}

// signature asks blkid's low-level probe, past its cache.
func (f *Filesystem) signature(ctx context.Context, path string) (string, error) {
	output, err := f.run(ctx, "blkid", "-p", "-s", "TYPE", "-s", "PTTYPE", "-o", "export", path)
	switch {
	case err == nil:
		return parseSignature(output)
	case exitCode(err) == blkidNothing:
		return "", nil
	case exitCode(err) == blkidSeveral:
		return "several signatures", nil
	}
	return "", fmt.Errorf("probe of %s: %w", path, err)
}

func parseSignature(output []byte) (string, error) {
	values := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(output)); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), "="); ok {
			values[key] = value
		}
	}
	if values["TYPE"] != "" {
		return values["TYPE"], nil
	}
	if values["PTTYPE"] != "" {
		return "partition table " + values["PTTYPE"], nil
	}
	return "", fmt.Errorf("blkid answered neither TYPE nor PTTYPE: %q", excerpt(output))
}
