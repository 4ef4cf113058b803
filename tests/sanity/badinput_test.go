package sanity

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/san-csi/san-csi/pkg/element"
)

const (
	gib = 1 << 30
	// maxSize is the array's largest volume, 16 TiB.
	maxSize = 17_592_186_044_416
	node    = "iqn.2026-01.io.san-csi.test:node-a#0badcafe"
)

func filesystemCapability() *csi.VolumeCapability {
	return &csi.VolumeCapability{
		AccessMode: &csi.VolumeCapability_AccessMode{Mode: csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER},
		AccessType: &csi.VolumeCapability_Mount{Mount: &csi.VolumeCapability_MountVolume{}},
	}
}

func wanted(change func(*csi.CreateVolumeRequest)) *csi.CreateVolumeRequest {
	r := &csi.CreateVolumeRequest{
		Name: "pvc-1", CapacityRange: &csi.CapacityRange{RequiredBytes: gib},
		VolumeCapabilities: []*csi.VolumeCapability{filesystemCapability()},
		Parameters:         map[string]string{"minIOPS": "50", "maxIOPS": "100"},
	}
	change(r)
	return r
}

func param(key, value string) func(*csi.CreateVolumeRequest) {
	return func(r *csi.CreateVolumeRequest) { r.Parameters[key] = value }
}

func sized(required, limit int64) func(*csi.CreateVolumeRequest) {
	return func(r *csi.CreateVolumeRequest) {
		r.CapacityRange = &csi.CapacityRange{RequiredBytes: required, LimitBytes: limit}
	}
}

// TestBadCreate: each is refused with its code, the message names field, value
// and bound, and nothing is made.
func TestBadCreate(t *testing.T) {
	s := start(t)
	for name, tc := range map[string]struct {
		change func(*csi.CreateVolumeRequest)
		code   codes.Code
		says   []string
	}{
		"an unknown key":           {param("maxIOPs", "100"), codes.InvalidArgument, []string{"maxIOPs", "must be one of", "maxIOPS"}},
		"text for a number":        {param("maxIOPS", "abc"), codes.InvalidArgument, []string{"maxIOPS", `"abc"`, "whole number"}},
		"a negative number":        {param("maxIOPS", "-1"), codes.InvalidArgument, []string{"maxIOPS", `"-1"`, "from 1"}},
		"a floor over the ceiling": {param("minIOPS", "200"), codes.InvalidArgument, []string{"minIOPS", `"200"`, "maxIOPS", "100"}},
		"below the array's bound":  {param("minIOPS", "49"), codes.InvalidArgument, []string{"minIOPS", `"49"`, "50", "15000"}},
		"above the array's bound":  {param("maxIOPS", "200001"), codes.InvalidArgument, []string{"maxIOPS", `"200001"`, "200000"}},
		"both forms of a value":    {param("maxIOPSPerGiB", "10"), codes.InvalidArgument, []string{"maxIOPS", "maxIOPSPerGiB"}},
		"a policy beside numbers":  {param("qosPolicy", "gold"), codes.InvalidArgument, []string{"qosPolicy", `"gold"`}},
		"an unknown array":         {param("array", "z"), codes.InvalidArgument, []string{"array", `"z"`, "a"}},
		"a name of 300 characters": {func(r *csi.CreateVolumeRequest) { r.Name = strings.Repeat("n", 300) }, codes.InvalidArgument, []string{"name", "300", "128"}},
		"no name":                  {func(r *csi.CreateVolumeRequest) { r.Name = "" }, codes.InvalidArgument, []string{"name"}},
		"a size of 0":              {sized(0, 0), codes.InvalidArgument, []string{"capacity_range", "required_bytes 0"}},
		"a negative size":          {sized(-1, 0), codes.InvalidArgument, []string{"required_bytes", "-1"}},
		"more than its own limit":  {sized(2*gib, gib), codes.InvalidArgument, []string{"required_bytes", "limit_bytes"}},
		"1 byte over the limit":    {sized(maxSize+1, 0), codes.OutOfRange, []string{"17592186044417", "17592186044416"}},
		"a limit below the least":  {sized(0, 999_999_999), codes.OutOfRange, []string{"999999999", "1000000000"}},
		"an unknown filesystem": {func(r *csi.CreateVolumeRequest) {
			r.VolumeCapabilities[0].GetMount().FsType = "ntfs"
		}, codes.InvalidArgument, []string{"fs_type", `"ntfs"`, "ext4"}},
		"a filesystem for several nodes": {func(r *csi.CreateVolumeRequest) {
			r.VolumeCapabilities[0].AccessMode.Mode = csi.VolumeCapability_AccessMode_MULTI_NODE_MULTI_WRITER
		}, codes.InvalidArgument, []string{"access_mode", "MULTI_NODE_MULTI_WRITER"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := csi.NewControllerClient(s.conn).CreateVolume(t.Context(), wanted(tc.change))
			check(t, err, tc.code, tc.says...)
		})
	}
	s.checkNothingLeft(t)
}

