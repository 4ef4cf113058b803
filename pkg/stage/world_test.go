package stage

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/san-csi/san-csi/pkg/filesystem"
	"github.com/san-csi/san-csi/pkg/initiator"
)

const (
	testIQN = "iqn.2010-01.com.solidfire:t.vol.7"
	testNAA = "6f47acc1000000007400000000000007"
	gib     = int64(1) << 30
)

// killed is the panic by which a process ends at a step: nothing after it
// runs, what was done before it stays.
type killed struct{}

// world is the array and the kernel of one node: what outlives the driver's
// process. Every change of it is a step at which the process can be killed.
type world struct {
	t       *testing.T
	records string

	sessions  int
	attached  bool
	offline   bool
	fenced    bool   // what is mounted is of a grant that is over
	naa       string // that the LUN shows
	size      int64
	name      string // of the device
	number    string
	content   string // of the LUN: "", "partial" or a filesystem
	mounts    []filesystem.Mount
	formatted int
	used      bool // a filesystem of it was mounted once
	grown     int64
	protected bool // the kernel refuses writes
	checked   []filesystem.Fsck
	failure   map[string]error // by step, once the step is reached
	daemon    error            // what is wrong with iscsid
	lost      int              // sessions that are in recovery
	open      map[string]bool  // mounts on which a pod has files open
	boot      string           // of the host
	pending   map[string]int64 // what the controller fenced
	confirmed map[string]int64
	unreached map[string]error // what is wrong with portals
	findings  []Finding

	steps int
	limit int // steps until the kill, -1 = none
}

func newWorld(t *testing.T) *world {
	return &world{t: t, records: t.TempDir(), naa: testNAA, size: gib, name: "sdb", number: "8:16", limit: -1, failure: map[string]error{},
		open: map[string]bool{}, boot: "first", pending: map[string]int64{}, confirmed: map[string]int64{}}
}

// What is not ours stands on every node, under every test: a session with its
// device, and a mount. Whoever does something to it fails the test.
const foreignIQN = "iqn.2001-04.com.example:by-hand"

var foreignMounts = []filesystem.Mount{
	{Path: "/", Device: "254:0", Type: "ext4", Root: "/"},
	{Path: "/mnt/by-hand", Device: "8:160", Type: "ext4", Root: "/"},
}

func (w *world) ours(iqn string) {
	w.t.Helper()
	if iqn != testIQN {
		w.t.Errorf("something is done to target %s", iqn)
	}
}

func (w *world) step(name string) error {
	if w.steps == w.limit {
		panic(killed{})
	}
	w.steps++
	return w.failure[name]
}

