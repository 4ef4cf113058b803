package driver

import (
	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/san-csi/san-csi/pkg/provision"
)

// checkSource finds a content source that names nothing.
func checkSource(s *csi.VolumeContentSource) error {
	switch {
	case s == nil, source(s) != provision.Source{}:
		return nil
	case s.GetSnapshot() != nil:
		return status.Error(codes.InvalidArgument, "volume_content_source: snapshot_id: missing")
	case s.GetVolume() != nil:
		return status.Error(codes.InvalidArgument, "volume_content_source: volume_id: missing")
	}
	return status.Error(codes.InvalidArgument, "volume_content_source: must be a snapshot or a volume")
}

func source(s *csi.VolumeContentSource) provision.Source {
	return provision.Source{VolumeID: s.GetVolume().GetVolumeId(), SnapshotID: s.GetSnapshot().GetSnapshotId()}
}
