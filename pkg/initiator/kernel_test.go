package initiator

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	utilexec "k8s.io/utils/exec"
	testingexec "k8s.io/utils/exec/testing"
)

const (
	iqn  = "iqn.2010-01.com.solidfire:t.vol.7"
	naa  = "6f47acc1000000007400000000000007"
	naa2 = "6f47acc1000000007400000000000008"
	size = int64(1 << 30)
)

func wanted() Target {
	return Target{IQN: iqn, Portals: []string{"10.0.0.1:3260"}, LUN: 0, NAA: naa, SizeBytes: size}
}

// kernel is a node's kernel, iscsid and array: a tree like /sys that changes as
// the real one does when it is written to and when iscsiadm runs.
type kernel struct {
	t      *testing.T
	root   string
	events chan struct{}

	mu        sync.Mutex
	log       []string        // what was done to it, in order
	naa       string          // that the LUN shows now
	size      int64           // that the LUN has now
	ro        string          // as in sysfs
	noDisk    bool            // a scan makes no disk appear
	readErr   error           // of a trial read
	early     int             // trial reads that come before the disk can be opened
	flushErr  error           // of a flush
	exits     map[string]int  // exit code by the operation of iscsiadm
	passing   bool            // an exit code is given once
	ends      bool            // a session ends by itself when it is logged out
	hang      string          // the operation that never ends
	away      bool            // the sessions are in recovery: nobody sets a device's state
	forgotten bool            // a session that iscsid says exists is not in the kernel
	next      int             // session and host number of the next login
	daemon    *daemon         // multipathd, nil where it does not run
	claimed   map[string]bool // disks that a mount has
	loads     string          // the file that modprobe makes appear
	pending   sync.WaitGroup  // disks on their way
}

func newKernel(t *testing.T) (*kernel, *Initiator) {
	k := &kernel{t: t, root: t.TempDir(), events: make(chan struct{}, 1), naa: naa, size: size, ro: "0", exits: map[string]int{}, next: 1, claimed: map[string]bool{}}
	t.Cleanup(k.pending.Wait)
	i := New(Options{
		Exec: k, Sys: filepath.Join(k.root, "sys"), Dev: filepath.Join(k.root, "dev"),
		Poll:      time.Hour, // events alone must do
		Subscribe: func(context.Context) (<-chan struct{}, error) { k.note("subscribe"); return k.events, nil },
	})
	i.disk, i.write, i.multipathd.dial = fakeDisk{k}, k.attribute, k.dial
	return k, i
}

func (k *kernel) note(what string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.log = append(k.log, what)
}

// did are the notes that start with one of the prefixes, in order.
func (k *kernel) did(prefixes ...string) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(k.log), func(s string) bool {
		return !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
	})
}

func (k *kernel) sysfs(parts ...string) string {
	return filepath.Join(append([]string{k.root, "sys"}, parts...)...)
}

func (k *kernel) put(path, value string) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		k.t.Error(err)
	}
	if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
		k.t.Error(err)
	}
}

func (k *kernel) link(target, path string) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		k.t.Error(err)
	}
	if err := os.Symlink(target, path); err != nil {
		k.t.Error(err)
	}
}

func (k *kernel) sessionDir(n int) string {
	return k.sysfs("devices", fmt.Sprintf("host%d", n), fmt.Sprintf("session%d", n))
}

// logIn makes the session of a target; it has the host's number.
func (k *kernel) logIn(target, state string) (n int) {
	n = k.next
	k.next++
	if err := os.MkdirAll(k.sessionDir(n), 0o755); err != nil {
		k.t.Error(err)
	}
	class := k.sysfs("class", "iscsi_session", fmt.Sprintf("session%d", n))
	k.put(filepath.Join(class, "targetname"), target+"\n")
	k.put(filepath.Join(class, "state"), state+"\n")
	k.link(k.sessionDir(n), filepath.Join(class, "device"))
	return n
}

// connected says what portal the session was made for.
func (k *kernel) connected(n int, portal string) {
	host, port := must2(net.SplitHostPort(portal))
	connection := k.sysfs("class", "iscsi_connection", fmt.Sprintf("connection%d:0", n))
	k.put(filepath.Join(connection, "persistent_address"), host+"\n")
	k.put(filepath.Join(connection, "persistent_port"), port+"\n")
}

