package initiator

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"
)

// daemon is the node's multipathd, as it is configured.
type daemon struct {
	greedy bool            // it takes every path: find_multipaths no
	black  bool            // it takes none: blacklisted
	wwids  map[string]bool // that it was told to take
	late   int             // commands that come before udev has named the disk
	stuck  bool            // its maps do not go
}

// dial connects to multipathd, if it runs.
func (k *kernel) dial(_ context.Context, address string) (net.Conn, error) {
	if k.daemon == nil || address != multipathdSocket {
		return nil, &os.SyscallError{Syscall: "connect", Err: unix.ECONNREFUSED}
	}
	ours, theirs := net.Pipe()
	go k.serve(theirs)
	return ours, nil
}

// serve answers one command by multipathd's protocol.
func (k *kernel) serve(conn net.Conn) {
	defer conn.Close()
	header := make([]byte, 8)
	if _, err := io.ReadFull(conn, header); err != nil {
		return // it was only asked whether it runs
	}
	text := make([]byte, binary.NativeEndian.Uint64(header))
	if _, err := io.ReadFull(conn, text); err != nil {
		return // the caller's time was over
	}
	command := strings.TrimSuffix(string(text), "\x00")
	k.note("multipathd " + command)
	reply := k.carryOut(command) + "\n\x00"
	_, _ = conn.Write(append(binary.NativeEndian.AppendUint64(nil, uint64(len(reply))), reply...))
}

func (k *kernel) carryOut(command string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	words := strings.Fields(command)
	switch what := words[len(words)-1]; strings.Join(words[:len(words)-1], " ") {
	case "add path":
		return k.addPath(what)
	case "del map":
		if k.daemon.stuck {
			return "fail"
		}
		k.endMap(what)
	case "del path":
		for _, dev := range must(entries(k.sysfs("block", what, "holders"))) {
			k.endMap(strings.TrimSpace(string(must(os.ReadFile(k.sysfs("block", dev, "dm", "name"))))))
		}
	case "resize map":
		k.put(k.sysfs("block", "dm-0", "size"), fmt.Sprintf("%d\n", k.size/512))
	}
	return "ok"
}

// addPath makes or extends the map of the disk's WWID, if multipathd wants to.
func (k *kernel) addPath(disk string) string {
	if k.daemon.black {
		return "blacklisted"
	}
	if k.daemon.late > 0 {
		k.daemon.late--
		k.event() // udev's, once its rules have run
		return "fail"
	}
	n := int(disk[len(disk)-1] - 'a')
	names := must(identities(k.lun(n)))
	if wwid := naaPrefix + names[0]; k.daemon.greedy || k.daemon.wwids[wwid] {
		k.makeMap(wwid, disk)
	}
	return "ok"
}

// makeMap adds the disk to the map dm-0.
func (k *kernel) makeMap(wwid, disk string) {
	dir := k.sysfs("block", "dm-0")
	k.put(filepath.Join(dir, "dm", "uuid"), "mpath-"+wwid+"\n")
	k.put(filepath.Join(dir, "dm", "name"), "mpatha\n")
	k.put(filepath.Join(dir, "size"), fmt.Sprintf("%d\n", k.size/512))
	k.put(filepath.Join(dir, "ro"), "0\n")
	k.put(filepath.Join(dir, "dev"), "253:0\n")
	if link := k.sysfs("dev", "block", "253:0"); !exists(link) {
		k.link(dir, link)
	}
	k.put(filepath.Join(dir, "slaves", disk), "")
	k.put(k.sysfs("block", disk, "holders", "dm-0"), "")
	k.event()
}

func (k *kernel) endMap(name string) {
	if name != "mpatha" {
		k.t.Errorf("map %q was ended", name)
	}
	for _, disk := range must(entries(k.sysfs("block", "dm-0", "slaves"))) {
		_ = os.Remove(k.sysfs("block", disk, "holders", "dm-0"))
	}
	_ = os.Remove(k.sysfs("dev", "block", "253:0"))
	_ = os.RemoveAll(k.sysfs("block", "dm-0"))
	k.event()
}

func two() Target {
	t := wanted()
	t.Portals = []string{"10.0.0.1:3260", "10.0.0.2:3260"}
	return t
}

