package driver

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/san-csi/san-csi/pkg/provision"
	"github.com/san-csi/san-csi/pkg/san"
)

// CreateVolume makes a LUN with the class's QoS, empty or of another's content (CSI spec, CreateVolume).
func (c *Controller) CreateVolume(ctx context.Context, req *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	if err := checkCreate(req); err != nil {
		return nil, err
	}
	var made *provision.Created
	err := c.busy.do("name/"+req.GetName(), func() (err error) {
		made, err = c.volumes.Create(ctx, provision.CreateRequest{
			Name:       req.GetName(),
			Size:       size(req.GetCapacityRange()),
			Parameters: req.GetParameters(),
			Mutable:    req.GetMutableParameters(),
			Topology:   topology(req.GetAccessibilityRequirements()),
			Source:     source(req.GetVolumeContentSource()),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	v := encodeVolume(made.Volume, made.Context)
	v.ContentSource = req.GetVolumeContentSource()
	for _, segments := range made.Topology {
		v.AccessibleTopology = append(v.AccessibleTopology, &csi.Topology{Segments: segments})
	}
	return &csi.CreateVolumeResponse{Volume: v}, nil
}

func checkCreate(req *csi.CreateVolumeRequest) error {
	if err := required(field{"name", req.GetName()}); err != nil {
		return err
	}
	if err := checkName(req.GetName()); err != nil {
		return err
	}
	if err := checkCapabilities(req.GetVolumeCapabilities()); err != nil {
		return err
	}
	if err := checkSource(req.GetVolumeContentSource()); err != nil {
		return err
	}
	if r := req.GetCapacityRange(); r != nil && r.GetRequiredBytes() == 0 && r.GetLimitBytes() == 0 {
		return status.Error(codes.InvalidArgument, "capacity_range: required_bytes 0 and limit_bytes 0: at least one must be positive")
	}
	return nil
}

// DeleteVolume removes the LUN (CSI spec, DeleteVolume).
func (c *Controller) DeleteVolume(ctx context.Context, req *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	if err := required(field{"volume_id", req.GetVolumeId()}); err != nil {
		return nil, err
	}
	err := c.busy.do(req.GetVolumeId(), func() error { return c.volumes.Delete(ctx, req.GetVolumeId()) })
	if err != nil {
		return nil, notGone(err)
	}
	return &csi.DeleteVolumeResponse{}, nil
}

// notGone keeps a volume that was not found from being taken for one that is
// gone: the flows report that only where the configuration lacks its array, on
// which it may well be.
func notGone(err error) error {
	if errors.Is(err, san.ErrNotFound) {
		return status.Error(codes.FailedPrecondition, err.Error())
	}
	return err
}

// ControllerExpandVolume grows the LUN; the node sees it later (CSI spec,
// ControllerExpandVolume).
func (c *Controller) ControllerExpandVolume(ctx context.Context, req *csi.ControllerExpandVolumeRequest) (*csi.ControllerExpandVolumeResponse, error) {
	if err := required(field{"volume_id", req.GetVolumeId()}); err != nil {
		return nil, err
	}
	if req.GetCapacityRange() == nil {
		return nil, status.Error(codes.InvalidArgument, "capacity_range: missing")
	}
	var v *san.Volume
	err := c.busy.do(req.GetVolumeId(), func() (err error) {
		v, err = c.volumes.Expand(ctx, req.GetVolumeId(), size(req.GetCapacityRange()))
		return err
	})
	if err != nil {
		return nil, err
	}
	// The node has to see the new size of a raw LUN too.
	return &csi.ControllerExpandVolumeResponse{CapacityBytes: v.SizeBytes, NodeExpansionRequired: true}, nil
}

// ControllerModifyVolume changes the QoS of a volume in use (CSI spec,
// ControllerModifyVolume).
func (c *Controller) ControllerModifyVolume(ctx context.Context, req *csi.ControllerModifyVolumeRequest) (*csi.ControllerModifyVolumeResponse, error) {
	if err := required(field{"volume_id", req.GetVolumeId()}); err != nil {
		return nil, err
	}
	err := c.busy.do(req.GetVolumeId(), func() error {
		return c.volumes.Modify(ctx, req.GetVolumeId(), req.GetMutableParameters())
	})
	if err != nil {
		return nil, err
	}
	return &csi.ControllerModifyVolumeResponse{}, nil
}

// ValidateVolumeCapabilities tells whether the volume has the capabilities (CSI
// spec, ValidateVolumeCapabilities).
func (c *Controller) ValidateVolumeCapabilities(ctx context.Context, req *csi.ValidateVolumeCapabilitiesRequest) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	if err := required(field{"volume_id", req.GetVolumeId()}); err != nil {
		return nil, err
	}
	if len(req.GetVolumeCapabilities()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "volume_capabilities: missing")
	}
	if _, err := c.volumes.Get(ctx, req.GetVolumeId()); err != nil {
		return nil, err
	}
	if err := checkCapabilities(req.GetVolumeCapabilities()); err != nil {
		return &csi.ValidateVolumeCapabilitiesResponse{Message: status.Convert(err).Message()}, nil
	}
	return &csi.ValidateVolumeCapabilitiesResponse{Confirmed: &csi.ValidateVolumeCapabilitiesResponse_Confirmed{
		VolumeContext:      req.GetVolumeContext(),
		VolumeCapabilities: slices.Clone(req.GetVolumeCapabilities()),
		Parameters:         maps.Clone(req.GetParameters()),
	}}, nil
}

func topology(r *csi.TopologyRequirement) provision.Topology {
	return provision.Topology{Requisite: segments(r.GetRequisite()), Preferred: segments(r.GetPreferred())}
}

func segments(topologies []*csi.Topology) []map[string]string {
	var all []map[string]string
	for _, t := range topologies {
		all = append(all, t.GetSegments())
	}
	return all
}

func size(r *csi.CapacityRange) provision.Size {
	return provision.Size{Required: r.GetRequiredBytes(), Limit: r.GetLimitBytes()}
}

func encodeVolume(v *san.Volume, context map[string]string) *csi.Volume {
	return &csi.Volume{VolumeId: v.Handle.String(), CapacityBytes: v.SizeBytes, VolumeContext: context}
}
