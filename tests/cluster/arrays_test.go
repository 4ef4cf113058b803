//go:build cluster

package cluster

import (
	"fmt"
	"slices"
	"testing"

	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/tests/lab"
)

const siteClass = `apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: %[1]s}
provisioner: san-csi.io
volumeBindingMode: WaitForFirstConsumer
parameters: {minIOPS: "50", maxIOPS: "1000", arraySelector: "site=%[1]s"}
`

// testTwoArrays: with a second array, which asks for CHAP, volumes are where the
// class's selector says. When that array is down, the other one works as before,
// and what waited for it is done when it is back.
func testTwoArrays(t *testing.T, b *bench) {
	second := b.addArray(t)
	b.apply(t, fmt.Sprintf(siteClass, "east"), fmt.Sprintf(siteClass, "west"))
	b.apply(t, claim("east-1", "east"), podRunning("east-1", "east-1", writer, mountData), claim("west-1", "west"), pod("west-1", "west-1"))
	b.ready(t, "east-1", "west-1")
	b.remember(t, second)
	b.checkHolds(t, b.Lab, "east-1")
	b.checkHolds(t, second, "west-1")
	sum := b.sh(t, "west-1", write4M)

	if err := second.Array.Kill(); err != nil {
		t.Fatal(err)
	}
	b.apply(t, claim("east-2", "east"), pod("east-2", "east-2"))
	b.ready(t, "east-2")
	b.sh(t, "east-2", write4M)
	b.checkWriting(t, "east-1")
	b.remove(t, "east-2", "east-2")
	// Late, so that the provisioner's pauses are still short when the array is back.
	b.apply(t, claim("west-2", "west"), pod("west-2", "west-2"))
	b.told(t, "west-2", "ProvisioningFailed", `array "b"`)
	if err := second.Array.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.ready(t, "west-2")
	b.checkSum(t, "west-1", sum)
	b.sh(t, "west-1", write4M)
	b.checkHolds(t, second, "west-1", "west-2")

	for _, name := range []string{"east-1", "west-1", "west-2"} {
		b.remove(t, name, name)
	}
	b.must(t, "delete", "storageclass", "east", "west", stepFlag)
	b.checkGone(t)
	b.dropArray(t, second)
}

// addArray starts a second array and tells the driver of it.
func (b *bench) addArray(t *testing.T) *lab.Lab {
	t.Helper()
	second, err := lab.OpenSecond(t.Context(), b.files.Product)
	if err != nil {
		t.Fatal(err)
	}
	b.Second = second
	t.Cleanup(func() { b.Second = nil })
	if err := b.InstallDriver(t.Context()); err != nil {
		t.Fatal(err)
	}
	return second
}

// dropArray takes an array, which has nothing left, out of the configuration.
func (b *bench) dropArray(t *testing.T, second *lab.Lab) {
	t.Helper()
	if left, err := second.Leftovers(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("left on the second array: %q, %v", left, err)
	}
	b.Second = nil
	if err := b.InstallDriver(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := second.Array.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// checkHolds: the array has the volumes of these claims, and no others.
func (b *bench) checkHolds(t *testing.T, array *lab.Lab, claims ...string) {
	t.Helper()
	volumes, err := array.Element.ListVolumes(t.Context(), element.ListVolumesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var has, want []string
	for _, v := range volumes {
		has = append(has, v.Name)
	}
	for _, claim := range claims {
		want = append(want, b.volumeOf(t, claim))
	}
	slices.Sort(has)
	slices.Sort(want)
	if !slices.Equal(has, want) {
		t.Errorf("the array at %s has %v, want %v of the claims %v", array.Array.APIAddress(), has, want, claims)
	}
}
