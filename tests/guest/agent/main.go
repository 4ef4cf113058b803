// Command agent is PID 1 of a test guest. It runs twice: from the first-stage
// initramfs it loads the disk's drivers and switches to the root file system;
// from there it mounts what an init mounts, starts udev and the network, reaps
// orphans, and serves the harness over a virtio-serial port (package agentapi).
package main

import (
	"fmt"
	"os"
	"syscall"
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "agent: this is the init of a test guest, it runs as PID 1 only")
		os.Exit(2)
	}
	var err error
	if _, statErr := os.Stat(stageOneModules); statErr == nil {
		err = stageOne()
	} else {
		err = stageTwo()
	}
	// An init that returns is a kernel panic without a reason; say it and switch off.
	logf("%v", err)
	powerOff()
}

// stageTwo boots the guest and serves until the host hangs up.
func stageTwo() error {
	args := kernelArgs()
	children := newChildTable()
	go children.reap()
	if err := bootSystem(children, args); err != nil {
		return err
	}
	port, err := openPort()
	if err != nil {
		return err
	}
	if err := startProxy(); err != nil {
		return err
	}
	return newServer(children).serve(port)
}

func powerOff() {
	syscall.Sync()
	if err := syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		logf("power off: %v", err)
	}
	select {}
}

// logf writes to the kernel's log, which goes to the console and so to the
// harness's log file.
func logf(format string, args ...any) {
	kmsg, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer kmsg.Close()
	fmt.Fprintf(kmsg, "<3>agent: "+format+"\n", args...)
}
