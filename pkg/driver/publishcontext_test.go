package driver

import (
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"

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
