package driver

import (
	"strings"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
)

func mount(m mode, fs string) *csi.VolumeCapability {
	return &csi.VolumeCapability{
		AccessMode: &csi.VolumeCapability_AccessMode{Mode: m},
		AccessType: &csi.VolumeCapability_Mount{Mount: &csi.VolumeCapability_MountVolume{FsType: fs}},
	}
}

func block(m mode) *csi.VolumeCapability {
	return &csi.VolumeCapability{
		AccessMode: &csi.VolumeCapability_AccessMode{Mode: m},
		AccessType: &csi.VolumeCapability_Block{Block: &csi.VolumeCapability_BlockVolume{}},
	}
}

func TestCapabilities(t *testing.T) {
	for name, tc := range map[string]struct {
		capability *csi.VolumeCapability
		want       string // "" = supported
	}{
		"RWO":                     {mount(csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER, ""), ""},
		"RWO on xfs":              {mount(csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER, "xfs"), ""},
		"RWOP":                    {mount(csi.VolumeCapability_AccessMode_SINGLE_NODE_SINGLE_WRITER, "ext4"), ""},
		"several pods, one node":  {mount(csi.VolumeCapability_AccessMode_SINGLE_NODE_MULTI_WRITER, "btrfs"), ""},
		"RWX on a filesystem":     {mount(csi.VolumeCapability_AccessMode_MULTI_NODE_MULTI_WRITER, ""), "is for a single node"},
		"one writer, many nodes":  {mount(csi.VolumeCapability_AccessMode_MULTI_NODE_SINGLE_WRITER, ""), "is for a single node"},
		"ROX on a filesystem":     {mount(csi.VolumeCapability_AccessMode_MULTI_NODE_READER_ONLY, ""), ""},
		"RWX on a raw LUN":        {block(csi.VolumeCapability_AccessMode_MULTI_NODE_MULTI_WRITER), ""},
		"an unknown filesystem":   {mount(csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER, "ntfs"), `fs_type "ntfs"`},
		"no access mode":          {mount(csi.VolumeCapability_AccessMode_UNKNOWN, ""), "access_mode: missing"},
		"neither block nor mount": {&csi.VolumeCapability{}, "access_type"},
	} {
		t.Run(name, func(t *testing.T) {
			got := unsupported(tc.capability)
			if got == "" != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