// TestChoice: what is used, the path or the map.
func TestChoice(t *testing.T) {
	cases := []struct {
		name   string
		target Target
		alter  func(*kernel)
		want   string
		paths  int
	}{
		{"one portal, no multipathd", wanted(), func(*kernel) {}, "sdb", 1},
		{"one portal, multipathd does not claim", wanted(), func(k *kernel) { k.daemon = &daemon{} }, "sdb", 1},
		{"one portal, blacklisted", wanted(), func(k *kernel) { k.daemon = &daemon{black: true} }, "sdb", 1},
		{"one portal, multipathd claims", wanted(), func(k *kernel) { k.daemon = &daemon{greedy: true} }, "dm-0", 1},
		{"one portal, multipathd claims late", wanted(), func(k *kernel) { k.daemon = &daemon{greedy: true, late: 2} }, "dm-0", 1},
		{"two portals, no multipathd", two(), func(*kernel) {}, "sdb", 1},
		{"two portals", two(), func(k *kernel) { k.daemon = &daemon{wwids: map[string]bool{}} }, "dm-0", 2},
		{"two portals, multipathd is late", two(), func(k *kernel) { k.daemon = &daemon{wwids: map[string]bool{}, late: 3} }, "dm-0", 2},
		{"two portals, mounted before multipathd came", two(), func(k *kernel) {
			k.connected(k.attach(iqn), "10.0.0.1:3260")
			k.claimed["sdb"], k.daemon = true, &daemon{greedy: true}
		}, "sdb", 2},
		{"two portals, one session is there", two(), func(k *kernel) {
			k.connected(k.attach(iqn), "10.0.0.2:3260")
			k.daemon = &daemon{wwids: map[string]bool{}}
		}, "dm-0", 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			k, i := newKernel(t)
			c.alter(k)
			for range 2 { // the second time it is there
				if d, err := i.Attach(t.Context(), c.target); err != nil || d.Name != c.want {
					t.Fatalf("got %+v, %v, want %s", d, err, c.want)
				}
			}
			m, err := i.Mapping(t.Context(), iqn)
			if err != nil || m.Sessions != c.paths {
				t.Errorf("mapping %+v, %v, want %d sessions", m, err, c.paths)
			}
			d, err := i.Find(t.Context(), c.target)
			if err != nil || d.Name != c.want {
				t.Errorf("found %+v, %v", d, err)
			}
			if o, err := i.Owner(t.Context(), d.Number); err != nil || o != (Owner{IQN: iqn, NAA: naa}) {
				t.Errorf("owner %+v, %v", o, err)
			}
			if err := i.Detach(t.Context(), iqn, naa); err != nil {
				t.Fatal(err)
			}
			if left := must(filepath.Glob(k.sysfs("block", "*"))); len(left) > 0 {
				t.Errorf("left %v", left)
			}
		})
	}
}

func TestRequiredMapThatMultipathdDoesNotMake(t *testing.T) {
	k, i := newKernel(t)
	k.daemon = &daemon{black: true, wwids: map[string]bool{}}
	if _, err := i.Attach(t.Context(), two()); !errors.Is(err, ErrUnavailable) || !errors.Is(err, errBlacklisted) {
		t.Errorf("got %v, want ErrUnavailable that says blacklisted", err)
	}
	if did, want := k.did("multipath -"), []string{"multipath -a 3" + naa, "multipath -w 3" + naa}; !slices.Equal(did, want) {
		t.Errorf("did %v, want %v", did, want)
	}
}

func TestOneDeadPortalOfTwo(t *testing.T) {
	k, i := newKernel(t)
	k.daemon = &daemon{wwids: map[string]bool{}}
	i.host.exec = deadPortal{k}
	target := two()
	target.Portals[0] = "10.0.0.9:3260"
	if d, err := i.Attach(t.Context(), target); err != nil || d.Name != "dm-0" {
		t.Fatalf("got %+v, %v", d, err)
	}
	i.host.exec = k // the portal is back
	if d, err := i.Attach(t.Context(), target); err != nil || d.Name != "dm-0" {
		t.Fatalf("got %+v, %v", d, err)
	}
	if have, err := i.slaves("dm-0"); err != nil || len(have) != 2 {
		t.Errorf("paths %v, %v, want two", have, err)
	}
}

