package store_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/san-csi/san-csi/pkg/softarray/scsi"
	"github.com/san-csi/san-csi/pkg/softarray/store"
)

var _ scsi.Disk = (*store.Disk)(nil)

func newDisk(t *testing.T, size int64) (*store.Store, *store.Disk) {
	t.Helper()
	s := open(t, t.TempDir())
	var v store.Volume
	update(t, s, func(tx *store.Tx) error {
		var err error
		v, err = add(tx, "v", size)
		return err
	})
	d, err := s.OpenDisk(v)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, d
}

func allocated(t *testing.T, s *store.Store, volume int64) int64 {
	t.Helper()
	var u store.Usage
	err := s.View(func(tx *store.Tx) error {
		v, err := tx.Volumes().Get(volume)
		if err != nil {
			return err
		}
		u, err = tx.Usage(v)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return u.Total()
}

func TestDiskIsSparse(t *testing.T) {
	const size = 1 << 40
	s, d := newDisk(t, size)
	block := bytes.Repeat([]byte{0x5a}, 4096)
	if _, err := d.WriteAt(block, size-4096); err != nil {
		t.Fatal(err)
	}
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4096)
	if _, err := d.ReadAt(got, size-4096); err != nil || !bytes.Equal(got, block) {
		t.Errorf("read back % x, %v", got[:4], err)
	}
	if _, err := d.ReadAt(got, 0); err != nil || !bytes.Equal(got, make([]byte, 4096)) {
		t.Errorf("unwritten block reads % x, %v", got[:4], err)
	}
	if n := allocated(t, s, 1); n < 4096 || n > 1<<20 {
		t.Errorf("allocated %d bytes", n)
	}
	space, err := s.Space()
	if err != nil || space.AllocatedBytes < 4096 || space.AvailableBytes <= 0 {
		t.Errorf("space %+v, %v", space, err)
	}
}

func TestUnmapFreesAndZeroes(t *testing.T) {
	const size = 8 << 20
	s, d := newDisk(t, size)
	if _, err := d.WriteAt(bytes.Repeat([]byte{1}, size), 0); err != nil {
		t.Fatal(err)
	}
	before := allocated(t, s, 1)
	// From the middle of a block to the middle of another.
	const from, length = 4096 + 512, 4 << 20
	if err := d.Unmap(from, length); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, size)
	if _, err := d.ReadAt(got, 0); err != nil {
		t.Fatal(err)
	}
	for i, b := range got {
		if inside := i >= from && i < from+length; inside == (b != 0) {
			t.Fatalf("byte %d is %d", i, b)
		}
	}
	if after := allocated(t, s, 1); after >= before {
		t.Errorf("%d bytes allocated before, %d after", before, after)
	}
	if d.Size() != size {
		t.Errorf("size %d", d.Size())
	}
}

func TestExtentsTellWhatTakesRoom(t *testing.T) {
	const size = 8 << 20
	_, d := newDisk(t, size)
	write := func(off, n int64) {
		if _, err := d.WriteAt(bytes.Repeat([]byte{1}, int(n)), off); err != nil {
			t.Fatal(err)
		}
	}
	write(1<<20, 1<<20)
	write(4<<20, 2<<20)
	if err := d.Unmap(5<<20, 4096); err != nil {
		t.Fatal(err)
	}
	type extent struct {
		off, n int64
		mapped bool
	}
	var got []extent
	for off := int64(0); off < size; {
		n, mapped, err := d.Extent(off)
		if err != nil || n < 1 {
			t.Fatalf("extent at %d: %d bytes, %v", off, n, err)
		}
		if last := len(got) - 1; last >= 0 && got[last].mapped == mapped {
			got[last].n += n
		} else {
			got = append(got, extent{off, n, mapped})
		}
		off += n
	}
	want := []extent{
		{0, 1 << 20, false}, {1 << 20, 1 << 20, true}, {2 << 20, 2 << 20, false},
		{4 << 20, 1 << 20, true}, {5 << 20, 4096, false}, {5<<20 + 4096, 1<<20 - 4096, true}, {6 << 20, 2 << 20, false},
	}
	if !slices.Equal(got, want) {
		t.Errorf("extents %v, want %v", got, want)
	}
}
