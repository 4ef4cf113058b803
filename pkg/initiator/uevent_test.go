package initiator

import (
	"context"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestUeventsEndWithTheirContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	events, err := uevents(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	for range events { // what the machine sends meanwhile; closed at the end
	}
}

// Every message is an event, and any number of them one, if nobody looks.
func TestReceive(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	kernel, socket := os.NewFile(uintptr(fds[0]), "kernel"), os.NewFile(uintptr(fds[1]), "socket")
	defer socket.Close()
	for range 3 {
		if _, err := kernel.WriteString("add@/devices/virtual/block/sdb"); err != nil {
			t.Fatal(err)
		}
	}
	if err := kernel.Close(); err != nil {
		t.Fatal(err)
	}
	happened := make(chan struct{}, 1)
	receive(socket, happened) // returns when the other end is closed
	if len(happened) != 1 {
		t.Errorf("%d events, want 1", len(happened))
	}
}
