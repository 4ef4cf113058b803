//go:build guest

package node

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
)

// testFilesystems walks a volume of each filesystem through its life: what was
// written outlives unstage and growth, and is never formatted over.
func testFilesystems(t *testing.T, b *bench) {
	for _, fsType := range short([]string{"ext4", "xfs", "btrfs"}, 2) {
		t.Run(fsType, func(t *testing.T) {
			v := b.volume(t, "pvc-"+fsType, mounted(fsType, "noatime", "discard"), map[string]string{"mkfsOptions": "-L made-" + fsType})
			must(t, v.stage, v.publish)
			if label := b.sh(t, "blkid -p -o value -s LABEL "+v.device(t)); strings.TrimSpace(label) != "made-"+fsType {
				t.Errorf("mkfsOptions: label %q, want made-%s", label, fsType)
			}
			if found := v.mount(t, "FSTYPE,OPTIONS"); !strings.Contains(found, fsType) || !strings.Contains(found, "noatime") || !strings.Contains(found, "discard") {
				t.Errorf("mounted as %q, want %s with noatime and discard", found, fsType)
			}
			sum, uuid := v.write(t), v.uuid(t)

			must(t, v.unpublish, v.unstage)
			checkNodeClean(t, b)
			must(t, v.stage, v.stage, v.publish, v.publish)
			if got := v.uuid(t); got != uuid {
				t.Errorf("filesystem %s, was %s: formatted again", got, uuid)
			}
			v.checkSum(t, sum)

			v.checkGrowth(t)
			v.checkSum(t, sum)
		})
	}
}

// write fills a file of 8 MiB and gives its checksum, as the array has it.
func (v *volume) write(t *testing.T) string {
	t.Helper()
	return v.b.sh(t, "cd "+v.target+" && dd if=/dev/urandom of=data bs=1M count=8 conv=fsync 2>/dev/null && echo 3 > /proc/sys/vm/drop_caches && sha256sum data")
}

func (v *volume) checkSum(t *testing.T, want string) {
	t.Helper()
	if got := v.b.sh(t, "cd "+v.target+" && echo 3 > /proc/sys/vm/drop_caches && sha256sum data"); got != want {
		t.Errorf("data reads as %s, was written as %s", got, want)
	}
}

func (v *volume) mount(t *testing.T, columns string) string {
	t.Helper()
	return strings.TrimSpace(v.b.sh(t, "findmnt -n -o "+columns+" "+v.staging))
}

func (v *volume) device(t *testing.T) string {
	t.Helper()
	return v.mount(t, "SOURCE")
}

func (v *volume) uuid(t *testing.T) string {
	t.Helper()
	return v.b.sh(t, "blkid -p -o value -s UUID "+v.device(t))
}

// checkGrowth doubles the volume while it is in use.
func (v *volume) checkGrowth(t *testing.T) {
	t.Helper()
	before := v.usage(t)[csi.VolumeUsage_BYTES]
	again := func(ctx context.Context) error { return v.grow(ctx, 2*gib) }
	must(t, again, again)
	after := v.usage(t)[csi.VolumeUsage_BYTES]
	if grown := after.GetTotal() - before.GetTotal(); grown < gib*9/10 {
		t.Errorf("grew by %d bytes from %d, want about %d more", grown, before.GetTotal(), gib)
	}
	if out := strings.TrimSpace(v.b.sh(t, "df -B1 --output=size "+v.target+" | tail -n 1")); out != strconv.FormatInt(after.GetTotal(), 10) {
		t.Errorf("df shows %s bytes, the driver tells %d", out, after.GetTotal())
	}
	if after.GetUsed() < 8<<20 || after.GetAvailable() <= 0 {
		t.Errorf("usage %v, want at least the 8 MiB written as used, and room", after)
	}
}

// What an administrator's debugfs does to an ext4 that is not mounted.
const (
	// markErrors sets the flag of a filesystem with errors; e2fsck -p clears it.
	markErrors = `debugfs -w -R "ssv state 3" $d`
	// loseInode leaves an inode without its directory entry: more than preen may mend.
	loseInode = `debugfs -w -R "unlink /data" $d && debugfs -w -R "ssv state 3" $d`
)

// testFsck damages an ext4 and stages it with each mode.
func testFsck(t *testing.T, b *bench) {
	for _, c := range short([]struct {
		mode, damage string
		code         codes.Code // of the stage
		state        string     // of the filesystem, afterwards
	}{
		{"", markErrors, codes.OK, "clean"},
		{"preen", loseInode, codes.FailedPrecondition, "clean with errors"},
		{"repair", loseInode, codes.OK, "clean"},
		{"off", loseInode, codes.OK, "clean with errors"},
	}, 2) {
		t.Run("mode "+c.mode, func(t *testing.T) {
			parameters := map[string]string{"fsck": c.mode}
			if c.mode == "" {
				parameters = nil
			}
			v := b.volume(t, "pvc-fsck-"+c.mode, mounted("ext4"), parameters)
			must(t, v.stage, v.publish)
			b.sh(t, "echo kept > "+v.target+"/data")
			must(t, v.unpublish, v.unstage)
			v.byHand(t, c.damage)

			if c.code == codes.OK {
				must(t, v.stage)
			} else {
				refused(t, v.stage, c.code, c.mode, "fsck=repair")
				checkNodeClean(t, b)
			}
			must(t, v.unstage)
			if out := v.byHand(t, "dumpe2fs -h $d 2>/dev/null | sed -n 's/^Filesystem state: *//p'"); strings.TrimSpace(out) != c.state {
				t.Errorf("the filesystem is %q, want %q", out, c.state)
			}
		})
	}
}
