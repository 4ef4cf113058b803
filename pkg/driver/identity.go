package driver

import (
	"context"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

type identity struct {
	csi.UnimplementedIdentityServer
	version    string
	controller bool
	groups     bool
	topology   bool
	duty       *duty
}

// GetPluginInfo names the driver (CSI spec, GetPluginInfo).
func (i *identity) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: Name, VendorVersion: i.version}, nil
}

// GetPluginCapabilities tells whether there is a controller behind this socket,
// and whether some volumes are not reached from every node.
func (i *identity) GetPluginCapabilities(context.Context, *csi.GetPluginCapabilitiesRequest) (*csi.GetPluginCapabilitiesResponse, error) {
	caps := []*csi.PluginCapability{{Type: &csi.PluginCapability_VolumeExpansion_{
		VolumeExpansion: &csi.PluginCapability_VolumeExpansion{Type: csi.PluginCapability_VolumeExpansion_ONLINE},
	}}}
	for _, service := range []struct {
		served bool
		name   csi.PluginCapability_Service_Type
	}{
		{i.controller, csi.PluginCapability_Service_CONTROLLER_SERVICE},
		{i.groups, csi.PluginCapability_Service_GROUP_CONTROLLER_SERVICE},
		{i.topology, csi.PluginCapability_Service_VOLUME_ACCESSIBILITY_CONSTRAINTS},
	} {
		if service.served {
			caps = append(caps, &csi.PluginCapability{Type: &csi.PluginCapability_Service_{
				Service: &csi.PluginCapability_Service{Type: service.name},
			}})
		}
	}
	return &csi.GetPluginCapabilitiesResponse{Capabilities: caps}, nil
}

// Probe tells whether this driver serves or stands by: what it needs was
// checked before the socket opened.
func (i *identity) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return &csi.ProbeResponse{Ready: wrapperspb.Bool(i.duty.active.Load())}, nil
}
