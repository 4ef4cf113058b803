package filesystem

import (
	"context"
	"errors"
	"slices"
	"testing"
)

func TestFormatCommands(t *testing.T) {
	for fsType, want := range map[string]string{
		Ext4:  "mkfs.ext4 -F -q -m 0 -E nodiscard,lazy_itable_init=1,lazy_journal_init=1 -i 65536 /dev/sdb",
		XFS:   "mkfs.xfs -f -q -K -i 65536 /dev/sdb",
		Btrfs: "mkfs.btrfs -f -q -K -i 65536 /dev/sdb",
	} {
		n, f := newNode(t)
		if err := f.Format(t.Context(), "/dev/sdb", fsType, []string{"-i", "65536"}); err != nil || !slices.Equal(n.ran, []string{want}) {
			t.Errorf("ran %q, %v, want %q", n.ran, err, want)
		}
		n.answer["mkfs."+fsType] = answer{exit: 1, output: "no"}
		if err := f.Format(t.Context(), "/dev/sdb", fsType, nil); exitCode(err) != 1 {
			t.Errorf("%s: %v, want exit code 1", fsType, err)
		}
	}
	n, f := newNode(t)
	if err := f.Format(t.Context(), "/dev/sdb", "vfat", nil); !errors.Is(err, ErrInvalid) || len(n.ran) != 0 {
		t.Errorf("vfat: %v, ran %v", err, n.ran)
	}
}

func TestCheck(t *testing.T) {
	cases := []struct {
		fsType string
		mode   Fsck
		exit   int
		ran    string
		want   error // ErrCorrupt, ErrInvalid, or nil; see fails
		fails  bool
	}{
		{Ext4, Preen, 0, "e2fsck -p /dev/sdb", nil, false},
		{Ext4, Preen, 1, "e2fsck -p /dev/sdb", nil, false},
		{Ext4, Preen, 3, "e2fsck -p /dev/sdb", nil, false},
		{Ext4, Preen, 4, "e2fsck -p /dev/sdb", ErrCorrupt, true},
		{Ext4, Preen, 8, "e2fsck -p /dev/sdb", nil, true},
		{Ext4, Repair, 1, "e2fsck -y /dev/sdb", nil, false},
		{Ext4, Off, 4, "", nil, false},
		{Ext4, "maybe", 0, "", ErrInvalid, true},
		{XFS, Preen, 1, "", nil, false},
		{XFS, Repair, 0, "xfs_repair /dev/sdb", nil, false},
		{XFS, Repair, 2, "xfs_repair /dev/sdb", nil, false},
		{XFS, Repair, 1, "xfs_repair /dev/sdb", nil, true},
		{Btrfs, Repair, 1, "", nil, false},
	}
	for _, c := range cases {
		t.Run(c.fsType+" "+string(c.mode), func(t *testing.T) {
			n, f := newNode(t)
			n.answer["e2fsck"], n.answer["xfs_repair"] = answer{exit: c.exit}, answer{exit: c.exit}
			err := f.Check(t.Context(), "/dev/sdb", c.fsType, c.mode)
			if (err != nil) != c.fails || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("exit code %d: got %v", c.exit, err)
			}
			var want []string
			if c.ran != "" {
				want = []string{c.ran}
			}
			if !slices.Equal(n.ran, want) {
				t.Errorf("ran %v, want %v", n.ran, want)
			}
		})
	}
}

func TestGrow(t *testing.T) {
	for fsType, want := range map[string]string{
		Ext4:  "resize2fs /dev/sdb",
		XFS:   "xfs_growfs -d /m",
		Btrfs: "btrfs filesystem resize max /m",
	} {
		n, f := newNode(t)
		if err := f.Grow(t.Context(), fsType, "/dev/sdb", "/m"); err != nil || !slices.Equal(n.ran, []string{want}) {
			t.Errorf("ran %q, %v, want %q", n.ran, err, want)
		}
	}
	_, f := newNode(t)
	if err := f.Grow(t.Context(), "vfat", "/dev/sdb", "/m"); !errors.Is(err, ErrInvalid) {
		t.Errorf("vfat: %v", err)
	}
}

// A command in uninterruptible sleep does not hold its caller.
func TestHungCommand(t *testing.T) {
	n, f := newNode(t)
	hang := make(chan struct{})
	defer close(hang)
	n.answer["mkfs.ext4"] = answer{hang: hang}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Format(ctx, "/dev/sdb", Ext4, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestUsage(t *testing.T) {
	_, f := newNode(t)
	u, err := f.Usage(t.Context(), t.TempDir())
	if err != nil || u.TotalBytes <= 0 || u.UsedBytes+u.AvailableBytes > u.TotalBytes || u.TotalInodes != u.UsedInodes+u.AvailableInodes {
		t.Errorf("got %+v, %v", u, err)
	}
	if _, err := f.Usage(t.Context(), "/nowhere"); err == nil {
		t.Error("usage of nothing")
	}
}
