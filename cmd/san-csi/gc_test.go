package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/san-csi/san-csi/pkg/driver"
	"github.com/san-csi/san-csi/pkg/provision"
	"github.com/san-csi/san-csi/pkg/softarray"
)

// house is a software array whose clock the test moves, and the driver of a
// cluster on it.
type house struct {
	clock  *clocktesting.FakeClock
	file   string // the arrays' file
	socket string
	client csi.ControllerClient
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{clock: clocktesting.NewFakeClock(time.Now().Add(-9 * time.Hour)), socket: filepath.Join(t.TempDir(), "csi.sock")}
	array, err := softarray.Open(softarray.Config{DataDir: t.TempDir(), Username: "admin", Password: "secret-1", Clock: h.clock})
	if err != nil {
		t.Fatal(err)
	}
	control, data := listenOn(t), listenOn(t)
	background(t, func(ctx context.Context) error { return array.Run(ctx, control, data) })
	t.Cleanup(func() { _ = array.Close() })
	h.file = filepath.Join(t.TempDir(), "arrays.yaml")
	text := fmt.Sprintf("arrays: [{name: a, driver: element, endpoint: 'https://%s/json-rpc/12.5', username: admin, password: secret-1, caFile: %s, account: k8s}]",
		control.Addr(), array.CAFile())
	if err := os.WriteFile(h.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h.client, _ = h.serve(t, "east", h.socket, func(*options) {})
	return h
}

// serve is the driver of that cluster, with those changes of its options, until the
// test ends or stop is called.
func (h *house) serve(t *testing.T, cluster, socket string, change func(*options)) (client csi.ControllerClient, stop func()) {
	t.Helper()
	o := &options{mode: modeController, endpoint: "unix://" + socket, arrays: h.file, cluster: cluster, sweepInterval: time.Hour, resync: time.Hour}
	change(o)
	s, err := prepare(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	stop = background(t, s.run)
	return csi.NewControllerClient(dial(t, socket)), stop
}

func dial(t *testing.T, socket string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// background runs until the test ends or stop is called.
func background(t *testing.T, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func listenOn(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

var block = &csi.VolumeCapability{
	AccessType: &csi.VolumeCapability_Block{Block: &csi.VolumeCapability_BlockVolume{}},
	AccessMode: &csi.VolumeCapability_AccessMode{Mode: csi.VolumeCapability_AccessMode_SINGLE_NODE_SINGLE_WRITER},
}

func (h *house) create(t *testing.T, c csi.ControllerClient, name string) string {
	t.Helper()
	made, err := c.CreateVolume(t.Context(), &csi.CreateVolumeRequest{
		Name: name, CapacityRange: &csi.CapacityRange{RequiredBytes: 1 << 30}, VolumeCapabilities: []*csi.VolumeCapability{block},
		Parameters: map[string]string{"minIOPS": "200", "maxIOPS": "1000"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return made.GetVolume().GetVolumeId()
}

func (h *house) snapshot(t *testing.T, volume, name string) string {
	t.Helper()
	made, err := h.client.CreateSnapshot(t.Context(), &csi.CreateSnapshotRequest{Name: name, SourceVolumeId: volume})
	if err != nil {
		t.Fatal(err)
	}
	return made.GetSnapshot().GetSnapshotId()
}

func (h *house) group(t *testing.T, name string, volumes ...string) string {
	t.Helper()
	made, err := csi.NewGroupControllerClient(dial(t, h.socket)).CreateVolumeGroupSnapshot(t.Context(), &csi.CreateVolumeGroupSnapshotRequest{Name: name, SourceVolumeIds: volumes})
	if err != nil {
		t.Fatal(err)
	}
	return made.GetGroupSnapshot().GetGroupSnapshotId()
}

// there tells which of the volumes are there.
func there(t *testing.T, c csi.ControllerClient, volumes map[string]string) []string {
	t.Helper()
	var found []string
	for name, id := range volumes {
		_, err := c.ControllerGetVolume(t.Context(), &csi.ControllerGetVolumeRequest{VolumeId: id})
		switch status.Code(err) {
		case codes.OK:
			found = append(found, name)
		case codes.NotFound:
		default:
			t.Fatal(err)
		}
	}
	slices.Sort(found)
	return found
}

// collectorOf is gc with those flags in a cluster whose objects name that.
func (h *house) collectorOf(t *testing.T, out io.Writer, named provision.Named, flags ...string) *collector {
	t.Helper()
	o, err := parseGC(append([]string{"--arrays=" + h.file, "--cluster=east", "--endpoint=unix://" + h.socket, "--older-than=2h"}, flags...), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var pvs, contents []runtime.Object
	for i, id := range named.Volumes {
		pvs = append(pvs, &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("pv-", i)}, Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: driver.Name, VolumeHandle: id}}}})
	}
	content := func(i int, apiVersion, kind, field, id string) {
		contents = append(contents, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"name": fmt.Sprint("content-", i)},
			"spec": map[string]any{"driver": driver.Name}, "status": map[string]any{field: id},
		}})
	}
	for i, id := range named.Snapshots {
		content(i, "snapshot.storage.k8s.io/v1", "VolumeSnapshotContent", "snapshotHandle", id)
	}
	for i, id := range named.Groups {
		content(i, "groupsnapshot.storage.k8s.io/v1", "VolumeGroupSnapshotContent", "volumeGroupSnapshotHandle", id)
	}
	kinds := map[schema.GroupVersionResource]string{
		{Group: "snapshot.storage.k8s.io", Version: "v1", Resource: "volumesnapshotcontents"}:           "VolumeSnapshotContentList",
		{Group: "groupsnapshot.storage.k8s.io", Version: "v1", Resource: "volumegroupsnapshotcontents"}: "VolumeGroupSnapshotContentList",
	}
	return &collector{
		o: o, client: fake.NewClientset(pvs...), out: out,
		objects: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds, contents...),
	}
}

