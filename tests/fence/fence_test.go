//go:build guest

// Package fence shows what the fence is for, with the kernel's own initiator: a
// node that is cut off with writes in flight never writes over its successor.
package fence

import (
	"context"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/san-csi/san-csi/pkg/san"
	"github.com/san-csi/san-csi/tests/guest"
	"github.com/san-csi/san-csi/tests/lab"
)

const (
	gib = 1 << 30
	// mib is how much of the volume both nodes write, so that nothing of the one is
	// left where the other wrote.
	mib      = 16
	patience = 2 * time.Minute
)

func TestMain(m *testing.M) {
	guest.Isolate()
	os.Exit(m.Run())
}

// world is an array, a node that will be cut off, and one that has the
// controller too.
type world struct {
	lab  *lab.Lab
	a, b *machine
}

type machine struct {
	*lab.Node
	id string
}

func open(t *testing.T) *world {
	t.Helper()
	l, err := lab.Open(t.Context(), "../../bin")
	if err != nil {
		t.Fatal(err)
	}
	serveLeases(t)
	w := &world{lab: l}
	w.a = w.boot(t, "node-a", "--mode=node")
	w.b = w.boot(t, "node-b", "--mode=all", "--cluster=test")
	t.Cleanup(func() {
		for _, m := range []*machine{w.a, w.b} {
			if log, err := m.VM.Get(context.Background(), lab.Log); t.Failed() {
				t.Logf("%s, %v:\n%s", m.VM.Name, err, log)
			}
		}
	})
	return w
}

