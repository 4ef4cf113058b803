package initiator

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/klog/v2"
	utilexec "k8s.io/utils/exec"
)

// Reach is a way to the host's own programs. None of them is in the driver's
// image: each has to fit its daemon.
type Reach string

// The ways.
const (
	// ReachAuto is the first of chroot (where there is a root), direct and
	// nsenter that has the program.
	ReachAuto Reach = "auto"
	// ReachDirect runs what is in this mount namespace.
	ReachDirect Reach = "direct"
	// ReachChroot runs what is in the host's root directory.
	ReachChroot Reach = "chroot"
	// ReachNsenter runs what is in the mount and network namespaces of the
	// program's daemon. It takes the host's PID namespace.
	ReachNsenter Reach = "nsenter"
)

// Reaches are all of them.
var Reaches = []Reach{ReachAuto, ReachDirect, ReachChroot, ReachNsenter}

// program is one of the host's programs and the daemon that it talks to.
type program struct{ name, daemon string }

var (
	iscsiadm  = program{"iscsiadm", "iscsid"}
	multipath = program{"multipath", "multipathd"}
	modprobe  = program{"modprobe", "iscsid"}
)

// Where hosts keep such programs; of Talos' system extensions the first.
var searchPath = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

const maxOutput = 1024 // bytes of a program's output in an error

// host runs the host's programs.
type host struct {
	exec  utilexec.Interface
	reach Reach
	root  string
	proc  string
}

// exitError is what a program of the host's ended with.
type exitError struct {
	program string
	code    int
	output  []byte
}

func (e *exitError) Error() string {
	return fmt.Sprintf("%s: exit code %d: %s", e.program, e.code, e.output[:min(len(e.output), maxOutput)])
}

// code is the exit code of a program, -1 where it has none.
func code(err error) int {
	if exit, ok := errors.AsType[*exitError](err); ok {
		return exit.code
	}
	return -1
}

// run runs a program no longer than ctx. A hung one is killed then, and one
// that cannot be killed is left behind.
func (h *host) run(ctx context.Context, p program, arguments ...string) error {
	prefix, err := h.way(p)
	if err != nil {
		return err
	}
	argv := slices.Concat(prefix, []string{p.name}, arguments)
	var output []byte
	begun := time.Now()
	err = bounded(ctx, func() (err error) {
		cmd := h.exec.CommandContext(ctx, argv[0], argv[1:]...)
		if len(prefix) > 0 {
			// The program is looked for where it runs.
			cmd.SetEnv(append(os.Environ(), "PATH="+strings.Join(searchPath, ":")))
		}
		output, err = cmd.CombinedOutput()
		return err
	})
	klog.FromContext(ctx).V(4).Info("Ran", "program", p.name, "arguments", arguments, "took", time.Since(begun))
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w: %w", p.name, ErrUnavailable, ctx.Err())
	}
	exit, ok := errors.AsType[utilexec.ExitError](err)
	if !ok || !exit.Exited() {
		return fmt.Errorf("%s: %w: %w", p.name, ErrUnavailable, err)
	}
	return &exitError{program: p.name, code: exit.ExitStatus(), output: bytes.TrimSpace(output)}
}

// way is what goes before the program in the command line. A daemon may come
// back under another PID, and a program be installed: it is looked for anew
// each time.
func (h *host) way(p program) ([]string, error) {
	switch h.reach {
	case ReachDirect:
		return nil, nil
	case ReachChroot:
		return []string{"chroot", h.root}, nil
	case ReachNsenter:
		return h.enter(p)
	}
	if h.root != "" && h.inRoot(p) {
		return []string{"chroot", h.root}, nil
	}
	if _, err := h.exec.LookPath(p.name); err == nil && h.root == "" {
		return nil, nil
	}
	prefix, err := h.enter(p)
	if err != nil {
		return nil, fmt.Errorf("%s is not in %s, and it cannot be reached through its daemon: %w", p.name, cmp.Or(h.root, "PATH"), err)
	}
	return prefix, nil
}

// files is the root directory of the files that the program works on, as this
// process sees it.
func (h *host) files(p program) (string, error) {
	prefix, err := h.way(p)
	if err != nil || len(prefix) == 0 {
		return "/", err
	}
	if prefix[0] == "chroot" {
		return h.root, nil
	}
	pid, err := h.pid(p.daemon)
	return filepath.Join(h.proc, strconv.Itoa(pid), "root"), err
}

func (h *host) inRoot(p program) bool {
	return slices.ContainsFunc(searchPath, func(dir string) bool { return exists(filepath.Join(h.root, dir, p.name)) })
}

func (h *host) enter(p program) ([]string, error) {
	pid, err := h.pid(p.daemon)
	if err != nil {
		return nil, err
	}
	return []string{"nsenter", "-t", strconv.Itoa(pid), "-m", "-n"}, nil
}

// pid is the first process of that name.
func (h *host) pid(name string) (int, error) {
	processes, err := filepath.Glob(filepath.Join(h.proc, "[0-9]*"))
	if err != nil {
		return 0, fmt.Errorf("process %s: %w", name, err)
	}
	first := 0
	for _, dir := range processes {
		comm, err := attribute(dir, "comm")
		if err != nil || comm != name {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && (first == 0 || pid < first) {
			first = pid
		}
	}
	if first == 0 {
		return 0, fmt.Errorf("no process %s in this PID namespace: %w", name, ErrUnavailable)
	}
	return first, nil
}
