package filesystem

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// machine is the block devices of a node: /dev as images, /sys as directories.
type machine struct {
	t        *testing.T
	sys, dev string
	f        *Filesystem
}

func newMachine(t *testing.T) *machine {
	n, f := newNode(t)
	n.answer["blkid"] = answer{output: "TYPE=btrfs\n"}
	m := &machine{t: t, sys: t.TempDir(), dev: t.TempDir(), f: f}
	f.sys, f.dev = m.sys, m.dev
	m.link("class/block/sdb", "dev/block/8:16")
	return m
}

func (m *machine) link(to, at string) {
	m.t.Helper()
	at = filepath.Join(m.sys, at)
	if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.Symlink(filepath.Join(m.sys, to), at)); err != nil {
		m.t.Fatal(err)
	}
}

// disk makes a device with that btrfs on it, or none, and its attributes in sysfs.
func (m *machine) disk(name string, fsid uuid.UUID, attributes map[string]string) {
	m.t.Helper()
	bytes := map[int64][]byte{}
	if fsid != uuid.Nil {
		bytes = map[int64][]byte{btrfsSuper + btrfsFsid: fsid[:], btrfsSuper + btrfsMagic: []byte(btrfsSignature)}
	}
	if err := os.Rename(image(m.t, mib, bytes), filepath.Join(m.dev, name)); err != nil {
		m.t.Fatal(err)
	}
	for attribute, value := range attributes {
		m.write(filepath.Join("class", "block", name, attribute), value)
	}
	m.write(filepath.Join("class", "block", name, "size"), "2048")
}

func (m *machine) write(path, value string) {
	m.t.Helper()
	path = filepath.Join(m.sys, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(value+"\n"), 0o600)); err != nil {
		m.t.Fatal(err)
	}
}

// TestTwin: a btrfs whose fsid another volume of the node shows is refused; the
// paths and the map of the volume itself are no other volume.
func TestTwin(t *testing.T) {
	fsid, other := uuid.MustParse("6f47acc1-0000-4000-8000-000000000007"), uuid.MustParse("6f47acc1-0000-4000-8000-000000000008")
	for name, tc := range map[string]struct {
		prepare func(*machine)
		twin    string
	}{
		"alone":                   {func(*machine) {}, ""},
		"beside others":           {func(m *machine) { m.disk("sdc", other, nil); m.disk("sdd", uuid.Nil, nil) }, ""},
		"a clone":                 {func(m *machine) { m.disk("sdc", fsid, map[string]string{"device/wwid": "naa.2"}) }, "sdc"},
		"a clone in a partition":  {func(m *machine) { m.disk("sdc1", fsid, nil) }, "sdc1"},
		"a clone that is mounted": {func(m *machine) { m.write("fs/btrfs/"+fsid.String()+"/devices/dm-7", "") }, "dm-7"},
		"mounted itself":          {func(m *machine) { m.write("fs/btrfs/"+fsid.String()+"/devices/sdb", "") }, ""},
		"a second path":           {func(m *machine) { m.disk("sdc", fsid, map[string]string{"device/wwid": "naa.1"}) }, ""},
		"its map":                 {func(m *machine) { m.disk("dm-0", fsid, nil); m.write("class/block/sdb/holders/dm-0", "") }, ""},
		"another path beneath its map": {func(m *machine) {
			m.disk("dm-0", fsid, nil)
			m.disk("sdc", fsid, nil)
			m.write("class/block/sdb/holders/dm-0", "")
			m.write("class/block/dm-0/slaves/sdc", "")
		}, ""},
		"a drive without a medium":     {func(m *machine) { m.write("class/block/sr0/size", "0") }, ""},
		"a device that cannot be read": {func(m *machine) { m.write("class/block/sdz/size", "2048") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.disk("sdb", fsid, map[string]string{"device/wwid": "naa.1"})
			tc.prepare(m)
			content, err := m.f.Inspect(t.Context(), filepath.Join(m.dev, "sdb"))
			if err != nil || content.Twin != tc.twin {
				t.Fatalf("got %+v, %v, want twin %q", content, err, tc.twin)
			}
			format, err := content.Admit(Claim{FSType: Btrfs, Blank: true})
			if format || errors.Is(err, ErrTwin) != (tc.twin != "") {
				t.Errorf("admitted: format %t, %v", format, err)
			}
			if tc.twin != "" && !strings.Contains(err.Error(), tc.twin) {
				t.Errorf("%q does not name %s", err, tc.twin)
			}
		})
	}
}
