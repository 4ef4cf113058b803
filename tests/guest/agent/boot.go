package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/san-csi/san-csi/tests/guest/agentapi"
)

const searchPath = "/usr/sbin:/usr/bin:/sbin:/bin"

type mountPoint struct {
	source, target, fstype string
	flags                  uintptr
	data                   string
}

func (m mountPoint) mount() error {
	if err := os.MkdirAll(m.target, 0o755); err != nil {
		return err
	}
	err := syscall.Mount(m.source, m.target, m.fstype, m.flags, m.data)
	if err != nil && !errors.Is(err, syscall.EBUSY) {
		return fmt.Errorf("mount %s on %s: %w", m.fstype, m.target, err)
	}
	return nil
}

// kernelArgs returns the key=value words of the kernel's command line.
func kernelArgs() map[string]string {
	args := map[string]string{}
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		// /proc is not there yet: mount it, it is wanted in any case.
		_ = mountPoint{"proc", "/proc", "proc", 0, ""}.mount()
		line, _ = os.ReadFile("/proc/cmdline")
	}
	for word := range strings.FieldsSeq(string(line)) {
		if key, value, ok := strings.Cut(word, "="); ok {
			args[key] = value
		}
	}
	return args
}

// bootSystem does what an init system does on a machine that is only a node:
// kernel file systems, identity, udev, network.
func bootSystem(children *childTable, args map[string]string) error {
	if err := mountSystem(args[agentapi.ArgPayload]); err != nil {
		return err
	}
	if err := writeIdentity(args); err != nil {
		return err
	}
	steps := [][]string{
		{"modprobe", "-a", "virtio_pci", "virtio_console", "virtio_net", "sd_mod"},
		{"/lib/systemd/systemd-udevd", "--daemon"},
		{"udevadm", "trigger", "--action=add", "--subsystem-match=block", "--subsystem-match=net", "--subsystem-match=virtio-ports", "--subsystem-match=misc"},
		{"udevadm", "settle"},
		{"ip", "link", "set", "lo", "up"},
		// The guest announces its address: the host may be asking for it already, and
		// refuses connections when its last question gets no answer.
		{"sysctl", "-q", "-w", "net.ipv4.conf.eth0.arp_notify=1"},
		{"ip", "address", "add", args[agentapi.ArgIP], "dev", "eth0"},
		{"ip", "link", "set", "eth0", "up"},
		{"ip", "route", "add", "default", "via", args[agentapi.ArgGateway]},
	}
	for _, argv := range steps {
		out, err := children.run(argv)
		if err != nil {
			return err
		}
		if out.Code != 0 {
			return fmt.Errorf("%s: exit code %d: %s", strings.Join(argv, " "), out.Code, out.Stderr)
		}
	}
	return nil
}

func mountSystem(payload string) error {
	mounts := []mountPoint{
		{"proc", "/proc", "proc", 0, ""},
		{"sysfs", "/sys", "sysfs", 0, ""},
		{"devtmpfs", "/dev", "devtmpfs", 0, ""},
		{"devpts", "/dev/pts", "devpts", 0, ""},
		{"tmpfs", "/dev/shm", "tmpfs", 0, ""},
		{"tmpfs", "/run", "tmpfs", 0, "mode=755"},
		{"tmpfs", "/tmp", "tmpfs", 0, "mode=1777"},
		{"cgroup2", "/sys/fs/cgroup", "cgroup2", 0, ""},
	}
	if payload != "" {
		mounts = append(mounts, mountPoint{payload, "/payload", "ext4", syscall.MS_RDONLY, ""})
	}
	for _, m := range mounts {
		if err := m.mount(); err != nil {
			return err
		}
	}
	// iscsiadm exits with 6 where its lock directory is missing.
	if err := os.MkdirAll("/run/lock/iscsi", 0o755); err != nil {
		return err
	}
	// A kubelet's node has a shared root; bind mounts of the driver count on it.
	return syscall.Mount("", "/", "", syscall.MS_SHARED|syscall.MS_REC, "")
}

func writeIdentity(args map[string]string) error {
	name := args[agentapi.ArgName]
	return errors.Join(
		syscall.Sethostname([]byte(name)),
		os.WriteFile("/etc/hostname", []byte(name+"\n"), 0o644),
		os.WriteFile("/etc/hosts", []byte("127.0.0.1 localhost\n127.0.1.1 "+name+"\n"), 0o644),
		os.WriteFile("/etc/iscsi/initiatorname.iscsi", []byte("InitiatorName="+args[agentapi.ArgIQN]+"\n"), 0o600),
	)
}
