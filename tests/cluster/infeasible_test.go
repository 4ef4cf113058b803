//go:build cluster

package cluster

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/san-csi/san-csi/pkg/element"
)

const attributesClasses = `apiVersion: storage.k8s.io/v1
kind: VolumeAttributesClass
metadata: {name: impossible}
driverName: san-csi.io
parameters: {minIOPS: "500", maxIOPS: "400"}
---
apiVersion: storage.k8s.io/v1
kind: VolumeAttributesClass
metadata: {name: possible}
driverName: san-csi.io
parameters: {minIOPS: "70", maxIOPS: "300", burstIOPS: "300"}
`

// testInfeasibleClass: a VolumeAttributesClass that can never be is told as
// infeasible in the claim's status; the user goes back to the class from before,
// or to none, and to another one later. Until then the array's numbers are as
// they were.
func testInfeasibleClass(t *testing.T, b *bench) {
	b.apply(t, attributesClasses)
	for _, c := range []struct {
		name, class string // "" = none
		qos         element.QoS
		back        func(t *testing.T, b *bench, claim string)
	}{
		{"back-to-class", FastClass, element.QoS{MinIOPS: 60, MaxIOPS: 200, BurstIOPS: 200}, func(t *testing.T, b *bench, claim string) {
			b.settled(t, claim, FastClass)
		}},
		{"back-to-none", "", element.QoS{MinIOPS: 50, MaxIOPS: 100, BurstIOPS: 100}, func(t *testing.T, b *bench, claim string) {
			b.told(t, claim, "VolumeModifyCanceled", "Cancelled modify")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var spec []string
			if c.class != "" {
				spec = append(spec, "volumeAttributesClassName: "+c.class)
			}
			b.apply(t, claim(c.name, NowClass, spec...))
			b.must(t, "wait", "--for=jsonpath={.status.phase}=Bound", "pvc/"+c.name, stepFlag)
			b.checkQoS(t, c.name, c.qos)
			b.setClass(t, c.name, "impossible")
			b.must(t, "wait", "--for=jsonpath={.status.modifyVolumeStatus.status}=Infeasible", "pvc/"+c.name, stepFlag)
			b.told(t, c.name, "VolumeModifyFailed", "minIOPS")
			b.checkQoS(t, c.name, c.qos)
			b.setClass(t, c.name, c.class)
			c.back(t, b, c.name)
			b.checkQoS(t, c.name, c.qos)
			b.setClass(t, c.name, "possible")
			b.settled(t, c.name, "possible")
			b.checkQoS(t, c.name, element.QoS{MinIOPS: 70, MaxIOPS: 300, BurstIOPS: 300})
			b.remove(t, "", c.name)
		})
	}
	b.must(t, "delete", "volumeattributesclass", "impossible", "possible", stepFlag)
	b.checkGone(t)
}

// setClass asks for another VolumeAttributesClass, "" = none.
func (b *bench) setClass(t *testing.T, claim, class string) {
	t.Helper()
	name := fmt.Sprintf("%q", class)
	if class == "" {
		name = "null"
	}
	b.must(t, "patch", "pvc", claim, "--patch", fmt.Sprintf(`{"spec": {"volumeAttributesClassName": %s}}`, name))
}

// settled waits until a claim has a class, and nothing of it is under way or has
// failed.
func (b *bench) settled(t *testing.T, claim, class string) {
	t.Helper()
	b.until(t, func(ctx context.Context) error {
		out, err := b.Kubectl(ctx, "get", "pvc", claim,
			"--output=jsonpath={.status.currentVolumeAttributesClassName}/{.status.modifyVolumeStatus.status}/{.status.conditions[*].type}")
		if current, rest, _ := strings.Cut(out, "/"); err == nil && (current != class || rest != "/") {
			err = fmt.Errorf("claim %s: class, status and conditions are %q, want class %q and no more", claim, out, class)
		}
		return err
	})
}
