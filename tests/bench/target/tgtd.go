package target

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// Tgtd is a running tgtd with one target a LUN, as the array has it.
type Tgtd struct {
	*process
	LUNs []LUN
}

// Programs are tgtd's, and the environment they need.
type Programs struct {
	Tgtd, Tgtadm string
	Env          []string
}

// sizes are what tgtd is to offer in logins, bytes: the same as san-array does.
// Its own are smaller, and its large I/O slower with them.
var sizes = map[string]string{
	"MaxRecvDataSegmentLength": "262144",
	"MaxXmitDataSegmentLength": "262144",
	"FirstBurstLength":         "262144",
	"MaxBurstLength":           "1048576",
}

// StartTgtd starts a tgtd of its own, beside any other on the machine, with
// luns sparse files of size bytes in dir.
func StartTgtd(ctx context.Context, programs Programs, dir string, luns int, size int64) (*Tgtd, error) {
	portal, err := freePortal()
	if err != nil {
		return nil, err
	}
	// Where daemon and tool meet; the path must be short, as it is a socket's.
	env := append(slices.Clone(programs.Env), "TGT_IPC_SOCKET="+filepath.Join(dir, "tgtd"))
	cmd := exec.Command(programs.Tgtd, "--foreground", "--iscsi", "portal="+portal)
	cmd.Env = env
	p, err := start(cmd, nil)
	if err != nil {
		return nil, err
	}
	t := &Tgtd{process: p}
	admin := func(args ...string) error {
		cmd := exec.CommandContext(ctx, programs.Tgtadm, append([]string{"--lld", "iscsi"}, args...)...)
		cmd.Env = env
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("tgtadm %q: %w: %s", args, err, out)
		}
		return nil
	}
	if err := t.setUp(ctx, admin, portal, dir, luns, size); err != nil {
		t.Kill()
		return nil, err
	}
	return t, nil
}

func (t *Tgtd) setUp(ctx context.Context, admin func(...string) error, portal, dir string, luns int, size int64) error {
	ready, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := until(ready, t.process, func() error { return admin("--op", "show", "--mode", "sys") }); err != nil {
		return err
	}
	for i := range luns {
		file, tid := filepath.Join(dir, fmt.Sprintf("lun%d", i)), strconv.Itoa(i+1)
		lun := LUN{Portal: portal, IQN: "iqn.2010-01.io.san-csi:bench-" + tid, Number: 1}
		if err := sparse(file, size); err != nil {
			return err
		}
		commands := [][]string{
			{"--op", "new", "--mode", "target", "--tid", tid, "--targetname", lun.IQN},
			{"--op", "new", "--mode", "logicalunit", "--tid", tid, "--lun", "1", "--backing-store", file},
			{"--op", "bind", "--mode", "target", "--tid", tid, "--initiator-address", "ALL"},
		}
		for key, value := range sizes {
			commands = append(commands, []string{"--op", "update", "--mode", "target", "--tid", tid, "--name", key, "--value", value})
		}
		for _, args := range commands {
			if err := admin(args...); err != nil {
				return err
			}
		}
		t.LUNs = append(t.LUNs, lun)
	}
	return nil
}

func sparse(file string, size int64) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Truncate(size)
}

// freePortal is an address on which nothing listens: tgtd cannot tell which
// port it was given.
func freePortal() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
