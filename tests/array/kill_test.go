//go:build guest

// Package array tests san-array as a target of the kernel's initiator, in a
// virtual machine with Debian's kernel and iscsid.
package array

import (
	"context"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/san-csi/san-csi/tests/guest"
)

var (
	seed     = flag.Uint64("seed", 0, "of the kills and of what is written; 0 = another one each time")
	duration = flag.Duration("duration", 2*time.Minute, "how long the array is killed again and again")
)

func TestMain(m *testing.M) {
	flag.Parse()
	guest.Isolate()
	os.Exit(m.Run())
}

// TestKills has file systems written, read and verified through the kernel's
// initiator while san-array is killed at random moments and started again. The
// sessions come back by themselves, by way of the cluster's portal; nothing
// that was written may be lost or changed.
func TestKills(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("repeat this with -seed %d", *seed)
	w := newWorld(t)
	for _, l := range w.luns {
		run(t, w.vm, l.login())
		run(t, w.vm, l.format())
	}
	w.checkSessions(t)
	var loads []load
	for i, l := range w.luns {
		loads = append(loads, l.loads(*seed+uint64(i), int(duration.Seconds()))...)
	}
	for _, l := range loads {
		if err := l.start(t.Context(), w.vm); err != nil {
			t.Fatal(err)
		}
	}
	kills := w.killForAWhile(t)
	for _, l := range loads {
		if err := l.wait(t.Context(), w.vm); err != nil {
			t.Fatal(err)
		}
		t.Log(strings.TrimSpace(run(t, w.vm, "tail -n 1 "+l.log()+" | cut -c 1-100")))
	}
	sum := "sync; sha256sum /mnt/*/exercised /mnt/*/fio"
	before := run(t, w.vm, sum)
	for _, l := range w.luns {
		run(t, w.vm, l.check())
	}
	if after := run(t, w.vm, sum); after != before {
		t.Errorf("the files were\n%s\nand are, mounted again,\n%s", before, after)
	}
	w.end(t)
	t.Logf("%d kills, no mismatch", kills)
}

// world is the array, a node, and what the one has for the other.
type world struct {
	array  *guest.ArrayProcess
	api    *api
	vm     *guest.VM
	luns   []lun
	binary string
	data   string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx := t.Context()
	dir, err := guest.RunDir()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{binary: "../../bin/san-array", data: filepath.Join(dir, "array")}
	if err := os.Mkdir(w.data, 0o700); err != nil {
		t.Fatal(err)
	}
	if w.array, err = guest.StartArray(ctx, guest.ArrayConfig{Binary: w.binary, DataDir: w.data}); err != nil {
		t.Fatal(err)
	}
	w.api = newAPI(t, w.array)
	disk, err := guest.Payload(ctx, programs(t))
	if err != nil {
		t.Fatal(err)
	}
	if w.vm, err = guest.Boot(ctx, guest.Config{Name: "node-a", Disks: []string{disk}}); err != nil {
		t.Fatal(err)
	}
	if err := w.vm.StartISCSI(ctx); err != nil {
		t.Fatal(err)
	}
	w.makeVolumes(t)
	return w
}

// programs is a directory with what the guest is to run.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", filepath.Join(dir, "exerciser"), "./exerciser")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

