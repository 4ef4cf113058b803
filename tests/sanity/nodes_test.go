package sanity

import (
	"slices"
	"strings"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
)

// TestPublishedNodes: a volume's nodes are listed by the ids that the caller named
// them by, keys and all, also after the driver was started anew and the node has
// another key. The array keeps no keys: until the first publish there is none.
func TestPublishedNodes(t *testing.T) {
	keyed, rekeyed := node+"#"+strings.Repeat("k", 43), node+"#"+strings.Repeat("K", 43)
	array := startArray(t)
	s := startOn(t, array)
	v, err := s.create(t.Context(), "pvc-1")
	check(t, err, codes.OK)
	id := v.GetVolumeId()
	s.publishedTo(t, id)
	s.publish(t, id, keyed)
	s.publishedTo(t, id, keyed)
	s.stop()

	s = startOn(t, array)
	s.publishedTo(t, id, node)
	s.publish(t, id, keyed)
	s.publishedTo(t, id, keyed)
	s.publish(t, id, rekeyed)
	s.publishedTo(t, id, rekeyed)
}

func (s *stack) publish(t *testing.T, id, node string) {
	t.Helper()
	_, err := csi.NewControllerClient(s.conn).ControllerPublishVolume(t.Context(), &csi.ControllerPublishVolumeRequest{
		VolumeId: id, NodeId: node, VolumeCapability: filesystemCapability()})
	check(t, err, codes.OK)
}

// publishedTo looks that the volume alone and the list of all tell these nodes.
func (s *stack) publishedTo(t *testing.T, id string, want ...string) {
	t.Helper()
	one, err := csi.NewControllerClient(s.conn).ControllerGetVolume(t.Context(), &csi.ControllerGetVolumeRequest{VolumeId: id})
	check(t, err, codes.OK)
	all, err := csi.NewControllerClient(s.conn).ListVolumes(t.Context(), &csi.ListVolumesRequest{})
	check(t, err, codes.OK)
	got := all.GetEntries()[0].GetStatus().GetPublishedNodeIds()
	if !slices.Equal(got, want) || !slices.Equal(one.GetStatus().GetPublishedNodeIds(), want) {
		t.Errorf("volume %s is listed with nodes %q, alone with %q; want %q", id, got, one.GetStatus().GetPublishedNodeIds(), want)
	}
}
