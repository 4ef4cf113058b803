package sanity

import (
	"path/filepath"
	"testing"

	"github.com/kubernetes-csi/csi-test/v5/pkg/sanity"

	"github.com/san-csi/san-csi/pkg/element"
)

// TestSanity is csi-sanity with its defaults; the same suite runs in a virtual
// machine against the real initiator.
func TestSanity(t *testing.T) {
	s := start(t)
	dir := t.TempDir()
	config := sanity.NewTestConfig()
	config.Address = s.endpoint
	config.TargetPath = filepath.Join(dir, "target")
	config.StagingPath = filepath.Join(dir, "staging")
	config.TestNodeVolumeAttachLimit = true
	config.TestVolumeParameters = map[string]string{"minIOPS": "50", "maxIOPS": "1000"}
	config.TestVolumeMutableParameters = map[string]string{"maxIOPS": "500"}
	sanity.Test(t, config)
	s.checkNothingLeft(t)
}

// checkNothingLeft looks at the array, past the driver, and at the node.
func (s *stack) checkNothingLeft(t *testing.T) {
	t.Helper()
	client, err := element.New(s.array)
	if err != nil {
		t.Fatal(err)
	}
	volumes, err := client.ListVolumes(t.Context(), element.ListVolumesRequest{})
	if err != nil || len(volumes) > 0 {
		t.Errorf("volumes left on the array: %v, %v", volumes, err)
	}
	groups, err := client.ListVolumeAccessGroups(t.Context(), element.ListVolumeAccessGroupsRequest{})
	if err != nil || len(groups) > 0 {
		t.Errorf("access groups left on the array: %v, %v", groups, err)
	}
	if left := s.initiator.attached(); len(left) > 0 {
		t.Errorf("sessions left on the node: %v", left)
	}
	if left := s.disks.mounted(); len(left) > 0 {
		t.Errorf("mounts left on the node: %v", left)
	}
}
