package lab

import (
	"context"
	"fmt"

	"github.com/san-csi/san-csi/tests/guest"
)

// LIO is the target of the guest's kernel, set up by hand through configfs.
type LIO struct {
	vm      *guest.VM
	portals []Portal
	shelf
}

// Portals are where it serves.
func (l *LIO) Portals() []Portal { return l.portals }

const lioPaths = `set -e
core=/sys/kernel/config/target/core/fileio_$id/disk
tpg=/sys/kernel/config/target/iscsi/$iqn/tpgt_1
`

// The backing store of one disk: a file with a name of its own.
const lioStore = `[ -e $file ] || truncate -s $bytes $file
mkdir -p $core
echo "fd_dev_name=$file,fd_dev_size=$bytes,fd_buffered_io=1" > $core/control
echo $serial > $core/wwn/vpd_unit_serial
echo 1 > $core/enable
`

const lioServe = `mkdir -p $tpg/lun/lun_0 $tpg/acls/$initiator/lun_0
for p in $portals; do mkdir $tpg/np/$p; done
ln -s $core $tpg/lun/lun_0/disk
ln -s $tpg/lun/lun_0 $tpg/acls/$initiator/lun_0/lun_0
echo 0 > $tpg/attrib/authentication
echo 1 > $tpg/enable
`

const lioUnserve = `echo 0 > $tpg/enable
rm $tpg/acls/$initiator/lun_0/lun_0 $tpg/lun/lun_0/disk
rmdir $tpg/acls/$initiator/lun_0 $tpg/acls/$initiator $tpg/lun/lun_0
for p in $portals; do rmdir $tpg/np/$p; done
rmdir $tpg ${tpg%/*}
`

const lioUnstore = `rmdir $core ${core%/*}
`

// lioSwap puts another store behind the LUN; its sessions stay.
const lioSwap = `rm $tpg/acls/$initiator/lun_0/lun_0 $tpg/lun/lun_0/disk
ln -s $core $tpg/lun/lun_0/disk
ln -s $tpg/lun/lun_0 $tpg/acls/$initiator/lun_0/lun_0
`

func (l *LIO) start(ctx context.Context) error {
	_, err := l.vm.Run(ctx, "modprobe -a target_core_mod target_core_file iscsi_target_mod && mount -t configfs configfs /sys/kernel/config")
	return err
}

// Serve implements [Target].
func (l *LIO) Serve(ctx context.Context, name string, bytes int64, initiator string) (LUN, error) {
	d := l.add(name, bytes, initiator, l.portals)
	d.NAA = lioNAA(d)
	return d.LUN, l.run(ctx, d, lioStore+lioServe)
}

// The kernel makes the NAA of its vendor's number, 0x001405, and the hex
// digits of the serial, of which 25 have a place.
func lioNAA(d *disk) string { return "6001405" + lioSerial(d) }

func lioSerial(d *disk) string { return fmt.Sprintf("5a%023x", d.id) }

func (l *LIO) run(ctx context.Context, d *disk, script string) error {
	_, err := l.vm.Run(ctx, d.words()+"serial="+lioSerial(d)+"\n"+lioPaths+script)
	return err
}

// Grow implements [Target].
func (l *LIO) Grow(ctx context.Context, iqn string, bytes int64) error {
	d, err := l.find(iqn)
	if err != nil {
		return err
	}
	d.Bytes = bytes
	return l.run(ctx, d, "truncate -s $bytes $file\necho fd_dev_size=$bytes > $core/control\n")
}

// Swap puts another LUN of zeroes behind the target's name, and tells its NAA.
func (l *LIO) Swap(ctx context.Context, iqn string) (naa string, err error) {
	d, err := l.find(iqn)
	if err != nil {
		return "", err
	}
	old := *d
	l.last++
	d.id = l.last
	d.NAA = lioNAA(d)
	if err := l.run(ctx, d, lioStore+lioSwap); err != nil {
		return "", err
	}
	return d.NAA, l.run(ctx, &old, lioUnstore+"rm $file\n")
}

// Restart implements [Target]: all of the configuration goes and comes back.
func (l *LIO) Restart(ctx context.Context) error {
	for _, d := range l.disks {
		if err := l.run(ctx, d, lioUnserve+lioUnstore); err != nil {
			return err
		}
	}
	for _, d := range l.disks {
		if err := l.run(ctx, d, lioStore+lioServe); err != nil {
			return err
		}
	}
	return nil
}

// Remove implements [Target].
func (l *LIO) Remove(ctx context.Context, iqn string) error {
	d, err := l.find(iqn)
	if err != nil {
		return err
	}
	l.drop(d)
	return l.run(ctx, d, lioUnserve+lioUnstore+"rm $file\n")
}