// process is a driver that is started on the node.
func (w *world) process() *Stager {
	s, err := New(Options{
		Iscsi: fakeIscsi{w}, Daemons: fakeIscsi{w}, Disks: fakeDisks{w}, Mounts: fakeMounts{w}, RecordsDir: w.records,
		Boot: w.boot, Fences: fakeFences{w}, Abandoned: time.Minute,
		Tell:  func(f Finding) { w.findings = append(w.findings, f) },
		Reach: func(_ context.Context, portal string) error { return w.unreached[portal] },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	s.records = fakeStore{w, s.records}
	return s
}

// killAt runs the work in a process that is killed at that step, and reports
// whether it was: false means that the work had no more steps.
func (w *world) killAt(step int, work func(*Stager) error) (was bool) {
	w.steps, w.limit = 0, step
	defer func() {
		w.limit = -1
		if r := recover(); r != nil {
			if _, was = r.(killed); !was {
				panic(r)
			}
		}
	}()
	if err := work(w.process()); err != nil {
		w.t.Fatalf("work that was not killed: %v", err)
	}
	return false
}

func (w *world) mountsAt(path string) []filesystem.Mount {
	return slices.DeleteFunc(slices.Clone(w.mounts), func(m filesystem.Mount) bool { return m.Path != path })
}

type fakeStore struct {
	*world
	store
}

func (s fakeStore) save(r *record) error {
	if err := s.step("save"); err != nil {
		return err
	}
	return s.store.save(r)
}

func (s fakeStore) remove(volumeID string) error {
	if err := s.step("remove"); err != nil {
		return err
	}
	return s.store.remove(volumeID)
}

type fakeIscsi struct{ *world }

func (w fakeIscsi) device() initiator.Device {
	return initiator.Device{Name: w.name, Path: "/dev/sdb", Number: w.number, SizeBytes: w.size}
}

func (w fakeIscsi) Attach(_ context.Context, t initiator.Target) (initiator.Device, error) {
	w.ours(t.IQN)
	if err := w.step("login"); err != nil {
		return initiator.Device{}, err
	}
	w.sessions = 1
	if err := w.step("scan"); err != nil {
		return initiator.Device{}, err
	}
	if w.naa != t.NAA {
		w.sessions = 0
		return initiator.Device{}, fmt.Errorf("naa %s, expected %s: %w", w.naa, t.NAA, initiator.ErrIdentity)
	}
	if !w.attached {
		w.protected = false // another device
	}
	w.attached, w.offline, w.fenced = true, false, false
	return w.device(), w.step("attached")
}

func (w fakeIscsi) Find(_ context.Context, t initiator.Target) (initiator.Device, error) {
	if !w.attached || t.IQN != testIQN {
		return initiator.Device{}, initiator.ErrNotFound
	}
	return w.device(), nil
}

func (w fakeIscsi) Resize(_ context.Context, t initiator.Target) (initiator.Device, error) {
	if err := w.step("resize"); err != nil {
		return initiator.Device{}, err
	}
	if w.size < t.SizeBytes {
		return initiator.Device{}, fmt.Errorf("%d bytes: %w: %w", w.size, initiator.ErrUnavailable, context.DeadlineExceeded)
	}
	return w.device(), nil
}

func (w fakeIscsi) Daemon(context.Context) error { return w.daemon }

func (w fakeIscsi) Sever(_ context.Context, iqn string) error {
	w.ours(iqn)
	w.offline = true
	return w.step("sever")
}

func (w fakeIscsi) Unqueue(_ context.Context, naa string) error {
	if w.attached && naa != w.naa {
		w.t.Errorf("unqueue of the map of %s", naa)
	}
	return w.step("unqueue")
}

func (w fakeIscsi) Detach(_ context.Context, iqn, naa string) error {
	if err := w.step("delete"); err != nil {
		return err
	}
	if w.attached && len(w.mounts) > 0 {
		w.t.Errorf("device deleted beneath mounts %v", w.mounts)
	}
	w.ours(iqn)
	if w.attached && naa != w.naa {
		w.t.Errorf("detach of %s %s", iqn, naa)
	}
	w.attached = false
	if err := w.step("logout"); err != nil {
		return err
	}
	w.sessions = 0
	return w.step("detached")
}

func (w fakeIscsi) Owner(_ context.Context, number string) (initiator.Owner, error) {
	if !w.attached || number != w.number {
		return initiator.Owner{}, initiator.ErrNotFound
	}
	return initiator.Owner{IQN: testIQN, NAA: w.naa}, nil
}

func (w fakeIscsi) Mapping(_ context.Context, iqn string) (initiator.Mapping, error) {
	if iqn == foreignIQN {
		return initiator.Mapping{Sessions: 1, Devices: []initiator.Device{{Number: foreignMounts[1].Device}}}, nil
	}
	if iqn != testIQN {
		return initiator.Mapping{}, nil
	}
	m := initiator.Mapping{Sessions: w.sessions, Recovering: w.lost}
	if w.attached {
		m.Devices = append(m.Devices, w.device())
	}
	return m, nil
}

type fakeFences struct{ *world }

func (w fakeFences) Pending(context.Context) (map[string]int64, error) {
	return w.pending, w.failure["pending"]
}

func (w fakeFences) Confirm(_ context.Context, volumeID string, epoch int64) error {
	if volumeID == volume && w.fenced && (w.attached || w.sessions > 0 || len(w.mounts) > 0) {
		w.t.Errorf("confirmed over sessions %d, attached %t, mounts %v", w.sessions, w.attached, w.mounts)
	}
	if err := w.step("confirm"); err != nil {
		return err
	}
	w.confirmed[volumeID] = epoch
	return nil
}

type fakeDisks struct{ *world }

func (w fakeDisks) Inspect(_ context.Context, device string) (filesystem.Content, error) {
	c := filesystem.Content{Device: device, Zero: w.content == ""}
	if w.content != "partial" {
		c.Type = w.content
	}
	return c, w.step("inspect")
}

func (w fakeDisks) Format(_ context.Context, _, fsType string, _ []string) error {
	if w.used {
		w.t.Error("mkfs over a filesystem that was mounted before")
	}
	w.formatted++
	w.content = "partial"
	if err := w.step("mkfs"); err != nil {
		return err
	}
	w.content = fsType
	return w.step("formatted")
}

func (w fakeDisks) Wipe(context.Context, string) error {
	if w.used {
		w.t.Error("wipe of a filesystem that was mounted before")
	}
	if err := w.step("wipe"); err != nil {
		return err
	}
	w.content = ""
	return w.step("wiped")
}

func (w fakeDisks) Protect(context.Context, string) error {
	w.protected = true
	return w.step("protect")
}

func (w fakeDisks) Check(_ context.Context, _, _ string, mode filesystem.Fsck) error {
	w.checked = append(w.checked, mode)
	return w.step("check")
}

type fakeMounts struct{ *world }

func (w fakeMounts) List(context.Context) ([]filesystem.Mount, error) {
	return slices.Concat(foreignMounts, w.mounts), nil
}

func (w fakeMounts) Mount(_ context.Context, r filesystem.MountRequest) error {
	if err := w.step("mount"); err != nil {
		return err
	}
	if w.content != r.FSType || w.offline || !w.attached {
		return fmt.Errorf("wrong fs type, bad superblock on %s", r.Device)
	}
	w.used = true
	w.mounts = append(w.mounts, filesystem.Mount{Path: r.Path, Device: w.number, Type: r.FSType, Root: "/", ReadOnly: r.ReadOnly, Options: r.Flags})
	return w.step("mounted")
}

func (w fakeMounts) BindDirectory(_ context.Context, source, target string, _ []string, readOnly bool) error {
	if err := w.step("bind"); err != nil {
		return err
	}
	m := w.mountsAt(source)[0]
	m.Path, m.ReadOnly = target, false
	w.mounts = append(w.mounts, m)
	if err := w.step("remount"); err != nil {
		return err
	}
	w.mounts[len(w.mounts)-1].ReadOnly = readOnly
	return w.step("bound")
}

func (w fakeMounts) BindDevice(_ context.Context, device, target string, readOnly bool) error {
	if err := w.step("bind"); err != nil {
		return err
	}
	w.mounts = append(w.mounts, filesystem.Mount{Path: target, Device: w.number, Type: "devtmpfs", Root: "/sdb", ReadOnly: readOnly})
	return w.step("bound")
}

func (w fakeMounts) Unmount(_ context.Context, path string, force bool) error {
	if err := w.step("umount"); err != nil {
		return err
	}
	if slices.ContainsFunc(foreignMounts, func(m filesystem.Mount) bool { return m.Path == path }) {
		w.t.Errorf("umount of %s", path)
	}
	if w.open[path] && !force {
		return fmt.Errorf("umount %s: %w", path, filesystem.ErrBusy)
	}
	if w.fenced && w.attached && !w.offline && len(w.mountsAt(path)) > 0 {
		w.t.Error("a umount wrote back what an older grant left in memory")
	}
	w.mounts = slices.DeleteFunc(w.mounts, func(m filesystem.Mount) bool { return m.Path == path })
	return w.step("umounted")
}

func (w fakeMounts) Remove(context.Context, string) error { return w.step("rmdir") }

func (w fakeMounts) Grow(context.Context, string, string, string) error {
	w.grown = w.size
	return w.step("grow")
}

func (w fakeMounts) Usage(context.Context, string) (filesystem.Usage, error) {
	return filesystem.Usage{TotalBytes: w.size, UsedBytes: 1, AvailableBytes: w.size - 1, TotalInodes: 9, UsedInodes: 2, AvailableInodes: 7}, nil
}
