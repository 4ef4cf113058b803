package e2e

import (
	"slices"
	"testing"
)

func TestPlan(t *testing.T) {
	const (
		ext3     = "[Testpattern: Dynamic PV (ext3)] volumes should store data"
		inline   = "[Testpattern: Inline-volume (ext4)] volumes should store data"
		quick    = "[Testpattern: Dynamic PV (ext4)] volumes should store data"
		slow     = "[Testpattern: Dynamic PV (xfs)] [Slow] volumes should store data"
		known    = "[Testpattern: Dynamic PV (ext4)] subPath known to take long"
		alone    = "[Testpattern: Dynamic PV (default fs)] read-write-once-pod should preempt [Serial]"
		passed   = "[Testpattern: Dynamic PV (ext4)] subPath passed"
		skipped  = "[Testpattern: Dynamic PV (ext4)] subPath skipped"
		failed   = "[Testpattern: Dynamic PV (ext4)] subPath failed"
		selinux  = "[Testpattern: Dynamic PV (default fs)] seLinuxMount [Feature:SELinux] Pod with RWO volume"
		metadata = "[Testpattern: SnapshotMetadata] snapshotmetadata [Feature:snapshotmetadata] should verify GetMetadataDelta"
	)
	results, _ := open(t,
		Result{Spec: passed, State: Passed, Seconds: 5}, Result{Spec: skipped, State: Skipped},
		Result{Spec: failed, State: Failed, Seconds: 10}, Result{Spec: known, State: Failed, Seconds: 400})
	p := planFor([]string{ext3, known, slow, alone, inline, passed, skipped, failed, selinux, quick, metadata}, results)
	parallel := [][]string{{ext3, inline, metadata}, {failed}, {quick}, {slow}, {known}}
	if !slices.EqualFunc(p.parallel, parallel, slices.Equal[[]string]) {
		t.Errorf("beside each other: %q\nwant %q", p.parallel, parallel)
	}
	if serial := [][]string{{alone}}; !slices.EqualFunc(p.serial, serial, slices.Equal[[]string]) {
		t.Errorf("alone: %q, want %q", p.serial, serial)
	}
}

func TestNothingLeftToPlan(t *testing.T) {
	results, _ := open(t, Result{Spec: "a", State: Passed})
	if p := planFor([]string{"a"}, results); len(p.parallel)+len(p.serial) != 0 {
		t.Errorf("planned %+v", p)
	}
}