// TestBadNames: volumes and nodes that do not exist, and a policy that the array
// does not have.
func TestBadNames(t *testing.T) {
	s := start(t)
	c := csi.NewControllerClient(s.conn)
	made, err := c.CreateVolume(t.Context(), wanted(func(*csi.CreateVolumeRequest) {}))
	if err != nil {
		t.Fatal(err)
	}
	id := made.GetVolume().GetVolumeId()
	array, _, _ := strings.Cut(id, ":")
	gone := array + ":4711:00000000"
	reused := id[:len(id)-8] + "00000000" // the number came back after a reset of the array
	publish := func(volume, node string) error {
		_, err := c.ControllerPublishVolume(t.Context(), &csi.ControllerPublishVolumeRequest{
			VolumeId: volume, NodeId: node, VolumeCapability: filesystemCapability(),
		})
		return err
	}
	modify := func(key, value string) error {
		_, err := c.ControllerModifyVolume(t.Context(), &csi.ControllerModifyVolumeRequest{VolumeId: id, MutableParameters: map[string]string{key: value}})
		return err
	}
	expand := func(size int64) error {
		_, err := c.ControllerExpandVolume(t.Context(), &csi.ControllerExpandVolumeRequest{VolumeId: id, CapacityRange: &csi.CapacityRange{RequiredBytes: size}})
		return err
	}
	for name, tc := range map[string]struct {
		err  error
		code codes.Code
		says []string
	}{
		"publish of an unknown volume":     {publish(gone, node), codes.NotFound, []string{"4711"}},
		"publish of no volume id at all":   {publish("vol-1", node), codes.NotFound, []string{"vol-1"}},
		"publish of another volume's id":   {publish(reused, node), codes.NotFound, []string{reused}},
		"publish to no node":               {publish(id, "worker-1"), codes.NotFound, []string{"worker-1"}},
		"publish to a name with no tag":    {publish(id, "iqn.2026-01.io.san-csi.test:node-a"), codes.NotFound, []string{"node-a"}},
		"a policy that is not there":       {modify("qosPolicy", "gold"), codes.InvalidArgument, []string{"gold"}},
		"a ceiling past the array's bound": {modify("maxIOPS", "200001"), codes.InvalidArgument, []string{"maxIOPS", "200001", "200000"}},
		"a ceiling under the floor":        {modify("minIOPS", "101"), codes.InvalidArgument, []string{"minIOPS", "101", "100"}},
		"growth past the array's bound":    {expand(maxSize + 1), codes.OutOfRange, []string{"17592186044417", "17592186044416"}},
	} {
		t.Run(name, func(t *testing.T) { check(t, tc.err, tc.code, tc.says...) })
	}
	v, err := c.ControllerGetVolume(t.Context(), &csi.ControllerGetVolumeRequest{VolumeId: id})
	if err != nil || v.GetVolume().GetCapacityBytes() != gib || len(v.GetStatus().GetPublishedNodeIds()) > 0 {
		t.Errorf("the volume was changed: %v, %v", v, err)
	}
}

// TestBadArray: an array that cannot be worked with is Unavailable, with a
// message that says why and shows no secret.
func TestBadArray(t *testing.T) {
	good := startArray(t)
	foreignCA := filepath.Join(t.TempDir(), "ca.pem")
	other, err := os.ReadFile(startArray(t).CAFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(foreignCA, other, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change func(*element.Config)
		says   []string
	}{
		"nobody listens":           {func(c *element.Config) { c.Endpoint = "https://127.0.0.1:1/json-rpc/12.5"; c.Attempts = 1 }, []string{"127.0.0.1:1"}},
		"a wrong password":         {func(c *element.Config) { c.Password = "wrong-horse" }, []string{"401", "admin"}},
		"an untrusted certificate": {func(c *element.Config) { c.CAFile = foreignCA }, []string{"certificate", "caFile"}},
		"a version of tomorrow":    {func(c *element.Config) { c.Endpoint = strings.Replace(c.Endpoint, "12.5", "99.0", 1) }, []string{"99.0"}},
	} {
		t.Run(name, func(t *testing.T) {
			config := good
			tc.change(&config)
			s := startOn(t, config)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := csi.NewControllerClient(s.conn).CreateVolume(ctx, wanted(func(*csi.CreateVolumeRequest) {}))
			check(t, err, codes.Unavailable, tc.says...)
		})
	}
	(&stack{array: good, initiator: newFakeInitiator(), disks: newFakeFilesystem()}).checkNothingLeft(t)
}

func check(t *testing.T, err error, code codes.Code, says ...string) {
	t.Helper()
	if status.Code(err) != code {
		t.Fatalf("got %v, want %v", err, code)
	}
	if err == nil {
		return
	}
	for _, part := range says {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("got %q, want it to say %q", err, part)
		}
	}
	for _, secret := range []string{password, "wrong-horse"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the message shows a secret: %v", err)
		}
	}
}
