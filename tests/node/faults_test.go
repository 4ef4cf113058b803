//go:build guest

package node

import (
	"slices"
	"testing"
)

// fault is one row of the table: what goes wrong, and with which targets.
type fault struct {
	name string
	on   []string // names of sources
	test func(*testing.T, *field, source)
}

var everywhere = []string{"san-array", "LIO", "tgtd"}

// brief is how many rows of the table every change has to pass.
const brief = 5

var table = []fault{
	{"attach and detach", []string{"LIO", "tgtd"}, testLife},
	{"unstage twice at once", everywhere[:1], testUnstageTwice},
	{"stage and unstage at once", everywhere[:1], testStageAndUnstage},
	{"another LUN behind the name", []string{"LIO"}, testSwapped},
	{"portals cut off for a while", everywhere[:1], testAway},
	{"portals cut off for a while", everywhere[1:], testAway},
	{"portals cut off for good", everywhere, testAwayForGood},
	{"target restarted", everywhere, testRestarted},
	{"grown under writes", everywhere, testGrown},
	{"iscsid killed while the portals are cut off", everywhere[:1], testInitiatorKilled},
	{"no iscsid at unstage", everywhere[:1], testNoInitiator},
	{"dirty ext4", everywhere[:1], testDirty},
	{"no room in /var", everywhere[:1], testFull},
	{"fifty volumes at once", everywhere[:1], testFifty},
	{"two nodes of one name", everywhere[:1], testClonedNode},
	{"fenced with writes in memory", everywhere[:1], testWritesInMemory},
	{"node reset", everywhere[:1], testReset},
	{"attach and detach, mapped", everywhere, mapped(testLife)},
	{"one path away, then the other", everywhere, mapped(testPathAway)},
	{"all paths away for a while", everywhere, mapped(testAway)},
	{"all paths away for good", everywhere, mapped(testAwayForGood)},
	{"grown under writes, mapped", everywhere, mapped(testGrown)},
	{"killed at every step", everywhere[:1], testFailpoints},
}

// TestFaults ends each row with the data intact, the node clean, the retry
// successful, and what is not ours as it was. With -short it is the first rows.
func TestFaults(t *testing.T) {
	f := openField(t)
	for _, row := range short(table, brief) {
		for _, s := range f.sources() {
			if !slices.Contains(row.on, s.name()) {
				continue
			}
			ran := false
			t.Run(row.name+" on "+s.name(), func(t *testing.T) { ran = true; row.test(t, f, s) })
			if !ran { // -run asked for others
				continue
			}
			f.checkClean(t)
			f.foreign.check(t)
			if left, err := f.lab.Leftovers(t.Context()); err != nil || len(left) > 0 {
				t.Errorf("left on the array after %s: %q, %v", row.name, left, err)
			}
		}
	}
}
