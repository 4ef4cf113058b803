package initiator

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/klog/v2"
)

// The kernel's states of a session's target once its devices are gone
// (scsi_transport_iscsi, target_state).
const (
	targetUnbinding = "UNBINDING"
	targetUnbound   = "UNBOUND"
)

// unboundPatience is how long a logout that is under way may take from there.
const unboundPatience = 5 * time.Second

// stuck reports whether the session's target is unbound. A logout begins with
// that: iscsid asks the kernel to unbind and goes on when the kernel's event
// comes. The event is sent once. If iscsid is killed before it comes, its
// successor asks again, and waits for ever; nobody can log out any more.
func (i *Initiator) stuck(s session) bool {
	state, err := attribute(i.sysPath("class", "iscsi_session", "session"+s.sid), "target_state")
	return err == nil && (state == targetUnbinding || state == targetUnbound)
}

// endStuck gives the logout that unbound the target its time, and ends the
// session past iscsid where it does not come to its end. The array may list the
// session until it misses it, or until the controller fences it.
func (i *Initiator) endStuck(ctx context.Context, events <-chan struct{}, s session) error {
	patient, stop := context.WithTimeout(ctx, i.patience)
	defer stop()
	err := i.await(patient, events, "a logout that is under way", func() (bool, error) {
		return !i.alive(s), nil
	})
	if err == nil || ctx.Err() != nil {
		return err
	}
	klog.FromContext(ctx).Info("Session whose logout was cut off is ended past iscsid", "session", s.sid)
	handle, err := attribute(i.sysPath("class", "iscsi_transport", "tcp"), "handle")
	if err != nil {
		return fmt.Errorf("end session %s: %w: %w", s.sid, ErrUnavailable, err)
	}
	transport, err := strconv.ParseUint(handle, 10, 64)
	if err != nil {
		return fmt.Errorf("end session %s: handle %q of the transport: %w", s.sid, handle, err)
	}
	sid, err := strconv.ParseUint(s.sid, 10, 32)
	if err != nil {
		return fmt.Errorf("end session %q: %w", s.sid, err)
	}
	return bounded(ctx, func() error { return i.destroy(transport, uint32(sid)) })
}

// Messages of the kernel's iSCSI transport (include/scsi/iscsi_if.h): a netlink
// header of 16 bytes, then type, error, transport handle and arguments.
const (
	eventDestroySession = 12
	eventDestroyConn    = 14
	eventStopConn       = 18
	eventInterfaceError = 103

	stopTerminate = 1
	eventBytes    = 256 // at least the kernel's struct, whose unions grow
	eventTimeout  = 10  // seconds to wait for the kernel's answer
)

// destroySession takes the session's connection and the session from the kernel.
func destroySession(transport uint64, sid uint32) error {
	fd, err := transportSocket()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for _, event := range []uint32{eventStopConn, eventDestroyConn, eventDestroySession} {
		// A connection that is gone already is EINVAL; the session decides.
		err := exchange(fd, message(event, transport, sid))
		if err != nil && (event == eventDestroySession || !errors.Is(err, unix.EINVAL)) {
			return fmt.Errorf("session %d: transport event %d: %w", sid, event, err)
		}
	}
	return nil
}

// transportSocket speaks to the kernel's iSCSI transport.
func transportSocket() (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ISCSI)
	if err != nil {
		return 0, fmt.Errorf("iSCSI transport socket: %w", err)
	}
	err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: eventTimeout})
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	}
	if err != nil {
		return 0, fmt.Errorf("iSCSI transport socket: %w", errors.Join(err, unix.Close(fd)))
	}
	return fd, nil
}

func message(event uint32, transport uint64, sid uint32) []byte {
	m := make([]byte, unix.NLMSG_HDRLEN+eventBytes)
	order := binary.NativeEndian
	order.PutUint32(m[0:], uint32(len(m)))
	order.PutUint16(m[4:], uint16(event))
	order.PutUint16(m[6:], unix.NLM_F_REQUEST)
	body := m[unix.NLMSG_HDRLEN:]
	order.PutUint32(body[0:], event)
	order.PutUint64(body[8:], transport)
	order.PutUint32(body[16:], sid) // then the connection's number, 0
	if event == eventStopConn {
		order.PutUint32(body[32:], stopTerminate)
	}
	return m
}

// exchange sends one message and reads the kernel's answer to it.
func exchange(fd int, m []byte) error {
	if err := unix.Sendto(fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 8<<10)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return err
	}
	if n < unix.NLMSG_HDRLEN+8 {
		return fmt.Errorf("an answer of %d bytes: %w", n, unix.EBADMSG)
	}
	body := answer[unix.NLMSG_HDRLEN:n]
	if binary.NativeEndian.Uint32(body) != eventInterfaceError {
		return nil
	}
	return unix.Errno(-int32(binary.NativeEndian.Uint32(body[4:])))
}
