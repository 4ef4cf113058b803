package driver

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"

	"github.com/san-csi/san-csi/pkg/san"
	"github.com/san-csi/san-csi/pkg/stage"
)

// forgetful is a node from which a fence took a volume.
type forgetful struct {
	Stager
	staged  bool
	refuses error // what stages end with
	calls   []string
	request stage.StageRequest
}

func (f *forgetful) Stage(_ context.Context, req stage.StageRequest) error {
	f.calls, f.request = append(f.calls, "stage"), req
	f.staged = f.refuses == nil
	return f.refuses
}

func (f *forgetful) Publish(context.Context, stage.PublishRequest) error {
	f.calls = append(f.calls, "publish")
	if !f.staged {
		return fmt.Errorf("not staged on this node: %w", stage.ErrNotFound)
	}
	return nil
}

func TestPublishStages(t *testing.T) {
	grant := encodeGrant(&san.Grant{
		IQN: "iqn.2010-01.com.solidfire:3eeu.pvc-1.1", Portals: []string{"192.0.2.1:3260"}, NAA: "6f47acc1000000003365657500000001", SizeBytes: 1 << 30, Epoch: 3,
	})
	refused := errors.New("the login is refused")
	for name, tc := range map[string]struct {
		node    forgetful
		context map[string]string
		calls   []string
		want    error
	}{
		"staged":                      {forgetful{staged: true}, grant, []string{"publish"}, nil},
		"not staged":                  {forgetful{}, grant, []string{"publish", "stage", "publish"}, nil},
		"not staged, and cannot be":   {forgetful{refuses: refused}, grant, []string{"publish", "stage"}, refused},
		"not staged, without a grant": {forgetful{}, nil, []string{"publish"}, stage.ErrNotFound},
		"not staged, and a bad grant": {forgetful{}, map[string]string{contextIQN: "iqn.x"}, []string{"publish"}, stage.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			capability := &csi.VolumeCapability{
				AccessType: &csi.VolumeCapability_Mount{Mount: &csi.VolumeCapability_MountVolume{FsType: "xfs", MountFlags: []string{"noatime"}}},
				AccessMode: &csi.VolumeCapability_AccessMode{Mode: csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER},
			}
			volume := map[string]string{"fsck": "off"}
			_, err := NewNode(NodeOptions{Stager: &tc.node}).NodePublishVolume(t.Context(), &csi.NodePublishVolumeRequest{
				VolumeId: "3eeu:1:0a1b2c3d", StagingTargetPath: "/staging", TargetPath: "/target",
				PublishContext: tc.context, VolumeCapability: capability, VolumeContext: volume,
			})
			if !errors.Is(err, tc.want) || !slices.Equal(tc.node.calls, tc.calls) {
				t.Errorf("%v, %v; want %v, %v", tc.node.calls, err, tc.calls, tc.want)
			}
			if !slices.Contains(tc.calls, "stage") {
				return
			}
			want, err := stageRequest(&csi.NodeStageVolumeRequest{
				VolumeId: "3eeu:1:0a1b2c3d", StagingTargetPath: "/staging", PublishContext: grant, VolumeCapability: capability, VolumeContext: volume,
			})
			if err != nil || !reflect.DeepEqual(tc.node.request, want) {
				t.Errorf("staged as %+v, want %+v, %v", tc.node.request, want, err)
			}
		})
	}
}
