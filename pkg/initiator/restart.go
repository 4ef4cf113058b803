package initiator

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"k8s.io/klog/v2"
)

// restartTimeout is how long iscsid may take to come back.
const restartTimeout = 30 * time.Second

// renew has iscsid take the secrets that the kernel's sessions have: while it
// runs it remembers what it logged them in with, and writes that back into the
// kernel at each attempt.
func (i *Initiator) renew(ctx context.Context, username string) error {
	if i.keepIscsid {
		klog.FromContext(ctx).Error(ErrDenied, "iscsid remembers a CHAP secret that is over: until it is restarted, a session that is lost does not come back", "username", username)
		return nil
	}
	klog.FromContext(ctx).Info("iscsid is restarted, so that it takes over a new CHAP secret", "username", username)
	d, err := i.admin.database()
	if err != nil {
		return err
	}
	before := d.daemon()
	if err := i.admin.stopDaemon(ctx); err != nil {
		return err
	}
	waiting, stop := context.WithTimeout(ctx, restartTimeout)
	defer stop()
	err = i.await(waiting, nil, "iscsid, which was ended, to be started again by iscsiadm or systemd", func() (bool, error) {
		// At this level of detail iscsiadm asks iscsid, and starts it where there is
		// none, by the command of the host's iscsid.conf.
		err := i.admin.run(waiting, "-m", "session", "-P", "1")
		now := d.daemon()
		return err == nil && i.Daemon(waiting) == nil && (now == "" || now != before), nil
	})
	if err != nil {
		return fmt.Errorf("start iscsid by hand: %w", err)
	}
	return nil
}

// daemon is the file that iscsid writes when it starts, "" where it has none.
func (d database) daemon() string {
	text, err := os.ReadFile(filepath.Join(d.root, "run/iscsid.pid"))
	if err != nil {
		return ""
	}
	return string(text)
}
