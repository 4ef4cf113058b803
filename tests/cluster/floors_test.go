//go:build cluster

package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

const floorClass = `apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: %s}
provisioner: san-csi.io
volumeBindingMode: %s
parameters: {minIOPS: "%d"}
`

// floors is an array on which as many of the largest floors are promised as fit.
type floors struct {
	each, capacity int64 // IOPS of 4 KiB
	claims         []string
}

func (f floors) promised() int64 { return f.each * int64(len(f.claims)) }

// fill makes a class of the largest floor, and claims of it until no further one
// fits.
func (b *bench) fill(t *testing.T, class string) floors {
	t.Helper()
	limits, limitsErr := b.Lab.Element.GetLimits(t.Context())
	capacity, capacityErr := b.Lab.Element.GetClusterCapacity(t.Context())
	if err := errors.Join(limitsErr, capacityErr); err != nil {
		t.Fatal(err)
	}
	f := floors{each: limits.VolumeMinIOPSMax, capacity: capacity.MaxIOPS}
	b.apply(t, fmt.Sprintf(floorClass, class, "Immediate", f.each))
	for f.promised()+f.each <= f.capacity {
		f.claims = append(f.claims, fmt.Sprintf("%s-%d", class, len(f.claims)))
		b.apply(t, claim(f.claims[len(f.claims)-1], class))
	}
	for _, name := range f.claims {
		b.must(t, "wait", "--for=jsonpath={.status.phase}=Bound", "pvc/"+name, stepFlag)
	}
	return f
}

// empty removes what is left of the claims, and the class.
func (b *bench) empty(t *testing.T, f floors, class string) {
	t.Helper()
	b.must(t, append([]string{"delete", "pvc", "--ignore-not-found", stepFlag}, f.claims...)...)
	b.must(t, "delete", "storageclass", class, stepFlag)
	b.noVolumes(t)
	b.checkGone(t)
}

// testRefusedFloor: a floor that the array cannot keep is refused in an event of
// the claim that has the array and the numbers; once another claim is deleted,
// the same one is bound.
func testRefusedFloor(t *testing.T, b *bench) {
	const class, late = "floors", "floor-too-many"
	f := b.fill(t, class)
	b.apply(t, claim(late, class))
	b.told(t, late, "ProvisioningFailed", fmt.Sprintf(`array "a": %d IOPS of floor asked for, %d of %d IOPS are promised`, f.each, f.promised(), f.capacity))
	if phase := b.must(t, "get", "pvc", late, "--output=jsonpath={.status.phase}"); phase != "Pending" {
		t.Errorf("the refused claim is %s", phase)
	}
	b.remove(t, "", f.claims[0])
	b.must(t, "wait", "--for=jsonpath={.status.phase}=Bound", "pvc/"+late, stepFlag)
	if q := b.onArray(t, late).QoS; q.MinIOPS != f.each {
		t.Errorf("the claim has a floor of %d IOPS, want %d", q.MinIOPS, f.each)
	}
	b.remove(t, "", late)
	b.empty(t, f, class)
}

// testCapacity: a pod whose claim's floor fits nowhere is not scheduled, and the
// provisioner is not asked; it runs when the capacity that Kubernetes keeps of
// the class follows the array.
func testCapacity(t *testing.T, b *bench) {
	const class, late = "headroom", "headroom-late"
	f := b.fill(t, class)
	b.apply(t, fmt.Sprintf(floorClass, late, "WaitForFirstConsumer", f.each))
	b.capacity(t, late, func(largest string) bool { return largest == "0" })
	b.apply(t, claim(late, late), pod(late, late))
	b.unscheduled(t, late, "did not have enough free storage")
	if events := b.events(t.Context(), t, late, "ProvisioningFailed"); events != "" {
		t.Errorf("the provisioner was asked: %s", events)
	}
	b.remove(t, "", f.claims[0])
	b.ready(t, late) // it takes the room at once, so no look may find it
	b.remove(t, late, late)
	b.must(t, "delete", "storageclass", late, stepFlag)
	b.empty(t, f, class)
}

// capacity waits until the largest volume of a class, as the scheduler sees it,
// is what it should be.
func (b *bench) capacity(t *testing.T, class string, is func(largest string) bool) {
	t.Helper()
	b.until(t, func(ctx context.Context) error {
		largest, err := b.Kubectl(ctx, "get", "csistoragecapacities", "--namespace", Namespace,
			fmt.Sprintf("--output=jsonpath={.items[?(@.storageClassName==%q)].maximumVolumeSize}", class))
		if err == nil && !is(largest) {
			err = fmt.Errorf("the largest volume of class %s is %q", class, largest)
		}
		return err
	})
}

// unscheduled waits until the scheduler says of a pod why it runs nowhere.
func (b *bench) unscheduled(t *testing.T, pod, why string) {
	t.Helper()
	b.until(t, func(ctx context.Context) error {
		says, err := b.Kubectl(ctx, "get", "pod", pod, `--output=jsonpath={.status.conditions[?(@.type=="PodScheduled")].message}`)
		if err == nil && !strings.Contains(says, why) {
			err = fmt.Errorf("pod %s: the scheduler says %q, not %q", pod, says, why)
		}
		return err
	})
}

// told waits for an event of a claim.
func (b *bench) told(t *testing.T, claim, reason, says string) {
	t.Helper()
	b.until(t, func(ctx context.Context) error {
		if events := b.events(ctx, t, claim, reason); !strings.Contains(events, says) {
			return fmt.Errorf("claim %s: no event %s says %q: %q", claim, reason, says, events)
		}
		return nil
	})
}

// events are the messages of a claim's events of that reason.
func (b *bench) events(ctx context.Context, t *testing.T, claim, reason string) string {
	t.Helper()
	events, err := b.Kubectl(ctx, "get", "events", "--field-selector=reason="+reason+",involvedObject.name="+claim, "--output=jsonpath={.items[*].message}")
	if err != nil {
		t.Error(err)
	}
	return events
}
