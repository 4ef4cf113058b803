//go:build cluster

package cluster

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/san-csi/san-csi/pkg/element"
)

// testCeiling: the class's numbers are the LUN's on the array, and a pod gets
// no more than its ceiling.
func testCeiling(t *testing.T, b *bench) {
	b.apply(t, claim("ceiling", Class), pod("ceiling", "ceiling"))
	b.ready(t, "ceiling")
	b.checkQoS(t, "ceiling", element.QoS{MinIOPS: 50, MaxIOPS: 100, BurstIOPS: 100})
	b.checkRate(t, "ceiling", 50, 100)
	b.remove(t, "ceiling", "ceiling")
	b.checkGone(t)
}

// testAttributesClass: a bound claim gets another VolumeAttributesClass, and its
// pod gets the other ceiling without being restarted.
func testAttributesClass(t *testing.T, b *bench) {
	b.apply(t, claim("change", Class), pod("change", "change"))
	b.ready(t, "change")
	b.must(t, "patch", "pvc", "change", "--patch", `{"spec": {"volumeAttributesClassName": "`+FastClass+`"}}`)
	b.must(t, "wait", "--for=jsonpath={.status.currentVolumeAttributesClassName}="+FastClass, "pvc/change", stepFlag)
	b.checkQoS(t, "change", element.QoS{MinIOPS: 60, MaxIOPS: 200, BurstIOPS: 200})
	b.checkRate(t, "change", 105, 200)
	b.remove(t, "change", "change")
	b.checkGone(t)
}

// testRefusedClass: what cannot be had is told in an event of the claim, with
// parameter, value and bound; nothing is made.
func testRefusedClass(t *testing.T, b *bench) {
	for name, c := range map[string]struct{ parameters, says string }{
		"floor-above-ceiling": {`{minIOPS: "500", maxIOPS: "400"}`, "minIOPS"},
		"ceiling-too-high":    {`{maxIOPS: "999999999"}`, "maxIOPS"},
		"unknown-parameter":   {`{maxIopps: "100"}`, "maxIopps"},
	} {
		b.apply(t, fmt.Sprintf("apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: %s}\nprovisioner: san-csi.io\nparameters: %s\n", name, c.parameters),
			claim(name, name))
		b.until(t, func(ctx context.Context) error {
			events, err := b.Kubectl(ctx, "get", "events", "--field-selector=reason=ProvisioningFailed,involvedObject.name="+name, "--output=jsonpath={.items[*].message}")
			if err == nil && !strings.Contains(events, c.says) {
				err = fmt.Errorf("claim %s: no event names %q: %q", name, c.says, events)
			}
			return err
		})
		b.must(t, "delete", "pvc/"+name, "storageclass/"+name, stepFlag)
	}
	b.checkGone(t)
}

// checkQoS compares the numbers of a claim's volume on the array.
func (b *bench) checkQoS(t *testing.T, claim string, want element.QoS) {
	t.Helper()
	v := b.onArray(t, claim)
	got := element.QoS{MinIOPS: v.QoS.MinIOPS, MaxIOPS: v.QoS.MaxIOPS, BurstIOPS: v.QoS.BurstIOPS}
	if got != want {
		t.Errorf("on the array %s has %+v, want %+v", claim, got, want)
	}
}

// onArray is a claim's volume, as the array has it.
func (b *bench) onArray(t *testing.T, claim string) element.Volume {
	t.Helper()
	handle := b.must(t, "get", "pv", b.volumeOf(t, claim), "--output=jsonpath={.spec.csi.volumeHandle}")
	volumes, err := b.Lab.Element.ListVolumes(t.Context(), element.ListVolumesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range volumes {
		if strings.Contains(handle, fmt.Sprintf(":%d:", v.VolumeID)) {
			return v
		}
	}
	t.Fatalf("%s: no volume of the array is %q", claim, handle)
	return element.Volume{}
}

// slack is what may be seen above a ceiling: what a volume may have saved up for
// a moment, and the edges of the time that is counted.
const slack = 1.05

// checkRate measures direct reads in a pod: more than the ceiling is a fault of
// the array; less than least tells that something else holds the pod back.
func (b *bench) checkRate(t *testing.T, pod string, least, ceiling float64) {
	t.Helper()
	out := b.sh(t, pod, "dd if=/dev/zero of=/data/reads bs=1M count=4 conv=fsync 2>/dev/null; reads /data/reads")
	rate, err := strconv.ParseFloat(out, 64)
	if err != nil || rate < least || rate > ceiling*slack {
		t.Errorf("%s reads at %q IOPS, want %.0f to the ceiling of %.0f: %v", pod, out, least, ceiling, err)
	}
	t.Logf("%s reads at %s IOPS under a ceiling of %.0f", pod, out, ceiling)
}