func TestDetachOfAMap(t *testing.T) {
	const deleted, loggedOut = "1:0:0:0/delete=1", "iscsiadm -m session -r 1 --logout"
	cases := []struct {
		name  string
		alter func(*kernel)
		want  error
		did   []string
	}{
		{"whole", func(*kernel) {}, nil, []string{
			"multipathd disablequeueing map mpatha", "flush", "multipath -w 3" + naa, "multipathd del map mpatha", "flush", deleted, loggedOut,
		}},
		{"multipathd is gone", func(k *kernel) { k.daemon = nil }, nil, []string{
			"flush", "multipath -w 3" + naa, "multipath -f mpatha", "flush", deleted, loggedOut,
		}},
		{"with partitions", func(k *kernel) {
			k.put(k.sysfs("block", "dm-1", "dm", "uuid"), "part1-mpath-3"+naa)
			k.put(k.sysfs("block", "dm-0", "holders", "dm-1"), "")
		}, nil, []string{
			"multipathd disablequeueing map mpatha", "flush", "multipath -w 3" + naa, "multipathd del map mpatha", "flush", deleted, loggedOut,
		}},
		{"held by LVM", func(k *kernel) {
			k.put(k.sysfs("block", "dm-1", "dm", "uuid"), "LVM-0123")
			k.put(k.sysfs("block", "dm-0", "holders", "dm-1"), "")
		}, ErrBusy, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			k, i := newKernel(t)
			k.daemon = &daemon{greedy: true}
			if _, err := i.Attach(t.Context(), wanted()); err != nil {
				t.Fatal(err)
			}
			k.log = nil
			c.alter(k)
			if err := i.Detach(t.Context(), iqn, naa); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if did := k.did("multipath", "flush", "1:", "iscsiadm -m session"); !slices.Equal(did, c.did) {
				t.Errorf("did\n%s\nwant\n%s", strings.Join(did, "\n"), strings.Join(c.did, "\n"))
			}
		})
	}
}

func TestMapThatDoesNotGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, i := newKernel(t)
		i.poll = defaultPoll
		k.daemon = &daemon{greedy: true, stuck: true}
		if _, err := i.Attach(t.Context(), wanted()); err != nil {
			t.Fatal(err)
		}
		if err := i.Detach(t.Context(), iqn, naa); !errors.Is(err, ErrBusy) {
			t.Errorf("got %v, want ErrBusy", err)
		}
		if m, err := i.Mapping(t.Context(), iqn); err != nil || !m.Live() {
			t.Errorf("mapping %+v, %v, want all of it", m, err)
		}
	})
}

// Another volume's map, path and session stay through an attach and a detach.
func TestForeignMapStays(t *testing.T) {
	k, i := newKernel(t)
	k.daemon = &daemon{}
	k.naa = naa2
	other := k.attach(iqn + "7")
	k.makeMap(naaPrefix+naa2, "sdb")
	k.naa = naa
	if d, err := i.Attach(t.Context(), wanted()); err != nil || d.Name != "sdc" {
		t.Fatalf("got %+v, %v", d, err)
	}
	if err := i.Detach(t.Context(), iqn, naa); err != nil {
		t.Fatal(err)
	}
	if !exists(k.sysfs("block", "dm-0")) || !exists(k.lun(other)) {
		t.Error("the other volume's map or path is gone")
	}
}

// A map that lost all its paths may have data of a grant that is over.
func TestMapWithoutPathsGoesBeforeTheLogin(t *testing.T) {
	k, i := newKernel(t)
	k.daemon = &daemon{greedy: true}
	k.makeMap(naaPrefix+naa, "sdz")
	if err := os.Remove(k.sysfs("block", "dm-0", "slaves", "sdz")); err != nil {
		t.Fatal(err)
	}
	if _, err := i.Attach(t.Context(), wanted()); err != nil {
		t.Fatal(err)
	}
	did := k.did("multipathd d", "iscsiadm -m node -T "+iqn+" -p 10.0.0.1:3260 --login")
	if len(did) != 3 || did[1] != "multipathd del map mpatha" {
		t.Errorf("did %v, want the map to go first", did)
	}
}

// A mounted map that lost all its sessions gets its paths back.
func TestMountedMapGetsItsPathsBack(t *testing.T) {
	k, i := newKernel(t)
	k.daemon = &daemon{greedy: true}
	k.makeMap(naaPrefix+naa, "sdz")
	if err := os.Remove(k.sysfs("block", "dm-0", "slaves", "sdz")); err != nil {
		t.Fatal(err)
	}
	k.claimed["dm-0"] = true
	if d, err := i.Attach(t.Context(), wanted()); err != nil || d.Name != "dm-0" {
		t.Fatalf("got %+v, %v", d, err)
	}
	if did, want := k.did("multipathd"), []string{"multipathd add path sdb"}; !slices.Equal(did, want) {
		t.Errorf("did %v, want %v", did, want)
	}
}

