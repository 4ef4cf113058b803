package initiator

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const (
	kernelGroup = 1       // netlink(7), NETLINK_KOBJECT_UEVENT: events as the kernel sends them
	udevGroup   = 2       // and once more by udev when its rules have run: multipathd waits for those
	uevent      = 8 << 10 // bytes; the kernel's own bound is 2 KiB of environment
	backlog     = 1 << 20 // bytes of receive buffer: many LUNs come and go at once
)

// uevents tells that something happened to some device, until ctx ends. The
// receiver looks at sysfs for what it was, so events are not parsed, and one
// that is pending stands for all that follow.
func uevents(ctx context.Context) (<-chan struct{}, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, fmt.Errorf("uevent socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: kernelGroup | udevGroup}); err != nil {
		return nil, errors.Join(fmt.Errorf("uevent socket: %w", err), unix.Close(fd))
	}
	// A smaller buffer only loses events, which shows as ENOBUFS below.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, backlog)
	socket := os.NewFile(uintptr(fd), "uevent")
	happened := make(chan struct{}, 1)
	stop := context.AfterFunc(ctx, func() { _ = socket.Close() })
	go func() {
		defer close(happened)
		defer stop()
		defer socket.Close()
		receive(socket, happened)
	}()
	return happened, nil
}

func receive(socket *os.File, happened chan<- struct{}) {
	buffer := make([]byte, uevent)
	for {
		// ENOBUFS: events were lost, which is an event too.
		if _, err := socket.Read(buffer); err != nil && !errors.Is(err, unix.ENOBUFS) {
			return
		}
		select {
		case happened <- struct{}{}:
		default:
		}
	}
}