// makeVolumes makes one volume that the node gets as a member of an access
// group, and one by mutual CHAP, with digests.
func (w *world) makeVolumes(t *testing.T) {
	t.Helper()
	must := func(method string, params map[string]any, out any) {
		t.Helper()
		if err := w.api.call(t.Context(), method, params, out); err != nil {
			t.Fatal(err)
		}
	}
	const initiatorSecret, targetSecret = "initiator1234", "target1234567"
	var account struct{ AccountID int64 }
	must("AddAccount", map[string]any{"username": "tenant", "initiatorSecret": initiatorSecret, "targetSecret": targetSecret}, &account)
	for _, fstype := range []string{"ext4", "xfs"} {
		var made struct {
			Volume struct {
				VolumeID int64
				IQN      string
			}
		}
		must("CreateVolume", map[string]any{"name": fstype, "accountID": account.AccountID, "totalSize": 1 << 30, "enable512e": fstype == "ext4"}, &made)
		w.luns = append(w.luns, lun{
			id: made.Volume.VolumeID, iqn: made.Volume.IQN, fstype: fstype, dir: "/mnt/" + fstype, portal: w.array.Portal(),
		})
	}
	must("CreateVolumeAccessGroup", map[string]any{"name": "g", "initiators": []string{w.vm.IQN}, "volumes": []int64{w.luns[0].id}}, &struct{}{})
	w.luns[1].record = map[string]string{
		"node.session.auth.authmethod":    "CHAP",
		"node.session.auth.chap_algs":     "SHA3-256,SHA256,MD5",
		"node.session.auth.username":      "tenant",
		"node.session.auth.password":      initiatorSecret,
		"node.session.auth.username_in":   "tenant",
		"node.session.auth.password_in":   targetSecret,
		"node.conn[0].iscsi.HeaderDigest": "CRC32C",
		"node.conn[0].iscsi.DataDigest":   "CRC32C",
	}
}

// checkSessions wants one session for each volume, at the node's portal, and
// the second one's as its record says.
func (w *world) checkSessions(t *testing.T) {
	t.Helper()
	sessions, err := w.api.sessions(t.Context())
	if err != nil || len(sessions) != len(w.luns) {
		t.Fatalf("sessions %+v, %v", sessions, err)
	}
	for _, s := range sessions {
		if s.TargetIP != w.array.NodePortal() {
			t.Errorf("the session of volume %d is at %s, want %s", s.VolumeID, s.TargetIP, w.array.NodePortal())
		}
		if s.VolumeID == w.luns[1].id && (s.Authentication.ChapAlgorithm != "SHA3-256" || s.Authentication.Direction != "two-way") {
			t.Errorf("authentication %+v", s.Authentication)
		}
	}
	if got := strings.TrimSpace(run(t, w.vm, "cat /sys/class/iscsi_connection/*/header_digest | sort | tr '\\n' ' '")); got != "0 1" {
		t.Errorf("header digests %q, want those of the second session alone", got)
	}
}

// killForAWhile kills the array between half a second and eight seconds after
// its sessions have come back, as long as the loads run.
func (w *world) killForAWhile(t *testing.T) (kills int) {
	t.Helper()
	random := rand.New(rand.NewPCG(*seed, 1))
	ctx, cancel := context.WithTimeout(t.Context(), *duration)
	defer cancel()
	for {
		pause := time.NewTimer(500*time.Millisecond + time.Duration(random.Int64N(int64(7500*time.Millisecond))))
		select {
		case <-pause.C:
		case <-ctx.Done():
			return kills
		}
		if err := w.array.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		kills++
		w.awaitSessions(t)
	}
}

// awaitSessions returns when the initiator has found the array again.
func (w *world) awaitSessions(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		sessions, err := w.api.sessions(ctx)
		if err == nil && len(sessions) == len(w.luns) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the sessions do not come back: %+v, %v", sessions, err)
		}
	}
}

// end takes everything down in good order.
func (w *world) end(t *testing.T) {
	t.Helper()
	for _, l := range w.luns {
		run(t, w.vm, "umount "+l.dir+" && "+l.logout())
	}
	if sessions, err := w.api.sessions(t.Context()); err != nil || len(sessions) > 0 {
		t.Errorf("sessions after the logout: %+v, %v", sessions, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := w.vm.PowerOff(ctx); err != nil {
		t.Error(err)
	}
	if err := w.array.Stop(ctx); err != nil {
		t.Error(err)
	}
	if out, err := exec.CommandContext(ctx, w.binary, "check", w.data).CombinedOutput(); err != nil {
		t.Errorf("san-array check: %v: %s", err, out)
	}
}