// What LVM made of a path by itself is in the way of the map.
func TestPathThatIsHeldByAnother(t *testing.T) {
	k, i := newKernel(t)
	k.attach(iqn)
	k.put(k.sysfs("block", "dm-1", "dm", "uuid"), "LVM-0123")
	k.put(k.sysfs("block", "sdb", "holders", "dm-1"), "")
	k.claimed["sdb"], k.daemon = true, &daemon{greedy: true}
	if _, err := i.Attach(t.Context(), wanted()); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "dm-1") {
		t.Errorf("got %v, want ErrBusy that names dm-1", err)
	}
}

func TestGateOnAMap(t *testing.T) {
	k, i := newKernel(t)
	k.daemon = &daemon{greedy: true}
	if _, err := i.Attach(t.Context(), wanted()); err != nil {
		t.Fatal(err)
	}
	k.put(k.sysfs("block", "dm-0", "ro"), "1\n")
	if _, err := i.Attach(t.Context(), wanted()); !errors.Is(err, ErrDenied) {
		t.Errorf("write-protected map: got %v, want ErrDenied", err)
	}
}

// A wrong LUN that multipathd took is taken from it again.
func TestWrongVolumeInAMap(t *testing.T) {
	k, i := newKernel(t)
	k.daemon = &daemon{greedy: true}
	k.naa = naa2
	write := i.write
	i.write = func(ctx context.Context, path, value string) error {
		err := write(ctx, path, value)
		if filepath.Base(path) == "scan" {
			k.pending.Wait()
			k.mu.Lock()
			defer k.mu.Unlock()
			k.makeMap(naaPrefix+naa2, "sdb")
		}
		return err
	}
	if _, err := i.Attach(t.Context(), wanted()); !errors.Is(err, ErrIdentity) {
		t.Fatalf("got %v, want ErrIdentity", err)
	}
	if did := k.did("multipathd"); !slices.Equal(did, []string{"multipathd del path sdb"}) {
		t.Errorf("did %v", did)
	}
	if m, err := i.Mapping(t.Context(), iqn); err != nil || m.Live() {
		t.Errorf("left %+v, %v", m, err)
	}
}

func TestResizeOfAMap(t *testing.T) {
	k, i := newKernel(t)
	k.daemon = &daemon{wwids: map[string]bool{}}
	if _, err := i.Attach(t.Context(), two()); err != nil {
		t.Fatal(err)
	}
	k.size = 2 * size
	target := two()
	target.SizeBytes = 2 * size
	if d, err := i.Resize(t.Context(), target); err != nil || d.Name != "dm-0" || d.SizeBytes != 2*size {
		t.Errorf("got %+v, %v", d, err)
	}
}

func TestSeverOfAMap(t *testing.T) {
	k, i := newKernel(t)
	k.daemon = &daemon{wwids: map[string]bool{}}
	if _, err := i.Attach(t.Context(), two()); err != nil {
		t.Fatal(err)
	}
	if err := i.Sever(t.Context(), iqn); err != nil {
		t.Fatal(err)
	}
	want := []string{"1:0:0:0/state=offline", "2:0:0:0/state=offline", "multipathd disablequeueing map mpatha"}
	if did := k.did("1:", "2:", "multipathd dis"); !slices.Equal(did, want) {
		t.Errorf("did %v, want %v", did, want)
	}
}

func TestMultipathdProtocol(t *testing.T) {
	for name, c := range map[string]struct {
		reply string
		want  error
	}{
		"done":        {"ok\n\x00", nil},
		"blacklisted": {"blacklisted\n\x00", errBlacklisted},
		"refused":     {"fail\n\x00", errRefused},
		"too slow":    {"timeout\n\x00", errRefused},
		"cut short":   {"", ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := net.Pipe()
			m := &multipathd{dial: func(context.Context, string) (net.Conn, error) { return ours, nil }}
			go func() {
				defer theirs.Close()
				sent := make([]byte, 8+len("add path sda")+1)
				if _, err := io.ReadFull(theirs, sent); err != nil || string(sent[8:]) != "add path sda\x00" || binary.NativeEndian.Uint64(sent) != 13 {
					t.Errorf("sent %q, %v", sent, err)
				}
				if c.reply != "" {
					_, _ = theirs.Write(append(binary.NativeEndian.AppendUint64(nil, uint64(len(c.reply))), c.reply...))
				}
			}()
			if err := m.tell(t.Context(), "add path sda"); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}
