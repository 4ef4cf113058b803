package driver

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/san-csi/san-csi/pkg/chap"
	"github.com/san-csi/san-csi/pkg/san"
	"github.com/san-csi/san-csi/pkg/stage"
)

func grant() *san.Grant {
	return &san.Grant{
		IQN: "iqn.2010-01.com.solidfire:3eeu.pvc-1.7", Portals: []string{"192.0.2.1:3260", "[2001:db8::1]:3260"},
		NAA: "6f47acc1000000003365657500000007", SizeBytes: 1 << 30, Epoch: 3, Blank: true, Clone: true,
	}
}

func TestAGrantReachesTheNode(t *testing.T) {
	var got stage.StageRequest
	if err := decodeGrant(encodeGrant(grant()), &got); err != nil {
		t.Fatal(err)
	}
	g := grant()
	want := stage.StageRequest{
		Target: stage.Target{IQN: g.IQN, Portals: g.Portals, LUN: 0, NAA: g.NAA, SizeBytes: g.SizeBytes},
		Epoch:  3, Blank: true, Clone: true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestCredentialsTravelSealed: what stands in a VolumeAttachment shows no secret,
// and the node opens it.
func TestCredentialsTravelSealed(t *testing.T) {
	key, err := chap.OpenKey(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	n, err := san.NewNode("iqn.1993-08.org.debian:01:a", "node-a")
	if err != nil {
		t.Fatal(err)
	}
	keyed, err := n.WithKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	g := grant()
	context := encodeGrant(g)
	if err := sealCHAP(context, g, keyed.String()); err != nil || context[contextCHAP] != "" {
		t.Errorf("without CHAP: %v, %v", context, err)
	}
	g.CHAP = &san.CHAP{Username: "u", Secret: "initiatorsecret1", Target: "targetsecret-001", Generation: 5}
	if err := sealCHAP(context, g, n.String()); !errors.Is(err, san.ErrBusy) {
		t.Errorf("to a node without a key: %v", err)
	}
	if err := sealCHAP(context, g, keyed.String()); err != nil {
		t.Fatal(err)
	}
	if shown := fmt.Sprint(context); strings.Contains(shown, string(g.CHAP.Secret)) || strings.Contains(shown, string(g.CHAP.Target)) {
		t.Errorf("the publish context shows a secret: %s", shown)
	}
	var got stage.StageRequest
	if err := decodeGrant(context, &got); err != nil {
		t.Fatal(err)
	}
	opened, err := key.Open(got.Target.Credentials, chap.Binding{Target: g.IQN, Initiator: n.IQN})
	want := chap.Credentials{Username: "u", Secret: "initiatorsecret1", Target: "targetsecret-001", Generation: 5}
	if err != nil || opened != want {
		t.Errorf("opened: %v, %v", opened, err)
	}
}

func TestAWrongPublishContextIsRefused(t *testing.T) {
	for key, wrong := range map[string]string{
		contextIQN: "", contextPortals: "192.0.2.1", contextNAA: "6f47", contextLUN: "-1", contextSize: "0", contextEpoch: "x",
	} {
		t.Run(key, func(t *testing.T) {
			context := maps.Clone(encodeGrant(grant()))
			context[key] = wrong
			err := decodeGrant(context, &stage.StageRequest{})
			if !errors.Is(err, stage.ErrInvalid) || !strings.Contains(err.Error(), key) {
				t.Errorf("got %v, want ErrInvalid that names %s", err, key)
			}
		})
	}
}