func (k *kernel) lun(n int) string {
	return filepath.Join(k.sessionDir(n), fmt.Sprintf("target%d:0:0", n), fmt.Sprintf("%d:0:0:0", n))
}

// describe writes what a scsi device says of itself.
func (k *kernel) describe(n int) {
	k.put(filepath.Join(k.lun(n), "wwid"), "naa."+k.naa+"\n")
	k.put(filepath.Join(k.lun(n), "vpd_pg83"), string(page83(k.t, k.naa)))
}

// addDisk makes the disk of a scsi device, whole at once.
func (k *kernel) addDisk(n int) {
	name := fmt.Sprintf("sd%c", 'a'+n)
	made := k.sysfs("making", fmt.Sprint(n))
	k.put(filepath.Join(made, name, "dev"), fmt.Sprintf("8:%d\n", 16*n))
	k.put(filepath.Join(made, name, "size"), fmt.Sprintf("%d\n", k.size/512))
	k.put(filepath.Join(made, name, "ro"), k.ro+"\n")
	if err := os.Rename(made, filepath.Join(k.lun(n), "block")); err != nil {
		k.t.Error(err)
	}
	k.link(filepath.Join(k.lun(n), "block", name), k.sysfs("dev", "block", fmt.Sprintf("8:%d", 16*n)))
	k.link(filepath.Join(k.lun(n), "block", name), k.sysfs("block", name))
}

// attach is what a former attach left: session, scsi device and disk.
func (k *kernel) attach(target string) (n int) {
	n = k.logIn(target, loggedIn)
	k.describe(n)
	k.addDisk(n)
	return n
}

func (k *kernel) event() {
	select {
	case k.events <- struct{}{}:
	default:
	}
}

// attribute reacts to a write to sysfs.
func (k *kernel) attribute(_ context.Context, path, value string) error {
	k.note(filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path) + "=" + value)
	k.mu.Lock()
	defer k.mu.Unlock()
	var n int
	if _, err := fmt.Sscanf(filepath.Base(filepath.Dir(path)), "host%d", &n); err != nil {
		_, _ = fmt.Sscanf(filepath.Base(filepath.Dir(path)), "%d:", &n)
	}
	switch filepath.Base(path) {
	case "scan":
		k.describe(n)
		k.pending.Go(func() { k.appear(n) })
	case "rescan":
		k.describe(n)
		for _, f := range must(filepath.Glob(filepath.Join(k.lun(n), "block", "*", "size"))) {
			k.put(f, fmt.Sprintf("%d\n", k.size/512))
		}
	case "state":
		if k.away {
			return &os.PathError{Op: "write", Path: path, Err: unix.EINVAL}
		}
	case "delete":
		_ = os.Remove(k.sysfs("dev", "block", fmt.Sprintf("8:%d", 16*n)))
		_ = os.Remove(k.sysfs("block", fmt.Sprintf("sd%c", 'a'+n)))
		k.pending.Go(func() { k.vanish(k.lun(n)) })
	}
	return nil
}

// appear is the disk that comes some time after the scan.
func (k *kernel) appear(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.noDisk && exists(k.lun(n)) {
		k.addDisk(n)
	}
	k.event()
}

// vanish is the end of a device some time after it was asked for.
func (k *kernel) vanish(dir string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := os.RemoveAll(dir); err != nil {
		k.t.Error(err)
	}
	k.event()
}

