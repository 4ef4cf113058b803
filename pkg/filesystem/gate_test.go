package filesystem

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const imageSize = 300 * mib

// image is a sparse device with the bytes at their offsets.
func image(t *testing.T, size int64, bytes map[int64][]byte) string {
	path := filepath.Join(t.TempDir(), "image")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.Truncate(size); err != nil {
		t.Fatal(err)
	}
	for offset, b := range bytes {
		if _, err := file.WriteAt(b, offset); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// TestPlacesShowEverySuperblock: blkid is made to know nothing, so what is
// refused here is refused by the places alone.
func TestPlacesShowEverySuperblock(t *testing.T) {
	ext4 := binary.LittleEndian.AppendUint16(nil, 0xef53)
	cases := []struct {
		name   string
		offset int64
		bytes  []byte
	}{
		{"MBR", 510, []byte{0x55, 0xaa}},
		{"GPT", 512, []byte("EFI PART")},
		{"GPT backup", imageSize - 512, []byte("EFI PART")},
		{"ext4", 1024 + 56, ext4},
		{"ext4 backup, blocks of 1 KiB", 8193*kib + 56, ext4},
		{"ext4 backup, blocks of 2 KiB", 16384*2*kib + 56, ext4},
		{"ext4 backup, blocks of 4 KiB", 32768*4*kib + 56, ext4},
		{"XFS", 0, []byte("XFSB")},
		{"XFS, second group", imageSize / 4, []byte("XFSB")},
		{"XFS, third group", imageSize / 2, []byte("XFSB")},
		{"XFS, fourth group", imageSize / 4 * 3, []byte("XFSB")},
		{"btrfs", 64*kib + 64, []byte("_BHRfS_M")},
		{"btrfs mirror", 64*mib + 64, []byte("_BHRfS_M")},
		{"LVM", 512, []byte("LABELONE")},
		{"LUKS", 0, []byte("LUKS\xba\xbe")},
		{"swap", 4086, []byte("SWAPSPACE2")},
		{"md 1.2", 4096, []byte{0xfc, 0x4e, 0x2b, 0xa9}},
		{"md 1.0", imageSize - 8*kib, []byte{0xfc, 0x4e, 0x2b, 0xa9}},
		{"md 0.90", imageSize - 64*kib, []byte{0xfc, 0x4e, 0x2b, 0xa9}},
		{"raw data, far from all of them", 16*5*mib + 7, []byte("a database")},
		{"ZFS, last label", imageSize - 128*kib, []byte{0x0c, 0xb1, 0xba}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n, f := newNode(t)
			n.answer["blkid"] = answer{exit: blkidNothing}
			content, err := f.Inspect(t.Context(), image(t, imageSize, map[int64][]byte{c.offset: c.bytes}))
			if err != nil || content.Zero {
				t.Fatalf("got %+v, %v: want not zero", content, err)
			}
			if format, err := content.Admit(Claim{FSType: Ext4, Blank: true}); format || !errors.Is(err, ErrForeignData) {
				t.Errorf("admitted: format %t, %v", format, err)
			}
		})
	}
}

func TestBlankImagesOfEverySize(t *testing.T) {
	n, f := newNode(t)
	n.answer["blkid"] = answer{exit: blkidNothing}
	for _, size := range []int64{4 * kib, mib, 2 * mib, 2*mib + 512, 9 * mib, gib, 257 * gib} {
		content, err := f.Inspect(t.Context(), image(t, size, nil))
		if err != nil || !content.Zero || content.Type != "" {
			t.Errorf("%d bytes: %+v, %v", size, content, err)
		}
		for _, p := range places(size) {
			if p.offset%alignment != 0 || p.offset < 0 || p.offset+p.length > size {
				t.Errorf("%d bytes: place %+v", size, p)
			}
		}
	}
}

// TestAdmit is the format gate's whole table.
func TestAdmit(t *testing.T) {
	cases := []struct {
		name    string
		content Content
		claim   Claim
		format  bool
		want    error
	}{
		{"blank, made empty", Content{Zero: true}, Claim{Blank: true}, true, nil},
		{"blank, origin unknown", Content{Zero: true}, Claim{}, false, ErrForeignData},
		{"blank, read-only", Content{Zero: true}, Claim{Blank: true, ReadOnly: true}, false, ErrForeignData},
		{"ours", Content{Type: Ext4}, Claim{Blank: true}, false, nil},
		{"ours, read-only", Content{Type: Ext4}, Claim{ReadOnly: true}, false, nil},
		{"other filesystem", Content{Type: XFS}, Claim{Blank: true}, false, ErrForeignData},
		{"partition table", Content{Type: "partition table gpt"}, Claim{Blank: true}, false, ErrForeignData},
		{"unknown data", Content{}, Claim{Blank: true}, false, ErrForeignData},
		{"half an mkfs of ours", Content{}, Claim{Interrupted: true}, true, nil},
		{"an mkfs of ours that may have ended", Content{Type: Ext4}, Claim{Interrupted: true}, true, nil},
		{"half an mkfs, read-only", Content{}, Claim{Interrupted: true, ReadOnly: true}, false, ErrForeignData},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.content.Device, c.claim.FSType = "/dev/sdb", Ext4
			format, err := c.content.Admit(c.claim)
			if format != c.format || !errors.Is(err, c.want) {
				t.Errorf("got %t, %v, want %t, %v", format, err, c.format, c.want)
			}
			if err != nil && !strings.Contains(err.Error(), "/dev/sdb") {
				t.Errorf("%q does not name the device", err)
			}
		})
	}
}

