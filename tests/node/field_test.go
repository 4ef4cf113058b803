//go:build guest

package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/san-csi/san-csi/tests/lab"
)

// field is what the table of faults works on: an array and a guest with two
// other targets, a node, and on that node something that is not ours.
type field struct {
	*bench
	targets  *lab.Targets
	foreign  *foreign
	mapped   bool     // multipathd runs
	baseline []string // what lab.Node.Leftovers tells of the foreign things
}

func openField(t *testing.T) *field {
	t.Helper()
	f := &field{bench: &bench{}}
	var boots sync.WaitGroup
	var failed error
	boots.Go(func() { f.targets, failed = lab.BootTargets(t.Context()) })
	var err error
	if f.lab, err = lab.Open(t.Context(), "../../bin", lab.TwoPortals); err == nil {
		f.node, err = f.lab.Boot(t.Context(), "node-a")
	}
	boots.Wait()
	if err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		// In good order: that brings its logs.
		if err := errors.Join(f.node.VM.PowerOff(ctx), f.targets.VM.Kill(), f.lab.Array.Kill()); err != nil {
			t.Error(err)
		}
	})
	if err := f.node.StartDriver(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.id = nodeID(t, f.node)
	f.foreign = f.makeForeign(t)
	if f.baseline, err = f.node.Leftovers(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f
}

// sources are all that serve LUNs.
func (f *field) sources() []source {
	return []source{ours{f.bench}, appliance{f.bench, "LIO", f.targets.LIO}, appliance{f.bench, "tgtd", f.targets.Tgtd}}
}

// checkClean wants the node to have nothing of ours.
func (f *field) checkClean(t *testing.T) {
	t.Helper()
	left, err := f.node.Leftovers(t.Context())
	if err != nil || !slices.Equal(left, f.baseline) {
		t.Errorf("the node has %q, had at first %q; %v", left, f.baseline, err)
	}
}

// cut cuts all portals off; the function that it returns mends them, as does
// the end of the test.
func cut(t *testing.T, portals []lab.Portal) (mend func()) {
	t.Helper()
	var once sync.Once
	mend = func() {
		once.Do(func() {
			for _, p := range portals {
				if err := p.Mend(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, p := range portals {
		if err := p.Cut(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(mend)
	return mend
}

// foreign is a session, a device-mapper map over its disk and a mount of that,
// all made by an administrator.
type foreign struct {
	f    *field
	iqn  string
	seen string // its state at first
}

const foreignMount = "/mnt/foreign"

func (f *field) makeForeign(t *testing.T) *foreign {
	t.Helper()
	lun, err := f.targets.LIO.Serve(t.Context(), "foreign", gib, f.node.VM.IQN)
	if err != nil {
		t.Fatal(err)
	}
	f.sh(t, fmt.Sprintf("target=%s portal=%s\n%s", lun.IQN, lun.Portals[0], lab.LogIn)+`
modprobe dm-mod
dmsetup create foreign --table "0 $(blockdev --getsz $d) linear $d 0"
udevadm settle
mkfs.ext4 -q /dev/mapper/foreign
mkdir -p `+foreignMount+`
mount /dev/mapper/foreign `+foreignMount+`
echo kept > `+foreignMount+`/file
sync`)
	o := &foreign{f: f, iqn: lun.IQN}
	o.seen = o.state(t)
	return o
}

// state is all that the node has of it, once its session is back from whatever
// the row did to its target.
func (o *foreign) state(t *testing.T) string {
	t.Helper()
	(&volume{b: o.f.bench, name: "foreign", grant: map[string]string{"iqn": o.iqn}}).awaitSession(t, "LOGGED_IN")
	return o.f.sh(t, strings.ReplaceAll(`for s in /sys/class/iscsi_session/*; do
  [ "$(cat $s/targetname)" = IQN ] || continue
  echo "$s $(cat $s/state)"
  ls $s/device/target*/*/block
done
find /etc/iscsi/nodes /var/lib/iscsi/nodes -type f -path '*IQN*' 2>/dev/null | xargs -r sha256sum
dmsetup table foreign
grep `+foreignMount+` /proc/self/mountinfo
echo 3 > /proc/sys/vm/drop_caches; cat `+foreignMount+`/file; touch `+foreignMount+`/file; sync -f `+foreignMount, "IQN", o.iqn))
}

// check wants it as it was at first.
func (o *foreign) check(t *testing.T) {
	t.Helper()
	if now := o.state(t); now != o.seen {
		t.Errorf("what is not ours is now\n%s\nwas\n%s", now, o.seen)
	}
}
