package initiator

import (
	"context"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/klog/v2"
)

// resends is how often the kernel sends a command of a disk again (sd's
// max_retries, of which it takes no more than that).
const resends = 5

// outlast lets the disk's commands wait as long as its session may be away. The
// SCSI midlayer fails a command that it has to send again once that is older than
// (resends + 1) times the disk's time-out, 180 s by default: a session that came
// back later would find its I/O failed. A connection that does not answer is
// noticed by its pings, long before the time-out.
func (i *Initiator) outlast(ctx context.Context, lunDir string) {
	now, err := integer(lunDir, "timeout")
	if err != nil || now <= 0 {
		return
	}
	away := int64((i.admin.replacement + noopInterval + loginTimeout) / time.Second)
	wanted := away/(resends+1) + 1
	if wanted <= now {
		return
	}
	if err := i.write(ctx, filepath.Join(lunDir, "timeout"), strconv.FormatInt(wanted, 10)); err != nil && !gone(err) {
		klog.FromContext(ctx).Error(err, "Disk's commands may fail before its session is given up", "device", filepath.Base(lunDir), "seconds", now, "wanted", wanted)
	}
}