func TestInspectAsksBlkid(t *testing.T) {
	cases := []struct {
		name   string
		answer answer
		kind   string
		fails  bool
	}{
		{"nothing", answer{exit: 2}, "", false},
		{"a filesystem", answer{output: "DEVNAME=/dev/sdb\nTYPE=xfs\n"}, XFS, false},
		{"a partition table", answer{output: "PTTYPE=gpt\n"}, "partition table gpt", false},
		{"several", answer{exit: 8}, "several signatures", false},
		{"neither", answer{output: "DEVNAME=/dev/sdb\n"}, "", true},
		{"an error", answer{exit: 4}, "", true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n, f := newNode(t)
			n.answer["blkid"] = c.answer
			content, err := f.Inspect(t.Context(), image(t, mib, nil))
			if content.Type != c.kind || (err != nil) != c.fails {
				t.Errorf("got %+v, %v", content, err)
			}
		})
	}
}

// What cannot be read is never blank: blkid's "nothing" is not even asked for.
func TestUnreadableIsNotBlank(t *testing.T) {
	n, f := newNode(t)
	n.answer["blkid"] = answer{exit: blkidNothing}
	for name, path := range map[string]string{
		"absent":    filepath.Join(t.TempDir(), "sdb"),
		"no bytes":  image(t, 0, nil),
		"directory": t.TempDir(),
	} {
		if content, err := f.Inspect(t.Context(), path); !errors.Is(err, ErrUnreadable) || content.Zero {
			t.Errorf("%s: %+v, %v, want ErrUnreadable", name, content, err)
		}
	}
	if ran := n.commands(); len(ran) != 0 {
		t.Errorf("ran %v", ran)
	}
}

// A device that ends before its size reads as an error where it ends.
func TestShortRead(t *testing.T) {
	d, err := openDevice(image(t, mib, nil), os.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	if zero, err := d.zero(place{mib / 2, mib}); zero || !errors.Is(err, ErrUnreadable) {
		t.Errorf("got %t, %v, want ErrUnreadable", zero, err)
	}
	if err := d.close(); err != nil {
		t.Error(err)
	}
}

func TestWipeMakesBlank(t *testing.T) {
	n, f := newNode(t)
	n.answer["blkid"] = answer{exit: blkidNothing}
	path := image(t, imageSize, map[int64][]byte{0: []byte("XFSB"), imageSize / 2: []byte("XFSB"), imageSize - 8: []byte("12345678")})
	if err := f.Wipe(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if content, err := f.Inspect(t.Context(), path); err != nil || !content.Zero {
		t.Errorf("got %+v, %v", content, err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != imageSize {
		t.Errorf("size %v, %v", info.Size(), err)
	}
}
