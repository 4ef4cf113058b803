//go:build cluster

package cluster

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/san-csi/san-csi/pkg/element"
)

// testExamples applies each directory of examples/ as a reader of the docs
// does, and looks whether it does what it says.
func testExamples(t *testing.T, b *bench) {
	for _, example := range []struct {
		dir    string
		claims []string
		check  func(t *testing.T, b *bench, dir string)
	}{
		{"pod", []string{"san-example"}, checkPodExample},
		{"attributes-class", []string{"san-attributes"}, checkAttributesExample},
		{"raw-block", []string{"san-block"}, checkBlockExample},
		{"clone", []string{"san-clone", "san-source"}, checkCloneExample},
		{"statefulset", []string{"data-san-replicas-0", "data-san-replicas-1", "data-san-replicas-2"}, checkStatefulSetExample},
	} {
		t.Run(example.dir, func(t *testing.T) {
			dir := filepath.Join(b.files.Examples, example.dir)
			example.check(t, b, dir)
			b.must(t, "delete", "--filename", dir, stepFlag)
			b.must(t, append([]string{"delete", "pvc", "--ignore-not-found", stepFlag}, example.claims...)...)
			b.noVolumes(t)
			b.checkGone(t)
		})
	}
}

func checkPodExample(t *testing.T, b *bench, dir string) {
	b.must(t, "apply", "--filename", dir)
	b.ready(t, "san-example")
	b.checkLog(t, "san-example", "")
	b.checkQoS(t, "san-example", element.QoS{MinIOPS: 100, MaxIOPS: 1000, BurstIOPS: b.defaultBurst(t)})
}

func checkAttributesExample(t *testing.T, b *bench, dir string) {
	b.must(t, "apply", "--filename", dir)
	b.ready(t, "san-attributes")
	b.checkQoS(t, "san-attributes", element.QoS{MinIOPS: 50, MaxIOPS: 500, BurstIOPS: b.defaultBurst(t)})
	b.must(t, "patch", "pvc", "san-attributes", "--patch", `{"spec": {"volumeAttributesClassName": "san-fast"}}`)
	b.must(t, "wait", "--for=jsonpath={.status.currentVolumeAttributesClassName}=san-fast", "pvc/san-attributes", stepFlag)
	b.checkQoS(t, "san-attributes", element.QoS{MinIOPS: 500, MaxIOPS: 5000, BurstIOPS: b.defaultBurst(t)})
	b.checkLog(t, "san-attributes", "")
}

func checkBlockExample(t *testing.T, b *bench, dir string) {
	b.must(t, "apply", "--filename", dir)
	b.ready(t, "san-block")
	if size := b.number(t, "san-block", "busybox blockdev --getsize64 /dev/volume"); size != 5<<30 {
		t.Errorf("the device has %d bytes, want 5 GiB", size)
	}
}

// checkCloneExample: the clone has what its source had, and its own class.
func checkCloneExample(t *testing.T, b *bench, dir string) {
	b.must(t, "apply", "--filename", filepath.Join(dir, "source.yaml"))
	b.ready(t, "san-source")
	b.checkLog(t, "san-source", "")
	first := b.sh(t, "san-source", "sync; head -n 1 /data/log")
	b.must(t, "apply", "--filename", filepath.Join(dir, "clone.yaml"))
	b.ready(t, "san-clone")
	if got := b.sh(t, "san-clone", "head -n 1 /data/log"); got != first {
		t.Errorf("the clone's log begins with %q, its source's with %q", got, first)
	}
	if kib := b.number(t, "san-clone", "df -k /data | awk 'NR==2 {print $2}'"); kib < 9<<20 {
		t.Errorf("the filesystem of a clone of 10 GiB has %d KiB", kib)
	}
	b.checkQoS(t, "san-clone", element.QoS{MinIOPS: 50, MaxIOPS: 5000, BurstIOPS: b.defaultBurst(t)})
}

// checkStatefulSetExample: three replicas, on both nodes, each with a volume of its own.
func checkStatefulSetExample(t *testing.T, b *bench, dir string) {
	b.must(t, "apply", "--filename", dir)
	b.must(t, "rollout", "status", "statefulset/san-replicas", stepFlag)
	var nodes []string
	for i := range 3 {
		replica := fmt.Sprintf("san-replicas-%d", i)
		b.checkLog(t, replica, replica)
		b.checkQoS(t, "data-"+replica, element.QoS{MinIOPS: 500, MaxIOPS: 2000, BurstIOPS: b.defaultBurst(t)})
		nodes = append(nodes, b.nodeOf(t, replica))
	}
	slices.Sort(nodes)
	if used := slices.Compact(nodes); len(used) != 2 {
		t.Errorf("three replicas run on %v only", used)
	}
}

// checkLog: the pod writes its log, and every line is the one it writes ("" for any).
func (b *bench) checkLog(t *testing.T, pod, line string) {
	t.Helper()
	for got := range strings.Lines(b.sh(t, pod, "cat /data/log")) {
		if line != "" && strings.TrimSpace(got) != line {
			t.Errorf("%s has %q in its log, want only %q", pod, got, line)
		}
	}
	if lines := b.number(t, pod, "wc -l < /data/log"); lines == 0 {
		t.Errorf("%s has written nothing", pod)
	}
}

// defaultBurst is what the array gives a volume whose class does not say.
func (b *bench) defaultBurst(t *testing.T) int64 {
	t.Helper()
	q, err := b.Lab.Element.GetDefaultQoS(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return q.BurstIOPS
}
