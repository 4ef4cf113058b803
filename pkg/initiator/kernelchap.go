package initiator

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
	"k8s.io/klog/v2"
)

// The message that sets a parameter of a session (include/scsi/iscsi_if.h):
// type, error, transport handle; session, connection, parameter, length; room for
// an answer; then the text with a zero at its end.
const (
	eventSetParam = 16
	setParamBytes = 56

	paramUsername   = 22
	paramUsernameIn = 23
	paramPassword   = 24
	paramPasswordIn = 25
)

// adoptSessions gives the kernel's sessions of that user name the new secrets,
// from where an iscsid that is started anew takes them, and tells how many had
// others. A session that is away takes none, and cannot come back.
func (i *Initiator) adoptSessions(ctx context.Context, c CHAP) (stale int, err error) {
	all, err := i.sessionsOf(c.Username)
	if err != nil {
		return 0, err
	}
	for _, sid := range all {
		dir := i.sysPath("class", "iscsi_session", "session"+sid)
		if has, err := attribute(dir, "password"); err == nil && has == string(c.Secret) {
			continue
		}
		err := bounded(ctx, func() error { return i.setCHAP(sid, c) })
		if ctx.Err() != nil {
			return stale, ctx.Err()
		}
		if err != nil {
			klog.FromContext(ctx).Error(err, "Session cannot log in again: its secret was replaced while it was away", "session", sid, "username", c.Username)
			continue
		}
		stale++
	}
	return stale, nil
}

// sessionsOf are the numbers of the sessions that logged in under a CHAP user name.
func (i *Initiator) sessionsOf(username string) ([]string, error) {
	entries, err := os.ReadDir(i.sysPath("class", "iscsi_session"))
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	var found []string
	for _, e := range entries {
		name, err := attribute(i.sysPath("class", "iscsi_session", e.Name()), "username")
		if err == nil && name == username {
			found = append(found, e.Name()[len("session"):])
		}
	}
	return found, nil
}

// setSessionCHAP sets the secrets of a session in the kernel.
func (i *Initiator) setSessionCHAP(sid string, c CHAP) error {
	handle, err := attribute(i.sysPath("class", "iscsi_transport", "tcp"), "handle")
	if err != nil {
		return fmt.Errorf("iSCSI transport: %w: %w", ErrUnavailable, err)
	}
	transport, err := strconv.ParseUint(handle, 10, 64)
	if err != nil {
		return fmt.Errorf("iSCSI transport: handle %q: %w", handle, err)
	}
	number, err := strconv.ParseUint(sid, 10, 32)
	if err != nil {
		return fmt.Errorf("session %q: %w", sid, err)
	}
	fd, err := transportSocket()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for _, p := range []struct {
		param uint32
		text  string
	}{
		{paramPassword, string(c.Secret)}, {paramUsername, c.Username},
		{paramPasswordIn, string(c.Target)}, {paramUsernameIn, c.Username},
	} {
		if c.Target == "" && (p.param == paramPasswordIn || p.param == paramUsernameIn) {
			continue
		}
		if err := exchange(fd, paramMessage(transport, uint32(number), p.param, p.text)); err != nil {
			return fmt.Errorf("set parameter %d: %w: %w", p.param, ErrUnavailable, err)
		}
	}
	return nil
}

func paramMessage(transport uint64, sid, param uint32, text string) []byte {
	m := make([]byte, unix.NLMSG_HDRLEN+setParamBytes+len(text)+1)
	order := binary.NativeEndian
	order.PutUint32(m[0:], uint32(len(m)))
	order.PutUint16(m[4:], eventSetParam)
	order.PutUint16(m[6:], unix.NLM_F_REQUEST)
	body := m[unix.NLMSG_HDRLEN:]
	order.PutUint32(body[0:], eventSetParam)
	order.PutUint64(body[8:], transport)
	order.PutUint32(body[16:], sid) // then the connection's number, 0
	order.PutUint32(body[24:], param)
	order.PutUint32(body[28:], uint32(len(text)+1))
	copy(body[setParamBytes:], text)
	return m
}
