package stage

import (
	"context"
	"fmt"

	"github.com/san-csi/san-csi/pkg/initiator"
)

// Expand makes the node see the volume's new size, grows the filesystem to it,
// and gives the device's size in bytes. ErrNotFound where the volume is not at that
// path, ErrUnavailable where the array gives less.
func (s *Stager) Expand(ctx context.Context, req ExpandRequest) (int64, error) {
	if err := needed("volume id", req.VolumeID, "volume path", req.VolumePath); err != nil {
		return 0, err
	}
	if req.RequiredBytes < 0 {
		return 0, fmt.Errorf("expand %s: required size %d bytes: below 0: %w", req.VolumeID, req.RequiredBytes, ErrInvalid)
	}
	var size int64
	err := s.alone(req.VolumeID, func() (err error) {
		size, err = s.expand(ctx, req)
		return failed("expand", req.VolumeID, err)
	})
	return size, err
}

func (s *Stager) expand(ctx context.Context, req ExpandRequest) (int64, error) {
	r, d, err := s.at(ctx, req.VolumeID, req.VolumePath)
	if err != nil {
		return 0, err
	}
	// A request without a capability does not say what the volume is.
	if req.Block && !r.Block {
		return 0, fmt.Errorf("staged with a filesystem, asked for as a block volume: %w", ErrInvalid)
	}
	wanted := r.target()
	wanted.SizeBytes = max(wanted.SizeBytes, req.RequiredBytes)
	if d, err = s.iscsi.Resize(ctx, wanted); err != nil {
		return 0, err
	}
	if d.SizeBytes > r.Target.SizeBytes {
		r.Target.SizeBytes = d.SizeBytes
		if err := s.records.save(r); err != nil {
			return 0, err
		}
	}
	if r.Block || r.readOnly() {
		return d.SizeBytes, nil
	}
	return d.SizeBytes, s.mounts.Grow(ctx, r.FSType, d.Path, r.StagingPath)
}

// Stats tells how full the volume at that path is; ErrNotFound where it is not there.
func (s *Stager) Stats(ctx context.Context, volumeID, volumePath string) (Stats, error) {
	if err := needed("volume id", volumeID, "volume path", volumePath); err != nil {
		return Stats{}, err
	}
	r, d, err := s.at(ctx, volumeID, volumePath)
	if err != nil {
		return Stats{}, failed("stats of", volumeID, err)
	}
	if r.Block {
		return Stats{Block: true, TotalBytes: d.SizeBytes}, nil
	}
	u, err := s.mounts.Usage(ctx, volumePath)
	if err != nil {
		return Stats{}, failed("stats of", volumeID, err)
	}
	return Stats{
		TotalBytes: u.TotalBytes, AvailableBytes: u.AvailableBytes, UsedBytes: u.UsedBytes,
		TotalInodes: u.TotalInodes, AvailableInodes: u.AvailableInodes, UsedInodes: u.UsedInodes,
	}, nil
}

// at gives the record and the device of the volume that is staged or published
// at path.
func (s *Stager) at(ctx context.Context, volumeID, path string) (*record, initiator.Device, error) {
	r, d, err := s.staged(ctx, volumeID)
	if err != nil {
		return nil, d, err
	}
	if r.Block && samePath(r.StagingPath, path) {
		return r, d, nil
	}
	m, err := s.mountAt(ctx, path)
	if err != nil {
		return nil, d, err
	}
	if m == nil || !shows(m, r, d) {
		return nil, d, fmt.Errorf("not at %s: %w", path, ErrNotFound)
	}
	return r, d, nil
}