func must2[A, B any](a A, b B, err error) (A, B) {
	if err != nil {
		panic(err)
	}
	return a, b
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// iscsiadm runs one command line.
func (k *kernel) iscsiadm(ctx context.Context, line string) ([]byte, error) {
	k.note(line)
	if line == "iscsiadm --version" || strings.HasPrefix(line, "modprobe ") {
		if k.loads != "" {
			k.put(k.loads, "1\n")
		}
		if k.exits["probe"] != 0 {
			return []byte("not found"), &testingexec.FakeExitError{Status: k.exits["probe"]}
		}
		return nil, nil
	}
	if line == "iscsiadm -k 0" { // a new iscsid knows what the kernel has
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.exits, "login")
		return nil, nil
	}
	if wwid, ok := strings.CutPrefix(line, "multipath -a "); ok {
		k.daemon.wwids[wwid] = true
		return nil, nil
	}
	if name, ok := strings.CutPrefix(line, "multipath -f "); ok {
		k.endMap(name)
		return nil, nil
	}
	if strings.HasPrefix(line, "multipath ") {
		return nil, nil
	}
	operation := line[strings.LastIndex(line, "-o ")+1:]
	for _, o := range []string{"new", "update", "delete", "login", "logout"} {
		if strings.Contains(line, "-o "+o) || strings.HasSuffix(line, "--"+o) {
			operation = o
		}
	}
	k.mu.Lock()
	exit, hang := k.exits[operation], k.hang == operation
	if k.passing {
		delete(k.exits, operation)
	}
	k.mu.Unlock()
	if hang {
		<-ctx.Done()
		return nil, &testingexec.FakeExitError{Status: 137}
	}
	if exit == exitSessionExists && operation == "login" && !k.forgotten {
		k.mu.Lock()
		k.logIn(iqn, loggedIn) // somebody was faster
		k.mu.Unlock()
	}
	if operation == "logout" && k.ends {
		_ = os.RemoveAll(k.sysfs("class", "iscsi_session"))
	}
	if exit != 0 {
		return []byte("iscsiadm: failed"), &testingexec.FakeExitError{Status: exit}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch operation {
	case "login":
		n := k.logIn(iqn, loggedIn)
		k.connected(n, strings.Fields(line)[6])
	case "logout":
		sid := strings.Fields(line)[4]
		_ = os.RemoveAll(k.sysfs("class", "iscsi_session", "session"+sid))
		_ = os.RemoveAll(k.sysfs("devices", "host"+sid))
		k.event()
	}
	return nil, nil
}

// The kernel runs iscsiadm where utilexec.Interface is asked for.

func (k *kernel) Command(name string, args ...string) utilexec.Cmd {
	return k.CommandContext(context.Background(), name, args...)
}

func (k *kernel) CommandContext(ctx context.Context, name string, args ...string) utilexec.Cmd {
	line := strings.Join(append([]string{name}, args...), " ")
	return &testingexec.FakeCmd{CombinedOutputScript: []testingexec.FakeAction{func() ([]byte, []byte, error) {
		output, err := k.iscsiadm(ctx, line)
		return output, nil, err
	}}}
}

func (k *kernel) LookPath(file string) (string, error) { return file, nil }

type fakeDisk struct{ *kernel }

func (d fakeDisk) Number(path string) (string, error) {
	if name := filepath.Base(path); strings.HasPrefix(name, "dm-") {
		return "253:" + strings.TrimPrefix(name, "dm-"), nil
	}
	n := int(path[len(path)-1] - 'a')
	return fmt.Sprintf("8:%d", 16*n), nil
}

func (d fakeDisk) Read(_ context.Context, path string) error {
	d.note("read")
	if d.early > 0 {
		d.early--
		d.event() // the disk's own, once it is whole
		return &os.PathError{Op: "open", Path: path, Err: unix.ENXIO}
	}
	return d.readErr
}

func (d fakeDisk) Claimed(path string) bool { return d.claimed[filepath.Base(path)] }

func (d fakeDisk) Flush(context.Context, string) error { d.note("flush"); return d.flushErr }

// page83 is a device identification page as Element arrays send it: an NAA
// name of the unit, an EUI-64 name, and an NAA name of the port.
func page83(t *testing.T, name string) []byte {
	raw, err := hex.DecodeString(name)
	if err != nil {
		t.Fatal(err)
	}
	unit := append([]byte{0x01, 0x03, 0, byte(len(raw))}, raw...)
	eui := append([]byte{0x01, 0x02, 0, 8}, raw[:8]...)
	port := append([]byte{0x01, 0x13, 0, 8}, raw[8:]...)
	body := slices.Concat(eui, port, unit)
	return append([]byte{0x00, 0x83, 0, byte(len(body))}, body...)
}

// deadPortal has nobody at 10.0.0.9.
type deadPortal struct{ *kernel }

func (d deadPortal) CommandContext(ctx context.Context, name string, args ...string) utilexec.Cmd {
	if slices.Contains(args, "10.0.0.9:3260") && slices.Contains(args, "--login") {
		return &testingexec.FakeCmd{CombinedOutputScript: []testingexec.FakeAction{func() ([]byte, []byte, error) {
			return nil, nil, &testingexec.FakeExitError{Status: 8}
		}}}
	}
	return d.kernel.CommandContext(ctx, name, args...)
}
