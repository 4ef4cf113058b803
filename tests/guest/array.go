package guest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

// ArrayConfig says how to run the software array on the host's side.
type ArrayConfig struct {
	// Binary is the path of san-array.
	Binary string
	// DataDir holds the volumes; it outlives the process.
	DataDir string
	// CredentialsFile has the administrator's name and password; san-array makes
	// one if it is not there. Default: credentials.yaml in DataDir.
	CredentialsFile string
	// TotalIOPS is the declared capability, in IOPS of 4 KiB; 0 leaves san-array's default.
	TotalIOPS int64
	// Second puts the array on [SecondIP], beside one that has the other two
	// addresses: a cluster of one node, without a redirect.
	Second bool
	// Args are further arguments.
	Args []string
}

const iscsiPort = "3260"

// arrayReady begins the line that san-array prints once it serves.
const arrayReady = "ready"

// ArrayProcess is a running, or killed, san-array.
type ArrayProcess struct {
	config  ArrayConfig
	log     string
	process *process
}

// StartArray starts san-array on [HostIP] and returns when it serves. Its log
// is san-array.log, or san-array-second.log, in the run's log directory.
func StartArray(ctx context.Context, config ArrayConfig) (*ArrayProcess, error) {
	w, err := currentWorld()
	if err != nil {
		return nil, err
	}
	log := "san-array.log"
	if config.Second {
		log = "san-array-second.log"
	}
	return startArray(ctx, config, filepath.Join(w.logs(), log))
}

func startArray(ctx context.Context, config ArrayConfig, log string) (*ArrayProcess, error) {
	if config.Binary == "" || config.DataDir == "" {
		return nil, fmt.Errorf("array config: Binary %q and DataDir %q are both needed", config.Binary, config.DataDir)
	}
	config.CredentialsFile = cmp.Or(config.CredentialsFile, filepath.Join(config.DataDir, "credentials.yaml"))
	a := &ArrayProcess{config: config, log: log}
	if err := a.start(ctx); err != nil {
		return nil, err
	}
	return a, nil
}

// APIAddress is where the array's JSON-RPC API listens, host:port.
func (a *ArrayProcess) APIAddress() string { return net.JoinHostPort(a.address(), "443") }

// Portal is the cluster's iSCSI portal, host:port, which redirects logins.
func (a *ArrayProcess) Portal() string { return net.JoinHostPort(a.address(), iscsiPort) }

func (a *ArrayProcess) address() string {
	if a.config.Second {
		return SecondIP
	}
	return HostIP
}

// NodePortal is the iSCSI portal where sessions are, host:port; a second array
// has them at its only portal.
func (a *ArrayProcess) NodePortal() string {
	if a.config.Second {
		return a.Portal()
	}
	return net.JoinHostPort(NodeIP, iscsiPort)
}

// CAFile is the certificate authority of the array's TLS certificate.
func (a *ArrayProcess) CAFile() string { return filepath.Join(a.config.DataDir, "ca.pem") }

// CredentialsFile is the file with the administrator's name and password.
func (a *ArrayProcess) CredentialsFile() string { return a.config.CredentialsFile }

func (a *ArrayProcess) args() []string {
	args := []string{
		"--data-dir=" + a.config.DataDir,
		"--api-address=" + a.APIAddress(),
		"--iscsi-address=" + a.Portal(),
	}
	if !a.config.Second {
		args = append(args, "--iscsi-address="+a.NodePortal(), "--iscsi-redirect")
	}
	args = append(args, "--advertise="+a.address(), "--credentials-file="+a.config.CredentialsFile)
	if a.config.TotalIOPS != 0 {
		args = append(args, "--total-iops="+strconv.FormatInt(a.config.TotalIOPS, 10))
	}
	return append(args, a.config.Args...)
}

func (a *ArrayProcess) start(ctx context.Context) error {
	ready := make(chan struct{}, 1)
	watch := func(line string) {
		if strings.HasPrefix(line, arrayReady) {
			select {
			case ready <- struct{}{}:
			default:
			}
		}
	}
	cmd := command(context.WithoutCancel(ctx), a.config.Binary, a.args()...)
	p, err := startProcess("san-array", a.log, cmd, watch)
	if err != nil {
		return err
	}
	a.process = p
	select {
	case <-ready:
		return nil
	case <-p.exited:
		return p.endError()
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("wait for san-array to be ready: %w; its log: %s", ctx.Err(), a.log), p.kill())
	}
}

// Log is the path of the array's log.
func (a *ArrayProcess) Log() string { return a.log }

// Kill ends the array at once, as a power cut of its process does, and returns
// when it is gone.
func (a *ArrayProcess) Kill() error { return a.process.kill() }

// Stop ends the array in good order; if it has not ended when ctx does, it is
// killed and that is an error.
func (a *ArrayProcess) Stop(ctx context.Context) error { return a.process.stop(ctx) }

// Restart kills the array if it runs, starts it on the same data, and returns
// when it serves.
func (a *ArrayProcess) Restart(ctx context.Context) error {
	if err := a.Kill(); err != nil {
		return err
	}
	return a.start(ctx)
}

// Running tells whether the array has neither been stopped nor died.
func (a *ArrayProcess) Running() bool { return a.process.running() }

// Pid is the array's process ID in this run's pid namespace.
func (a *ArrayProcess) Pid() int { return a.process.cmd.Process.Pid }
