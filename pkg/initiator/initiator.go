// Package initiator is the node's iSCSI: node records, logins, scans, device
// waits, the identity gate, and the way back. It knows iscsiadm, /sys and
// uevents, and acts on exactly the target it is asked for. It imports nothing
// of ours.
package initiator

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"
	utilexec "k8s.io/utils/exec"
)

// The sentinel errors, wrapped with the operation, the target and the numbers.
var (
	// ErrInvalid: a target that cannot be.
	ErrInvalid = errors.New("invalid")
	// ErrIdentity: the device is not the volume expected. Nothing was read from it or written to it.
	ErrIdentity = errors.New("device is not the volume expected")
	// ErrNotFound: no such target there, or nothing attached.
	ErrNotFound = errors.New("not found")
	// ErrDenied: the target refuses this initiator, or gives it less than asked for.
	ErrDenied = errors.New("denied")
	// ErrBusy: something else on this node holds the device.
	ErrBusy = errors.New("in use")
	// ErrDatabase: iscsiadm cannot read or write its node records.
	ErrDatabase = errors.New("node record database failed")
	// ErrUnavailable: portal, target, iscsid or device do not answer; retry.
	ErrUnavailable = errors.New("unavailable")
)

const (
	defaultReplacement = 120 * time.Second
	defaultPoll        = 500 * time.Millisecond
	defaultStagger     = 10 * time.Second
)

// Options are what an Initiator works with; zero members take the defaults.
type Options struct {
	Exec  utilexec.Interface // runs the host's programs; the real one
	Reach Reach              // how; ReachAuto
	// Root is the host's root directory, for ReachChroot; "" where the host's root
	// is this one.
	Root          string
	Sys           string // /sys
	Dev           string // /dev
	Proc          string // /proc
	InitiatorName string // the file; /etc/iscsi/initiatorname.iscsi
	// OwnName is the initiator name to log in under, by an interface of the
	// driver's own; "" = the host's. See Prepare.
	OwnName            string
	Keyring            Keyring       // for targets that have Credentials; may be nil
	KeepIscsid         bool          // do not restart iscsid for what it remembers and is over
	ReplacementTimeout time.Duration // I/O fails after a session was away for so long; 120 s
	Poll               time.Duration // the safety net beneath uevents; 500 ms
	// Subscribe starts to listen to uevents and stops when the context ends.
	Subscribe func(ctx context.Context) (<-chan struct{}, error)
}

// Target is the LUN to attach and what it must show.
type Target struct {
	IQN       string
	Portals   []string // host:port; used together, or else the first that answers
	LUN       int
	NAA       string // 32 lower-case hex digits
	SizeBytes int64  // at least
	ReadOnly  bool   // a write-protected device will do
	// Credentials are what to log in with, sealed; "" = none. See Options.Keyring.
	Credentials string
}

// Device is a LUN as the kernel has it: a disk, or the multipath map of its disks.
type Device struct {
	Name      string // sdb, dm-0
	Path      string // /dev/sdb
	Number    string // major:minor
	SizeBytes int64
}

// Initiator attaches and detaches targets.
type Initiator struct {
	admin      *admin
	host       *host
	multipathd *multipathd
	sys, dev   string
	proc       string
	nameFile   string
	ownName    string // "" = the host's
	keyring    Keyring
	keepIscsid bool
	adopting   *semaphore.Weighted // held over a change of secrets
	poll       time.Duration
	subscribe  func(ctx context.Context) (<-chan struct{}, error)
	disk       disk
	write      func(ctx context.Context, path, value string) error // to an attribute of sysfs
	patience   time.Duration                                       // with a logout that somebody else has begun
	stagger    time.Duration                                       // with multipathd, and with one path where another may serve
	destroy    func(transport uint64, sid uint32) error            // of a session in the kernel
	setCHAP    func(sid string, c CHAP) error                      // of a session in the kernel
}

// New makes an Initiator.
func New(o Options) *Initiator {
	h := &host{exec: o.Exec, reach: cmp.Or(o.Reach, ReachAuto), root: o.Root, proc: cmp.Or(o.Proc, "/proc")}
	if h.exec == nil {
		h.exec = utilexec.New()
	}
	i := &Initiator{
		admin: &admin{
			host:        h,
			replacement: cmp.Or(o.ReplacementTimeout, defaultReplacement),
			records:     semaphore.NewWeighted(1),
			files:       func() (string, error) { return h.files(iscsiadm) },
		},
		host:       h,
		multipathd: &multipathd{root: o.Root, dial: dialUnix},
		sys:        cmp.Or(o.Sys, "/sys"),
		dev:        cmp.Or(o.Dev, "/dev"),
		proc:       cmp.Or(o.Proc, "/proc"),
		nameFile:   cmp.Or(o.InitiatorName, "/etc/iscsi/initiatorname.iscsi"),
		ownName:    strings.ToLower(o.OwnName),
		keyring:    o.Keyring,
		keepIscsid: o.KeepIscsid,
		adopting:   semaphore.NewWeighted(1),
		poll:       cmp.Or(o.Poll, defaultPoll),
		subscribe:  o.Subscribe,
		disk:       blockDisk{},
		write:      writeAttribute,
		patience:   unboundPatience,
		stagger:    defaultStagger,
		destroy:    destroySession,
	}
	i.setCHAP = i.setSessionCHAP
	if i.ownName != "" {
		i.admin.iface = ownInterface
	}
	if i.subscribe == nil {
		i.subscribe = uevents
	}
	return i
}

// Name is the node's initiator name in lower case: the driver's own, or the
// host's as iscsid reads it.
func (i *Initiator) Name() (string, error) {
	if i.ownName != "" {
		return i.ownName, nil
	}
	file, err := os.Open(i.nameFile)
	if err != nil {
		return "", fmt.Errorf("initiator name: %w", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		key, value, ok := strings.Cut(lines.Text(), "=")
		if name := strings.ToLower(strings.TrimSpace(value)); ok && strings.TrimSpace(key) == "InitiatorName" && name != "" {
			return name, nil
		}
	}
	if err := lines.Err(); err != nil {
		return "", fmt.Errorf("initiator name: %w", err)
	}
	return "", fmt.Errorf("initiator name: no InitiatorName= in %s: %w", i.nameFile, ErrNotFound)
}

func (i *Initiator) sysPath(parts ...string) string {
	return filepath.Join(append([]string{i.sys}, parts...)...)
}