func (w *world) boot(t *testing.T, name, mode string, args ...string) *machine {
	t.Helper()
	n, err := w.lab.Boot(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.VM.Put(t.Context(), "/etc/kubeconfig", kubeconfig(), 0o600); err != nil {
		t.Fatal(err)
	}
	args = append(args, mode, "--node-name="+name, "--kubeconfig=/etc/kubeconfig", "--lease-namespace="+namespace)
	if err := n.StartDriver(t.Context(), args...); err != nil {
		t.Fatal(err)
	}
	info, err := csi.NewNodeClient(n.Conn).NodeGetInfo(t.Context(), &csi.NodeGetInfoRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return &machine{Node: n, id: info.GetNodeId()}
}

// name is the node as errors name it: without its key.
func (m *machine) name(t *testing.T) string {
	t.Helper()
	n, err := san.ParseNode(m.id)
	if err != nil {
		t.Fatal(err)
	}
	return n.Identity().String()
}

func (m *machine) sh(t *testing.T, script string) string {
	t.Helper()
	out, err := m.VM.Run(t.Context(), script)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// announced waits until the node has its Lease: before, it stages nothing, and
// the kubelet would come again.
func (m *machine) announced(ctx context.Context) error {
	_, err := m.VM.Run(ctx, fmt.Sprintf(`until grep -q 'node has its Lease' %s; do usleep 50000; done`, lab.Log))
	return err
}

// TestFence runs both kinds of volumes.
func TestFence(t *testing.T) {
	w := open(t)
	for _, kind := range []string{"block", "ext4"} {
		t.Run(kind, func(t *testing.T) { w.fence(t, kind) })
	}
	if left, err := w.lab.Leftovers(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("left on the array: %q, %v", left, err)
	}
}

func (w *world) fence(t *testing.T, kind string) {
	v := w.volume(t, kind)
	v.must(t, v.attach(w.a), w.a.announced, v.stage(w.a))
	w.a.sh(t, v.fill("A")+"; sync")
	// It keeps the file open, as a pod does, whatever becomes of the mount.
	writer, err := w.a.VM.Start(t.Context(), fmt.Sprintf("exec 3<> %s; until [ -e /tmp/stop ]; do %s; done", v.file, v.fillAt("A", "/proc/$$/fd/3")), "/tmp/writer.log")
	if err != nil {
		t.Fatal(err)
	}
	// Writes are on their way, and pages are dirty that will be.
	w.a.sh(t, `until awk '/^Dirty:/ {exit !($2 > 1024)}' /proc/meminfo; do usleep 20000; done`)
	v.must(t, w.a.VM.Disconnect, v.detach(w.a))
	revoked := v.fingerprint(t)
	t.Logf("revoked; still dirty on the node that is cut off: %s", w.a.sh(t, `grep -E '^(Dirty|Writeback):' /proc/meminfo | tr -s ' \n' ' '`))

	v.must(t, v.attach(w.b))
	t.Log("attached elsewhere")
	if now := v.fingerprint(t); now != revoked {
		t.Error("a write landed after the revoke returned")
	}
	v.must(t, w.b.announced, v.stage(w.b))
	sum := w.b.sh(t, v.fill("B")+"; sync; "+v.sum())
	v.must(t, v.unstage(w.b)) // what a filesystem writes by itself is written by then
	written := v.fingerprint(t)

	t.Log("written elsewhere; the node comes back")
	v.refused(t, v.attach(w.a), codes.Unavailable, w.a.name(t), v.id, "epoch", "confirm")
	v.must(t, w.a.VM.Connect)
	v.untilConfirmed(t, w)
	t.Log("confirmed")
	w.a.sh(t, fmt.Sprintf("touch /tmp/stop; while kill -0 %d 2>/dev/null; do usleep 20000; done; rm /tmp/stop", writer))
	if left, err := w.a.Leftovers(t.Context()); err != nil || strings.Contains(strings.Join(left, " "), "session") || strings.Contains(strings.Join(left, " "), "device") {
		t.Errorf("confirmed, and there is %q, %v", left, err)
	}
	if now := v.fingerprint(t); now != written {
		t.Error("a write of the node that was cut off landed after it came back")
	}
	v.must(t, v.stage(w.b))
	if now := w.b.sh(t, v.sum()); now != sum {
		t.Errorf("the successor reads %s, it wrote %s", now, sum)
	}
	v.must(t, v.unstage(w.b), v.detach(w.b), v.unstage(w.a))

	v.must(t, v.attach(w.a), v.stage(w.a))
	if now := w.a.sh(t, v.sum()); now != sum {
		t.Errorf("granted again, the node reads %s; its successor wrote %s", now, sum)
	}
	v.must(t, v.unstage(w.a), v.detach(w.a))
}

// volume is one volume on its way through the driver's calls.
type volume struct {
	w          *world
	id         string
	context    map[string]string
	grant      map[string]string
	capability *csi.VolumeCapability
	staging    string
	file       string // what is written
}

func (w *world) volume(t *testing.T, kind string) *volume {
	t.Helper()
	v := &volume{w: w, staging: "/var/lib/kubelet/plugins/kubernetes.io/csi/san-csi.io/" + kind + "/globalmount", capability: &csi.VolumeCapability{
		AccessMode: &csi.VolumeCapability_AccessMode{Mode: csi.VolumeCapability_AccessMode_SINGLE_NODE_MULTI_WRITER},
	}}
	if kind == "block" {
		v.capability.AccessType = &csi.VolumeCapability_Block{Block: &csi.VolumeCapability_BlockVolume{}}
		v.file = path.Join(v.staging, "device")
	} else {
		v.capability.AccessType = &csi.VolumeCapability_Mount{Mount: &csi.VolumeCapability_MountVolume{FsType: kind}}
		v.file = path.Join(v.staging, "data")
	}
	made, err := v.controller().CreateVolume(t.Context(), &csi.CreateVolumeRequest{
		Name: "pvc-" + kind, CapacityRange: &csi.CapacityRange{RequiredBytes: gib},
		VolumeCapabilities: []*csi.VolumeCapability{v.capability}, Parameters: map[string]string{"minIOPS": "50", "maxIOPS": "50000"},
	})
	if err != nil {
		t.Fatal(err)
	}
	v.id, v.context = made.GetVolume().GetVolumeId(), made.GetVolume().GetVolumeContext()
	t.Cleanup(func() { v.undo(t) })
	return v
}

func (v *volume) undo(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	if err := v.w.a.VM.Connect(ctx); err != nil {
		t.Error(err)
	}
	for _, step := range []func(context.Context) error{
		v.unstage(v.w.a), v.unstage(v.w.b), v.detach(v.w.a), v.detach(v.w.b),
		func(ctx context.Context) error {
			_, err := v.controller().DeleteVolume(ctx, &csi.DeleteVolumeRequest{VolumeId: v.id})
			return err
		},
	} {
		if err := step(ctx); err != nil {
			t.Errorf("undo: %v", err)
		}
	}
}

// fill writes the letter over the file, by way of the page cache.
func (v *volume) fill(letter string) string { return v.fillAt(letter, v.file) }

func (v *volume) fillAt(letter, file string) string {
	return fmt.Sprintf(`head -c %d /dev/zero | tr '\0' %s | dd of=%s bs=64k conv=notrunc 2>/dev/null`, mib<<20, letter, file)
}

// sum is a checksum of what was written, read past the page cache.
func (v *volume) sum() string {
	return fmt.Sprintf("echo 3 > /proc/sys/vm/drop_caches; head -c %d %s | sha256sum", mib<<20, v.file)
}

func (v *volume) fingerprint(t *testing.T) string {
	t.Helper()
	number, err := strconv.ParseInt(strings.Split(v.id, ":")[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := v.w.lab.Fingerprint(number)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func (v *volume) controller() csi.ControllerClient { return csi.NewControllerClient(v.w.b.Conn) }

func (v *volume) attach(m *machine) func(context.Context) error {
	return func(ctx context.Context) error {
		resp, err := v.controller().ControllerPublishVolume(ctx, &csi.ControllerPublishVolumeRequest{
			VolumeId: v.id, NodeId: m.id, VolumeCapability: v.capability, VolumeContext: v.context,
		})
		if err == nil {
			v.grant = resp.GetPublishContext()
		}
		return err
	}
}

func (v *volume) detach(m *machine) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := v.controller().ControllerUnpublishVolume(ctx, &csi.ControllerUnpublishVolumeRequest{VolumeId: v.id, NodeId: m.id})
		return err
	}
}

func (v *volume) stage(m *machine) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := csi.NewNodeClient(m.Conn).NodeStageVolume(ctx, &csi.NodeStageVolumeRequest{
			VolumeId: v.id, PublishContext: v.grant, StagingTargetPath: v.staging, VolumeCapability: v.capability, VolumeContext: v.context,
		})
		return err
	}
}

func (v *volume) unstage(m *machine) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := csi.NewNodeClient(m.Conn).NodeUnstageVolume(ctx, &csi.NodeUnstageVolumeRequest{VolumeId: v.id, StagingTargetPath: v.staging})
		return err
	}
}

// must runs steps that have to succeed.
func (v *volume) must(t *testing.T, steps ...func(context.Context) error) {
	t.Helper()
	for i, step := range steps {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := step(ctx)
		cancel()
		if err != nil {
			t.Fatalf("step %d: %v", i+1, err)
		}
	}
}

func (v *volume) refused(t *testing.T, step func(context.Context) error, code codes.Code, words ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := step(ctx)
	if status.Code(err) != code {
		t.Fatalf("%v; want %s", err, code)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%v; want it to say %q", err, word)
		}
	}
}

// untilConfirmed repeats the attach, as the attacher does, until the node is
// kept out by its successor alone.
func (v *volume) untilConfirmed(t *testing.T, w *world) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for again := time.NewTicker(500 * time.Millisecond); ; {
		err := v.attach(w.a)(ctx)
		if status.Code(err) == codes.FailedPrecondition && strings.Contains(err.Error(), w.b.name(t)) {
			return
		}
		if status.Code(err) != codes.Unavailable {
			t.Fatalf("attach to the node that came back: %v", err)
		}
		select {
		case <-ctx.Done():
			t.Fatalf("it does not confirm: %v", err)
		case <-again.C:
		}
	}
}
