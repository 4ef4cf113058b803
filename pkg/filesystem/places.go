package filesystem

import (
	"context"
	"fmt"
	"math/bits"

	"golang.org/x/sys/unix"
)

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30

	// edge covers, at the head: MBR and GPT, ext4 (1 KiB), XFS (0), btrfs (64
	// KiB), LVM (512), LUKS, md 1.1 and 1.2 (0, 4 KiB), swap, ZFS; at the tail:
	// the backup GPT, md 0.90 and 1.0, ZFS, firmware RAID.
	edge = mib
	// samples is how many places at least are read beside those of signatures.
	samples = 16
	// spot covers one copy of a superblock and the alignment it was rounded by.
	spot = 64 * kib
	// alignment is what direct I/O needs at most, bytes.
	alignment = 4 * kib
)

// place is a part of a device, bytes.
type place struct{ offset, length int64 }

// places are the parts of a device of that size where filesystems, volume
// managers and partition tables keep what makes them known, and samples of all
// the rest: what uses a LUN raw has no signature, and the kernel does not tell
// which blocks were ever written (GET LBA STATUS, SBC-3, is not reached through
// the block layer). Data that fills a sample's distance, a 16th of the
// device at most, is always found; less may not be.
func places(size int64) []place {
	if size <= 2*edge {
		return []place{{0, size &^ (512 - 1)}}
	}
	all := []place{{0, edge}}
	for _, offset := range []int64{
		8 * mib, 32 * mib, 128 * mib, // ext4: first backup, blocks of 1, 2 and 4 KiB
		64 * mib, 256 * gib, // btrfs: mirrors
		size / 4, size / 2, size / 4 * 3, // XFS: allocation groups, four by default
	} {
		offset &^= alignment - 1
		if offset >= edge && offset+spot <= size-edge {
			all = append(all, place{offset, spot})
		}
	}
	// The distance is a power of two, so that the places of a device are among
	// those that it has when it has grown.
	distance := int64(1) << (bits.Len64(uint64(size/samples)) - 1)
	for offset := distance; offset+alignment <= size-edge; offset += distance {
		if offset >= edge {
			all = append(all, place{offset, alignment})
		}
	}
	tail := (size - edge) &^ (alignment - 1)
	return append(all, place{tail, (size - tail) &^ (512 - 1)})
}

// Wipe zeroes every place where something could be known by, so that what an
// mkfs that was cut off wrote does not keep the volume from being formatted
// elsewhere. The caller has proof that nothing else was ever on the device.
func (f *Filesystem) Wipe(ctx context.Context, path string) error {
	err := withDevice(ctx, path, unix.O_RDWR, func(d *device) error {
		for _, p := range places(d.size) {
			if err := d.clear(p); err != nil {
				return err
			}
		}
		return unix.Fsync(d.fd)
	})
	if err != nil {
		return fmt.Errorf("wipe: %w", err)
	}
	return nil
}
