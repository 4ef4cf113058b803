package driver

import (
	"fmt"
	"slices"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type mode = csi.VolumeCapability_AccessMode_Mode

const defaultFilesystem = "ext4"

// filesystems are those that the format gate knows.
var filesystems = []string{"ext4", "xfs", "btrfs"}

// checkCapabilities finds capabilities that no volume of ours can have.
func checkCapabilities(caps []*csi.VolumeCapability) error {
	if len(caps) == 0 {
		return status.Error(codes.InvalidArgument, "volume_capabilities: missing")
	}
	for i, c := range caps {
		if why := unsupported(c); why != "" {
			return status.Errorf(codes.InvalidArgument, "volume_capabilities[%d]: %s", i, why)
		}
	}
	return nil
}

func checkCapability(c *csi.VolumeCapability) error {
	if c == nil {
		return status.Error(codes.InvalidArgument, "volume_capability: missing")
	}
	if why := unsupported(c); why != "" {
		return status.Errorf(codes.InvalidArgument, "volume_capability: %s", why)
	}
	return nil
}

// unsupported says what of a capability we do not have, "" = nothing. A
// filesystem that is written to belongs to one node; a raw LUN may be shared by
// those who know how.
func unsupported(c *csi.VolumeCapability) string {
	m := c.GetAccessMode().GetMode()
	switch {
	case c.GetBlock() == nil && c.GetMount() == nil:
		return "access_type: must be block or mount"
	case m == csi.VolumeCapability_AccessMode_UNKNOWN:
		return "access_mode: missing"
	case c.GetBlock() != nil:
		return ""
	case shared(m) && !readOnly(m):
		return fmt.Sprintf("access_mode %s: a filesystem that is written to is for a single node, only block volumes are shared", m)
	}
	if fs := filesystem(c); !slices.Contains(filesystems, fs) {
		return fmt.Sprintf("fs_type %q: must be one of %q", fs, filesystems)
	}
	return ""
}

func filesystem(c *csi.VolumeCapability) string {
	if fs := c.GetMount().GetFsType(); fs != "" {
		return fs
	}
	return defaultFilesystem
}

// shared tells whether the mode lets several nodes have the volume.
func shared(m mode) bool {
	return m == csi.VolumeCapability_AccessMode_MULTI_NODE_READER_ONLY ||
		m == csi.VolumeCapability_AccessMode_MULTI_NODE_SINGLE_WRITER ||
		m == csi.VolumeCapability_AccessMode_MULTI_NODE_MULTI_WRITER
}

// readOnly tells whether the mode itself forbids writing.
func readOnly(m mode) bool {
	return m == csi.VolumeCapability_AccessMode_SINGLE_NODE_READER_ONLY ||
		m == csi.VolumeCapability_AccessMode_MULTI_NODE_READER_ONLY
}