// TestGC: what is old, of this cluster, granted to nobody and named by nobody is
// listed by a dry run and deleted once that is confirmed; all else stays.
func TestGC(t *testing.T) {
	h := newHouse(t)
	west, _ := h.serve(t, "west", filepath.Join(t.TempDir(), "west.sock"), func(*options) {})
	volumes := map[string]string{}
	for _, name := range []string{"bound", "orphan", "granted", "with-snapshot"} {
		volumes[name] = h.create(t, h.client, name)
	}
	foreign := h.create(t, west, "of-west")
	known, lost := h.snapshot(t, volumes["with-snapshot"], "known"), h.snapshot(t, volumes["bound"], "lost")
	_, err := h.client.ControllerPublishVolume(t.Context(), &csi.ControllerPublishVolumeRequest{
		VolumeId: volumes["granted"], NodeId: "iqn.2026-01.io.x:n#0a1b2c3d", VolumeCapability: block})
	if err != nil {
		t.Fatal(err)
	}
	kept, left := h.group(t, "kept", volumes["bound"], volumes["with-snapshot"]), h.group(t, "left", volumes["bound"], volumes["orphan"])
	named := provision.Named{Volumes: []string{volumes["bound"]}, Snapshots: []string{known}, Groups: []string{kept}}
	h.clock.Step(8 * time.Hour)
	volumes["young"] = h.create(t, h.client, "young")
	all := there(t, h.client, volumes)

	var told strings.Builder
	if err := h.collectorOf(t, &told, named, "--dry-run").run(t.Context()); err != nil {
		t.Fatal(err)
	}
	text := told.String()
	for _, line := range []string{
		"cluster east: 2 volumes (2Gi, floors of 400 IOPS), 1 snapshots and 1 groups of snapshots may go",
		"granted to iqn.2026-01.io.x:n#0a1b2c3d", "younger than 2h0m0s", volumes["orphan"], lost, "group     " + left, "9h", "1Gi", "200",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("a dry run does not tell %q:\n%s", line, text)
		}
	}
	for _, id := range []string{volumes["bound"], foreign, known} {
		if strings.Contains(text, id+" ") {
			t.Errorf("a dry run lists %s:\n%s", id, text)
		}
	}
	if now := there(t, h.client, volumes); !slices.Equal(now, all) {
		t.Fatalf("after a dry run there are %v", now)
	}

	err = h.collectorOf(t, io.Discard, provision.Named{}, "--confirm=west").run(t.Context())
	if err == nil || !strings.Contains(err.Error(), `"east"`) {
		t.Errorf("confirmed for another cluster: %v", err)
	}
	err = h.collectorOf(t, &told, named, "--confirm=east").run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "FailedPrecondition") || !strings.Contains(err.Error(), volumes["with-snapshot"]) {
		t.Errorf("a volume whose snapshot somebody has: %v", err)
	}
	if now := there(t, h.client, volumes); !slices.Equal(now, []string{"bound", "granted", "with-snapshot", "young"}) {
		t.Errorf("there are %v", now)
	}
	if got := there(t, west, map[string]string{"of-west": foreign}); len(got) != 1 {
		t.Error("a volume of another cluster is gone")
	}
	var snapshots []string
	list, err := h.client.ListSnapshots(t.Context(), &csi.ListSnapshotsRequest{})
	for _, e := range list.GetEntries() {
		snapshots = append(snapshots, cmp.Or(e.GetSnapshot().GetGroupSnapshotId(), e.GetSnapshot().GetSnapshotId()))
	}
	slices.Sort(snapshots)
	if want := slices.Sorted(slices.Values([]string{known, kept, kept})); err != nil || !slices.Equal(snapshots, want) {
		t.Errorf("snapshots %v, %v; want %v", snapshots, err, want)
	}
}

func TestGCRefuses(t *testing.T) {
	for name, flags := range map[string][]string{
		"neither to list nor to delete": nil,
		"both":                          {"--dry-run", "--confirm=east"},
		"what may be being made":        {"--dry-run", "--older-than=59m"},
		"no socket":                     {"--dry-run", "--endpoint=tcp://127.0.0.1:1"},
		"arguments":                     {"--dry-run", "pvc-1"},
		"an unknown flag":               {"--force"},
	} {
		if _, err := parseGC(flags, io.Discard); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
