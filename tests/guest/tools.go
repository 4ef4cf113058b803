package guest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// hostTools maps each program the harness runs to the Debian package that has it.
var hostTools = map[string]string{
	"apt-get":            "apt",
	"cpio":               "cpio",
	"depmod":             "kmod",
	"dpkg-deb":           "dpkg",
	"ip":                 "iproute2",
	"mke2fs":             "e2fsprogs",
	"modprobe":           "kmod",
	"qemu-system-x86_64": "qemu-system-x86",
	"tar":                "tar",
	"xz":                 "xz-utils",
}

// EnsureTools makes sure that the programs the harness runs are there. As root
// it installs the Debian packages of those that are missing, and says so;
// otherwise its error names the packages.
func EnsureTools(ctx context.Context) error {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return fmt.Errorf("guests need linux/amd64, this is %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	packages := missingPackages(hostTools, hasTool)
	if len(packages) == 0 {
		return nil
	}
	install := append([]string{"install", "--yes", "--no-install-recommends"}, packages...)
	if os.Geteuid() != 0 {
		return fmt.Errorf("programs are missing; as root run: apt-get %s", strings.Join(install, " "))
	}
	progress("installing Debian packages: %s", strings.Join(packages, " "))
	if err := run(aptGet(ctx, install...)); err == nil {
		return nil
	}
	// The indices are empty or older than what the mirror still has.
	if err := run(aptGet(ctx, "update")); err != nil {
		return err
	}
	return run(aptGet(ctx, install...))
}

func missingPackages(tools map[string]string, has func(string) bool) []string {
	var packages []string
	for _, tool := range slices.Sorted(maps.Keys(tools)) {
		if !has(tool) {
			packages = append(packages, tools[tool])
		}
	}
	slices.Sort(packages)
	return slices.Compact(packages)
}

func hasTool(name string) bool {
	_, err := lookTool(name)
	return err == nil
}

// lookTool finds a program also in the directories of the administrator's
// programs, which are not in every user's PATH.
func lookTool(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin/", "/sbin/"} {
		if path, sbinErr := exec.LookPath(dir + name); sbinErr == nil {
			return path, nil
		}
	}
	return "", err
}

// command is exec.CommandContext for a program of the host.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	path, err := lookTool(name)
	if err != nil {
		path = name // Start says that it cannot be found
	}
	cmd := exec.CommandContext(ctx, path, args...)
	// What makes a program's output depend on who runs it.
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC", "DEBIAN_FRONTEND=noninteractive")
	return cmd
}

func aptGet(ctx context.Context, args ...string) *exec.Cmd {
	return command(ctx, "apt-get", args...)
}

// run runs cmd; its error has the command and what it said.
func run(cmd *exec.Cmd) error {
	_, err := output(cmd)
	return err
}

// output is run that returns the standard output.
func output(cmd *exec.Cmd) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &stdout
	}
	cmd.Stderr = &stderr
	err := cmd.Run()
	if err == nil {
		return stdout.Bytes(), nil
	}
	said := strings.TrimSpace(stderr.String())
	if said == "" {
		said = strings.TrimSpace(stdout.String())
	}
	if errors.Is(err, exec.ErrNotFound) {
		return nil, err
	}
	return nil, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, lastBytes(said, 2000))
}

func lastBytes(s string, n int) string {
	return s[max(0, len(s)-n):]
}

// asRoot lets cmd see the caller's files as root's, by a user namespace, where
// the caller is not root: files of an image have to belong to root.
func asRoot(cmd *exec.Cmd) *exec.Cmd {
	if os.Geteuid() != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
		mapToRoot(cmd.SysProcAttr)
	}
	return cmd
}

// mapToRoot adds a user namespace in which the caller is root.
func mapToRoot(attr *syscall.SysProcAttr) {
	attr.Cloneflags |= syscall.CLONE_NEWUSER
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
}

// progress tells a person who waits what takes so long.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "guest: "+format+"\n", args...)
}
