//go:build guest

package array

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/san-csi/san-csi/tests/guest"
)

// lun is a volume as the node has it.
type lun struct {
	id     int64
	iqn    string
	fstype string
	dir    string // where it is mounted
	portal string // the cluster's
	record map[string]string
}

func (l lun) device() string {
	return "/dev/disk/by-path/ip-" + l.portal + "-iscsi-" + l.iqn + "-lun-0"
}

// login writes a node record, without discovery, and logs in. Sessions that are
// cut off are given ten minutes to come back before I/O fails.
func (l lun) login() string {
	record := fmt.Sprintf("iscsiadm -m node -T %s -p %s ", l.iqn, l.portal)
	var b strings.Builder
	b.WriteString("set -e\n" + record + "-o new\n")
	settings := map[string]string{"node.session.timeo.replacement_timeout": "600"}
	for key, value := range l.record {
		settings[key] = value
	}
	for key, value := range settings {
		fmt.Fprintf(&b, "%s-o update -n %s -v %s\n", record, key, value)
	}
	b.WriteString(record + "--login\nudevadm wait --timeout=60 " + l.device() + "\n")
	return b.String()
}

func (l lun) logout() string {
	return fmt.Sprintf("iscsiadm -m node -T %s -p %s --logout", l.iqn, l.portal)
}

func (l lun) mount() string { return fmt.Sprintf("mount %s %s", l.device(), l.dir) }

func (l lun) format() string {
	return fmt.Sprintf("mkfs.%s -q %s && mkdir -p %s && %s", l.fstype, l.device(), l.dir, l.mount())
}

// check unmounts the file system, has its own tool find nothing wrong, and
// mounts it again.
func (l lun) check() string {
	fsck := map[string]string{"ext4": "e2fsck -fn", "xfs": "xfs_repair -n"}[l.fstype]
	return fmt.Sprintf("set -e\numount %s\n%s %s 2>&1\n%s", l.dir, fsck, l.device(), l.mount())
}

// load is a program that runs in the guest until its time is over.
type load struct {
	name  string
	shell string
}

// loads are what is done to one file system. fio is started again and again, as
// each run writes the whole file and then reads and verifies it.
func (l lun) loads(seed uint64, seconds int) []load {
	exerciser := fmt.Sprintf("/payload/exerciser -file %s/exercised -seed %d -for %ds", l.dir, seed, seconds)
	fio := fmt.Sprintf(`end=$(( $(date +%%s) + %d )); n=%d
while [ $(date +%%s) -lt $end ]; do
	fio --name=verify --filename=%s/fio --size=16M --rw=randwrite --bs=16k --direct=1 --ioengine=libaio --iodepth=8 \
		--verify=crc32c --verify_fatal=1 --do_verify=1 --randseed=$n --output-format=terse || exit 1
	n=$((n + 1))
done`, seconds, seed%1000, l.dir)
	return []load{{l.fstype + "-exerciser", exerciser}, {l.fstype + "-fio", fio}}
}

func (l load) log() string    { return "/var/log/" + l.name + ".log" }
func (l load) result() string { return "/run/" + l.name + ".result" }

func (l load) start(ctx context.Context, vm *guest.VM) error {
	_, err := vm.Start(ctx, "("+l.shell+"\n); echo $? >"+l.result()+".new; mv "+l.result()+".new "+l.result(), l.log())
	return err
}

// wait returns when the program has ended, with an error where it found one.
func (l load) wait(ctx context.Context, vm *guest.VM) error {
	_, err := vm.Run(ctx, fmt.Sprintf("until [ -e %[1]s ]; do sleep 1; done; [ $(cat %[1]s) = 0 ] || { tail -n 60 %[2]s >&2; exit 1; }", l.result(), l.log()))
	return err
}

func run(t *testing.T, vm *guest.VM, shell string) string {
	t.Helper()
	out, err := vm.Run(t.Context(), shell)
	if err != nil {
		t.Fatal(err, out)
	}
	return out
}
