//go:build guest && bench

package node

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

const rounds = 10

// stageByHand is what a stage does, as a shell script without any check: node
// record, login, scan, mkfs, mount.
const stageByHand = `set -e
n="iscsiadm -m node -T $target -p $portal"
$n -o new >/dev/null
$n -o update -n node.startup -v manual -n node.session.scan -v manual
$n --login >/dev/null
for s in /sys/class/iscsi_session/*; do [ "$(cat $s/targetname)" != $target ] || break; done
h=$(readlink -f $s/device/..); h=${h##*/host}
echo "0 0 0" > /sys/class/scsi_host/host$h/scan
until d=$(ls $s/device/target$h:0:0/$h:0:0:0/block 2>/dev/null) && [ -b /dev/$d ]; do usleep 10000; done
mkfs.ext4 -F -q -m 0 -E nodiscard,lazy_itable_init=1,lazy_journal_init=1 /dev/$d
mkdir -p $staging
mount /dev/$d $staging
`

const unstageByHand = `set -e
d=$(findmnt -n -o SOURCE $staging)
umount $staging
rmdir $staging
iscsiadm -m node -T $target -p $portal --logout >/dev/null
iscsiadm -m node -T $target -p $portal -o delete
`

// TestStageAgainstScript times NodeStage of new volumes against a shell script
// that does the same in the same guest, in turn, and tells the median of the
// rounds' ratios. The bar is 1.10; no time is asserted.
func TestStageAgainstScript(t *testing.T) {
	b := boot(t)
	var ratios []float64
	for round := range rounds + 1 {
		var driver, script time.Duration
		byDriver := func() { driver = b.timeDriver(t) }
		byScript := func() { script = b.timeScript(t) }
		order := []func(){byDriver, byScript}
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, run := range order {
			run()
		}
		if round == 0 {
			continue // programs and modules are read from the disk for the first time
		}
		ratio := driver.Seconds() / script.Seconds()
		ratios = append(ratios, ratio)
		fmt.Printf("round %2d: NodeStage %.3f s, script %.3f s, ratio %.2f\n", round, driver.Seconds(), script.Seconds(), ratio)
	}
	slices.Sort(ratios)
	median := (ratios[rounds/2-1] + ratios[rounds/2]) / 2
	fmt.Printf("NodeStage against a shell script, median of %d rounds: %.2f (from %.2f to %.2f; the bar is 1.10)\n", rounds, median, ratios[0], ratios[rounds-1])
}

func (b *bench) timeDriver(t *testing.T) (took time.Duration) {
	t.Run("NodeStage", func(t *testing.T) {
		v := b.volume(t, "pvc-bench", mounted("ext4"), nil)
		b.sh(t, "mkdir -p "+v.staging+"; sync")
		start := time.Now()
		must(t, v.stage)
		took = time.Since(start)
	})
	return took
}

func (b *bench) timeScript(t *testing.T) (took time.Duration) {
	t.Run("script", func(t *testing.T) {
		v := b.volume(t, "pvc-bench", mounted("ext4"), nil)
		with := v.address() + "staging=" + v.staging + "\n"
		b.sh(t, "mkdir -p "+v.staging+"; sync")
		start := time.Now()
		b.sh(t, with+stageByHand)
		took = time.Since(start)
		b.sh(t, with+unstageByHand)
	})
	return took
}
