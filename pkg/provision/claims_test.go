package provision

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/san"
)

// claims are Kubernetes' side of one claim, shop/data.
type claims struct {
	class string
	err   error
	told  []string
}

func (c *claims) Class(_ context.Context, claim string) (string, error) {
	if claim != "shop/data" {
		return "", fmt.Errorf("claim %s: not found", claim)
	}
	return c.class, c.err
}

func (c *claims) Tell(claim string, warning bool, reason, message string) {
	c.told = append(c.told, fmt.Sprint(claim, " ", warning, " ", reason, ": ", message))
}

func ofClaim(f *Flows, more map[string]string) (*Created, error) {
	params := map[string]string{keyPVCNamespace: "shop", keyPVCName: "data", keyPVName: "pvc-1"}
	for key, value := range more {
		params[key] = value
	}
	return f.Create(context.Background(), CreateRequest{Name: "pvc-1", Size: Size{Required: gib}, Parameters: params})
}

// TestVolumeNamesItsOwners: cluster, claim, volume and class.
func TestVolumeNamesItsOwners(t *testing.T) {
	for name, tc := range map[string]struct {
		claims Claims
		class  string
	}{
		"all":                            {&claims{class: "gold"}, "gold"},
		"of a claim without a class":     {&claims{}, ""},
		"while Kubernetes is out":        {&claims{err: context.DeadlineExceeded}, ""},
		"of a driver without Kubernetes": {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := New(placement.NewFleet("east", []placement.Member{{Name: "a", Array: newMemory("3eeu")}}), "east", WithClaims(tc.claims))
			c, err := ofClaim(f, nil)
			if err != nil {
				t.Fatal(err)
			}
			if want := (san.Owner{Cluster: "east", PVC: "shop/data", PV: "pvc-1", StorageClass: tc.class}); c.Volume.Owner != want {
				t.Errorf("owner %+v, want %+v", c.Volume.Owner, want)
			}
		})
	}
}

// TestClaimIsTold of the values in force, when they come into force.
func TestClaimIsTold(t *testing.T) {
	a, c := newMemory("3eeu"), &claims{}
	f := New(placement.NewFleet("east", []placement.Member{{Name: "a", Array: a}}), "east", WithClaims(c))
	made, err := ofClaim(f, map[string]string{"minIOPSPerGiB": "100", "maxIOPS": "1000"})
	if err != nil {
		t.Fatal(err)
	}
	id := made.Volume.Handle.String()
	told := func(words ...string) {
		t.Helper()
		if len(c.told) != 1 {
			t.Fatalf("told %q, want one event", c.told)
		}
		for _, word := range append(words, "shop/data", id) {
			if !strings.Contains(c.told[0], word) {
				t.Errorf("told %q, without %q", c.told[0], word)
			}
		}
		c.told = nil
	}
	told("false QoSInForce", "minIOPS 100", "maxIOPS 1000")
	for range 2 { // the second one changes nothing
		if err := f.Modify(t.Context(), id, map[string]string{"maxIOPS": "2000"}); err != nil {
			t.Fatal(err)
		}
	}
	told("false QoSInForce", "maxIOPS 2000")
	a.fenceless = fmt.Errorf("a session is still alive: %w", san.ErrUnavailable)
	if err := f.Revoke(t.Context(), id, "iqn.2026-01.io.x:n#0a1b2c3d"); err == nil {
		t.Fatal("revoked")
	}
	told("true NotFenced", "iqn.2026-01.io.x:n#0a1b2c3d", "a session is still alive")
}
