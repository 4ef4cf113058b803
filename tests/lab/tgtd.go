package lab

import (
	"context"
	"fmt"

	"github.com/san-csi/san-csi/tests/guest"
)

// Tgtd is the userspace target of the package tgt.
type Tgtd struct {
	vm      *guest.VM
	portals []Portal
	shelf
}

// Portals are where it serves.
func (t *Tgtd) Portals() []Portal { return t.portals }

const tgtadm = `set -e
a="tgtadm --lld iscsi"
`

const tgtServe = `[ -e $file ] || truncate -s $bytes $file
$a --op new --mode target --tid $id --targetname $iqn
$a --op new --mode logicalunit --tid $id --lun 1 --backing-store $file
$a --op bind --mode target --tid $id --initiator-name $initiator
`

// tgtGrow makes tgtd open its file anew, which it does only while the LUN is
// not online.
const tgtGrow = `truncate -s $bytes $file
for p in online=0 path=$file online=1; do $a --op update --mode logicalunit --tid $id --lun 1 --params $p; done
`

const tgtRemove = `$a --op delete --mode target --tid $id --force
rm $file
`

// start starts the daemon, which takes the last --iscsi portal= alone.
func (t *Tgtd) start(ctx context.Context) error {
	if _, err := t.vm.Start(ctx, "mkdir -p /run/tgtd; exec tgtd --foreground --iscsi portal="+t.portals[0].Address, "/var/log/tgtd.log"); err != nil {
		return err
	}
	_, err := t.vm.Run(ctx, tgtadm+`until $a --op show --mode sys >/dev/null 2>&1; do usleep 50000; done
$a --op new --mode portal --param portal=`+t.portals[1].Address)
	return err
}

// Serve implements [Target].
func (t *Tgtd) Serve(ctx context.Context, name string, bytes int64, initiator string) (LUN, error) {
	d := t.add(name, bytes, initiator, t.portals)
	d.Number = 1                                                // 0 is tgtd's controller
	d.NAA = fmt.Sprintf("60000000000000000e%010x%04x", d.id, 1) // of the target's and the LUN's number
	return d.LUN, t.run(ctx, d, tgtServe)
}

func (t *Tgtd) run(ctx context.Context, d *disk, script string) error {
	_, err := t.vm.Run(ctx, d.words()+tgtadm+script)
	return err
}

// Grow implements [Target].
func (t *Tgtd) Grow(ctx context.Context, iqn string, bytes int64) error {
	d, err := t.find(iqn)
	if err != nil {
		return err
	}
	d.Bytes = bytes
	return t.run(ctx, d, tgtGrow)
}

// Restart implements [Target]: the daemon is killed.
func (t *Tgtd) Restart(ctx context.Context) error {
	if _, err := t.vm.Run(ctx, "kill -9 $(pidof tgtd); while pidof tgtd >/dev/null; do usleep 20000; done; rm -rf /run/tgtd"); err != nil {
		return err
	}
	if err := t.start(ctx); err != nil {
		return err
	}
	for _, d := range t.disks {
		if err := t.run(ctx, d, tgtServe); err != nil {
			return err
		}
	}
	return nil
}

// Remove implements [Target].
func (t *Tgtd) Remove(ctx context.Context, iqn string) error {
	d, err := t.find(iqn)
	if err != nil {
		return err
	}
	t.drop(d)
	return t.run(ctx, d, tgtRemove)
}
