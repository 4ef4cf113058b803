//go:build guest

package node

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
)

// testForeignData stages devices that hold something else than the filesystem
// asked for: refused, told what is there, and not one byte of it changed.
func testForeignData(t *testing.T, b *bench) {
	if err := b.node.VM.Put(t.Context(), "/tmp/lvm", lvmLabel(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range short([]struct {
		name, wanted, plant string
		says                []string
	}{
		{"xfs", "ext4", "mkfs.xfs -q $d", []string{"holds xfs", "ext4 wanted"}},
		{"ext4", "xfs", "mkfs.ext4 -q $d", []string{"holds ext4", "xfs wanted"}},
		{"btrfs", "ext4", "mkfs.btrfs -q $d", []string{"holds btrfs", "ext4 wanted"}},
		{"swap", "ext4", "mkswap $d", []string{"holds swap", "ext4 wanted"}},
		{"partition table", "ext4", `printf '\000\002\000\203\003\120\000\000\010\000\000\000\020\000\000' | dd of=$d bs=1 seek=447 2>/dev/null
printf '\125\252' | dd of=$d bs=1 seek=510 2>/dev/null`, []string{"partition table dos", "ext4 wanted"}},
		{"LVM", "ext4", "dd if=/tmp/lvm of=$d bs=512 seek=1 2>/dev/null", []string{"LVM2_member", "ext4 wanted"}},
		{"no signature at the head", "ext4", "dd if=/dev/urandom of=$d bs=64k count=1 seek=1 2>/dev/null", []string{"no known signature", "not empty"}},
		{"no signature at the tail", "xfs", "dd if=/dev/urandom of=$d bs=4k count=1 seek=262143 2>/dev/null", []string{"no known signature", "not empty"}},
		{"ext4 whose head was wiped", "ext4", "mkfs.ext4 -q $d; dd if=/dev/zero of=$d bs=1M count=2 2>/dev/null", []string{"no known signature", "not empty"}},
	}, 3) {
		t.Run(c.name, func(t *testing.T) {
			v := b.volume(t, "pvc-foreign", mounted(c.wanted), nil)
			v.byHand(t, c.plant)
			before := v.fingerprint(t)
			refused(t, v.stage, codes.FailedPrecondition, c.says...)
			v.checkUntouched(t, before)
			checkNodeClean(t, b)
		})
	}
}

// lvmLabel is the label of an LVM physical volume, as pvcreate writes it to the
// second sector.
func lvmLabel() []byte {
	const start = 0xf597a6cf // of LVM's CRC-32
	label := make([]byte, 512)
	copy(label, "LABELONE")
	binary.LittleEndian.PutUint64(label[8:], 1)   // the sector that it is in
	binary.LittleEndian.PutUint32(label[20:], 32) // where its header begins
	copy(label[24:], "LVM2 001")
	copy(label[32:], "0123456789abcdefghijklmnopqrstuv")
	binary.LittleEndian.PutUint64(label[64:], gib)
	sum := ^crc32.Update(^uint32(start), crc32.IEEETable, label[20:])
	binary.LittleEndian.PutUint32(label[16:], sum)
	return label
}

// checkUntouched compares what the array has of the volume with what it had.
func (v *volume) checkUntouched(t *testing.T, before string) {
	t.Helper()
	if after := v.fingerprint(t); after != before {
		t.Errorf("the volume's data has changed: %s, was %s", after, before)
	}
}

// testWrongGrants stages with publish contexts that do not fit the device.
func testWrongGrants(t *testing.T, b *bench) {
	v := b.volume(t, "pvc-grants", mounted("ext4"), nil)
	// A second grant, so that there is an older epoch.
	must(t, v.unpublishFrom, v.publishTo)
	before := v.fingerprint(t)
	other := strings.Repeat("6", 32)
	for _, c := range short([]struct {
		name, key, value string
		code             codes.Code
		says             []string
	}{
		{"another NAA", "naa", other, codes.FailedPrecondition, []string{v.grant["naa"], other}},
		{"larger than the device", "sizeBytes", "2147483648", codes.FailedPrecondition, []string{"1073741824", "2147483648"}},
		{"NAA cut short", "naa", "6f47", codes.InvalidArgument, []string{"naa", "6f47", "32 hex digits"}},
		{"no target", "iqn", "", codes.InvalidArgument, []string{"iqn", "missing"}},
		{"an option as the target", "iqn", "--version", codes.InvalidArgument, []string{"--version", "not an iSCSI name"}},
		{"portal without port", "portals", "192.0.2.1", codes.InvalidArgument, []string{"portals", "192.0.2.1", "host:port"}},
		{"portal where nobody listens", "portals", "192.0.2.1:1", codes.Unavailable, []string{"192.0.2.1:1"}},
		{"target that is not there", "iqn", v.grant["iqn"] + "9", codes.Unavailable, []string{v.grant["iqn"] + "9"}},
		{"LUN out of range", "lun", "16384", codes.InvalidArgument, []string{"16384", "16383"}},
		{"epoch 0", "epoch", "0", codes.InvalidArgument, []string{"epoch", `"0"`}},
		{"read-only, and empty", "readOnly", "true", codes.FailedPrecondition, []string{"read-only", "ext4 wanted"}},
		{"not known to be blank", "blank", "false", codes.FailedPrecondition, []string{"not a volume that was made empty"}},
	}, 4) {
		t.Run(c.name, func(t *testing.T) {
			wrong := maps.Clone(v.grant)
			wrong[c.key] = c.value
			refused(t, func(ctx context.Context) error { return v.stageWith(ctx, wrong) }, c.code, c.says...)
			v.checkUntouched(t, before)
			must(t, v.unstage)
			checkNodeClean(t, b)
		})
	}
	must(t, v.stage)
	older := maps.Clone(v.grant)
	older["epoch"] = "1"
	refused(t, func(ctx context.Context) error { return v.stageWith(ctx, older) }, codes.InvalidArgument, "epoch 1", "epoch "+v.grant["epoch"])
	if v.device(t) == "" {
		t.Error("the older epoch took away the newer one's mount")
	}
}

// testWrongCalls asks for what the volume's state does not allow.
func testWrongCalls(t *testing.T, b *bench) {
	c := mounted("ext4")
	c.AccessMode.Mode = csi.VolumeCapability_AccessMode_SINGLE_NODE_SINGLE_WRITER
	v := b.volume(t, "pvc-calls", c, nil)
	ungranted := *v
	ungranted.grant = nil
	refused(t, ungranted.publish, codes.NotFound, "not staged")
	must(t, v.stage, v.publish)
	mounts := b.sh(t, "cat /proc/self/mounts")

	altered := func(alter func(*volume)) func(context.Context) error {
		w := *v
		alter(&w)
		return w.stage
	}
	second := func(ctx context.Context) error { return v.publishAt(ctx, v.pod("pod-2"), false) }
	refused(t, second, codes.FailedPrecondition, v.target, "only one target path")
	refused(t, func(ctx context.Context) error { return v.publishAt(ctx, v.target, true) }, codes.AlreadyExists, "read-only false", "true")
	refused(t, altered(func(w *volume) { w.staging += "-2" }), codes.AlreadyExists, v.staging, v.staging+"-2")
	refused(t, altered(func(w *volume) { w.capability = mounted("xfs") }), codes.AlreadyExists, "filesystem ext4", "xfs")
	refused(t, altered(func(w *volume) { w.capability = mounted("ext4", "noatime") }), codes.AlreadyExists, "mount flags []", "[noatime]")
	refused(t, altered(func(w *volume) { w.capability = raw() }), codes.AlreadyExists, "block false", "true")
	refused(t, func(ctx context.Context) error { return v.growNode(ctx, 2*gib) }, codes.Unavailable, fmt.Sprint(gib), fmt.Sprint(2*gib))
	refused(t, v.unstage, codes.FailedPrecondition, "still mounted at "+v.target)
	if after := b.sh(t, "cat /proc/self/mounts"); after != mounts {
		t.Errorf("mounts are now\n%s\nwere\n%s", after, mounts)
	}
}

// testUnreadable takes a part of a volume's data away beneath the array. A
// device that cannot be read is an error, never a blank one; once it can be
// read, the same call succeeds.
func testUnreadable(t *testing.T, b *bench) {
	for _, c := range short([]struct {
		name string
		left int64 // bytes of the volume that can still be read
		says string
	}{
		{"nothing", 0, "trial read"},
		{"the first half", gib / 2, "cannot be read"},
		{"all but the last block", gib - 4096, "cannot be read"},
	}, 1) {
		t.Run(c.name, func(t *testing.T) {
			v := b.volume(t, "pvc-unreadable", mounted("ext4"), nil)
			file := b.lab.VolumeFile(v.number(t))
			if err := os.Truncate(file, c.left); err != nil {
				t.Fatal(err)
			}
			before := v.fingerprint(t)
			refused(t, v.stage, codes.Unavailable, c.says, "/dev/sd")
			v.checkUntouched(t, before)
			if err := os.Truncate(file, gib); err != nil {
				t.Fatal(err)
			}
			must(t, v.stage)
		})
	}
}
