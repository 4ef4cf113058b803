//go:build guest

package node

import (
	"testing"

	"github.com/san-csi/san-csi/tests/lab"
)

// mapped is a row with multipathd, whose maps wait for ever where they have no
// path left.
func mapped(test func(*testing.T, *field, source)) func(*testing.T, *field, source) {
	return func(t *testing.T, f *field, s source) {
		f.multipathd(t, "strict", "queue")
		f.mapped = true
		defer func() { f.mapped = false }()
		test(t, f, s)
	}
}

// use stages and publishes the volume; with multipathd, over both portals.
func (f *field) use(t *testing.T, v *volume) {
	t.Helper()
	must(t, v.stage, v.publish)
	if f.mapped {
		v.mapName(t)
		v.awaitPaths(t, 2)
	}
}

// testPathAway cuts one portal off, then the other, under writes, which go on
// all the time.
func testPathAway(t *testing.T, f *field, s source) {
	v := s.volume(t, "pvc-path-away", mounted("ext4"))
	f.use(t, v)
	w := v.writer(t)
	for _, portal := range s.portals() {
		mend := cut(t, []lab.Portal{portal})
		v.awaitPaths(t, 1)
		w.flows(t)
		mend()
		v.awaitPaths(t, 2)
		w.flows(t)
	}
	f.survives(t, v, w)
}
