package initiator

import (
	"context"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/klog/v2"
)

// outlast lets the disk's commands wait as long as its session may be away. The
// SCSI midlayer fails a command that it has to send again once that is older than
// (max_retries + 1) times the disk's time-out, 180 s by default: a session that
// came back later would find its I/O failed. Kernels before 5.10 have no such
// attribute, and keep that bound.
func (i *Initiator) outlast(ctx context.Context, lunDir string) {
	disk := filepath.Join(lunDir, "scsi_disk", filepath.Base(lunDir))
	now, err := integer(disk, "max_retries")
	if err != nil || now < 0 { // -1: without end
		return
	}
	seconds, err := integer(lunDir, "timeout")
	if err != nil || seconds <= 0 {
		return
	}
	timeout := time.Duration(seconds) * time.Second
	wanted := int64((i.admin.replacement + timeout - 1) / timeout)
	if wanted <= now {
		return
	}
	if err := i.write(ctx, filepath.Join(disk, "max_retries"), strconv.FormatInt(wanted, 10)); err != nil && !gone(err) {
		klog.FromContext(ctx).Error(err, "Disk's commands may fail before its session is given up", "device", filepath.Base(lunDir), "retries", now, "wanted", wanted)
	}
}
