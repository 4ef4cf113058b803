//go:build guest

package guest_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/san-csi/san-csi/tests/guest"
)

// lioTarget makes the guest's kernel a target with one LUN of 512 MiB for one
// initiator. %TARGET%, %INITIATOR% and %IP% are replaced.
const lioTarget = `set -e
modprobe -a target_core_mod target_core_file iscsi_target_mod
mount -t configfs configfs /sys/kernel/config
core=/sys/kernel/config/target/core/fileio_0/disk
tpg=/sys/kernel/config/target/iscsi/%TARGET%/tpgt_1
mkdir -p $core
truncate -s 512M /var/tmp/lun
echo fd_dev_name=/var/tmp/lun,fd_dev_size=536870912,fd_buffered_io=1 >$core/control
echo 5dcf0e2a-independent >$core/wwn/vpd_unit_serial
echo 1 >$core/enable
mkdir -p $tpg/np/%IP%:3260 $tpg/lun/lun_0 $tpg/acls/%INITIATOR%/lun_0
ln -s $core $tpg/lun/lun_0/disk
ln -s $tpg/lun/lun_0 $tpg/acls/%INITIATOR%/lun_0/lun_0
echo 0 >$tpg/attrib/authentication
echo 1 >$tpg/enable
`

// The node's kernel initiator, iscsid and udev work against a target that is
// not ours, over the bridge: what fails with san-array later is san-array's.
func TestISCSIAgainstAnIndependentTarget(t *testing.T) {
	const target = "iqn.2026-01.io.san-csi.test:disk"
	var server, node *guest.VM
	var boots sync.WaitGroup
	boots.Go(func() { server = bootGuest(t, guest.Config{Name: "target", IP: "192.0.2.200"}) })
	boots.Go(func() { node = bootGuest(t, guest.Config{Name: "node"}) })
	boots.Wait()
	if t.Failed() {
		return
	}
	mustRun(t, server, strings.NewReplacer("%TARGET%", target, "%INITIATOR%", node.IQN, "%IP%", server.IP).Replace(lioTarget))
	if err := node.StartISCSI(t.Context()); err != nil {
		t.Fatal(err)
	}
	record := "iscsiadm -m node -T " + target + " -p " + server.IP + ":3260 "
	mustRun(t, node, record+"-o new && "+record+"--login")
	link := "/dev/disk/by-path/ip-" + server.IP + ":3260-iscsi-" + target + "-lun-0"
	mustRun(t, node, "udevadm wait --timeout=60 "+link)
	if ids := mustRun(t, node, "ls /dev/disk/by-id"); !strings.Contains(ids, "wwn-") {
		t.Errorf("no identity in /dev/disk/by-id: %s", ids)
	}
	for _, fstype := range []string{"ext4", "xfs"} {
		mustRun(t, node, "wipefs -a "+link+" && mkfs."+fstype+" -q "+link+" && mount "+link+" /mnt")
		wrote := mustRun(t, node, "head -c 4194304 /dev/urandom >/mnt/data && sync && sha256sum </mnt/data")
		read := mustRun(t, node, "umount /mnt && echo 3 >/proc/sys/vm/drop_caches && mount "+link+" /mnt && sha256sum </mnt/data && umount /mnt")
		if wrote != read {
			t.Errorf("%s: wrote %s, read %s", fstype, wrote, read)
		}
	}
	mustRun(t, node,
		// fio takes the colons of the link for separators.
		"fio --name=read --filename=$(readlink -f "+link+") --readonly --direct=1 --rw=randread --bs=4k --ioengine=libaio --iodepth=8 --size=1M --minimal")
	mustRun(t, node, record+"--logout && ! iscsiadm -m session")
	mustRun(t, node, "udevadm settle && ! [ -e "+link+" ]")
}
