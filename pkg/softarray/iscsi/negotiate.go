package iscsi

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxNameLen is the longest iSCSI name, in bytes (RFC 7143 §4.2.7.1).
const maxNameLen = 223

// identify reads who logs in to what, from the first request, and asks the
// directory (RFC 7143 §6.3, §13.4 to 13.5, §13.21).
func (l *login) identify(pairs []pair) error {
	name, _ := valueOf(pairs, "InitiatorName")
	if name == "" {
		return refuse(loginMissingParameter, "no InitiatorName")
	}
	l.initiator = strings.ToLower(name)
	if !validName(l.initiator) {
		return refuse(loginInitiatorError, "InitiatorName is no iqn., eui. or naa. name of at most %d bytes", maxNameLen)
	}
	switch kind, given := valueOf(pairs, "SessionType"); {
	case given && kind == "Discovery":
		l.discovery = true
	case given && kind != "Normal":
		return refuse(loginSessionType, "SessionType is neither Normal nor Discovery")
	}
	if tsih := binary.BigEndian.Uint16(l.first[14:]); tsih != 0 {
		return l.existing(tsih)
	}
	l.auth = auth{discovery: l.discovery, directory: l.server.directory, guard: l.server.guard, host: hostOf(l.wire.conn.RemoteAddr())}
	if l.discovery {
		return nil
	}
	target, _ := valueOf(pairs, "TargetName")
	if target == "" {
		return refuse(loginMissingParameter, "no TargetName")
	}
	l.target = strings.ToLower(target)
	if err := l.admit(); err != nil {
		return err
	}
	return l.redirect()
}

// existing refuses a login to a session that there is, which would be its
// second connection, and to one that there is not.
func (l *login) existing(tsih uint16) error {
	if l.server.hasTSIH(tsih) {
		return refuse(loginTooManyConnections, "session %d takes one connection", tsih)
	}
	return refuse(loginNoSession, "no session %d", tsih)
}

func validName(name string) bool {
	if len(name) > maxNameLen || strings.ContainsAny(name, " \t\r\n,=") {
		return false
	}
	return strings.HasPrefix(name, "iqn.") || strings.HasPrefix(name, "eui.") || strings.HasPrefix(name, "naa.")
}

func (l *login) admit() error {
	admission, err := l.server.directory.Admit(l.initiator, l.target)
	switch {
	case errors.Is(err, ErrNoTarget):
		return refuse(loginNotFound, "initiator %q, target %q: %w", l.initiator, l.target, err)
	case errors.Is(err, ErrForbidden):
		return refuse(loginForbidden, "initiator %q, target %q: %w", l.initiator, l.target, err)
	case err != nil:
		return refuse(loginTargetError, "initiator %q, target %q: %w", l.initiator, l.target, err)
	}
	l.admission, l.auth.admission = admission, admission
	return nil
}

// negotiate answers the keys of one request.
func (l *login) negotiate(pairs []pair) ([]pair, error) {
	var answers []pair
	if l.target != "" && !l.tagged {
		l.tagged = true
		answers = append(answers, pair{"TargetPortalGroupTag", portalGroup})
	}
	if l.stage == stageOperational && !l.declared {
		l.declared = true
		answers = append(answers, pair{"MaxRecvDataSegmentLength", strconv.Itoa(recvSegment)})
	}
	for _, p := range pairs {
		if l.seen[p.key] {
			return nil, refuse(loginInitiatorError, "key %s twice", p.key)
		}
		l.seen[p.key] = true
		if isSecurity(p.key) {
			continue
		}
		if value, reply := l.params.answer(p.key, p.value); reply {
			answers = append(answers, pair{p.key, value})
		}
	}
	security, err := l.auth.negotiate(l.stage, pairs)
	if err != nil {
		return nil, err
	}
	return append(answers, security...), nil
}

func (l *login) authorized() error {
	if l.auth.satisfied() {
		return nil
	}
	return refuse(loginAuthFailed, "initiator %q, target %q: %w: none was offered", l.initiator, l.target, errAuth)
}

// finish lists the session and sends the last response. The directory is asked
// again once the session is listed, so that access that was taken away in
// between is seen either here or by Drop.
func (l *login) finish(ctx context.Context, h *header, answers []pair) (*session, error) {
	l.params.settle()
	n := l.session()
	if err := l.enlist(ctx, n); err != nil {
		l.server.remove(n)
		return nil, err
	}
	r := l.response(h)
	r[1] = flagFinal | h[1]&0x0f
	r.put16(14, n.info.TSIH)
	if err := l.send(&r, formatText(answers)); err != nil {
		l.server.remove(n)
		return nil, err
	}
	n.statSN = l.statSN
	l.wire.setDigests(l.params.headerDigest, l.params.dataDigest)
	return n, nil
}

func (l *login) session() *session {
	now := time.Now()
	info := Session{
		ISID:          l.isid(),
		InitiatorName: l.initiator,
		TargetName:    l.target,
		InitiatorAddr: l.wire.conn.RemoteAddr().String(),
		TargetAddr:    l.wire.conn.LocalAddr().String(),
		Created:       now,
	}
	l.auth.describe(&info)
	n := newSession(l.server, l.wire, l.params, info, l.first.cmdSN())
	n.account, n.admission, n.cid = info.CHAPUser, l.admission, binary.BigEndian.Uint16(l.first[20:])
	if l.admission != nil {
		n.info.VolumeID, n.info.AccountID, n.info.AccountName = l.admission.VolumeID, l.admission.AccountID, l.admission.AccountName
	}
	return n
}

// isid is the initiator session id: 6 bytes at offset 8.
func (l *login) isid() uint64 { return l.first.lun() >> 16 }

// enlist puts a session on the list and waits for the end of the one that it
// reinstates.
func (l *login) enlist(ctx context.Context, n *session) error {
	old, err := l.server.add(n)
	if err != nil {
		return err
	}
	if l.discovery {
		return nil
	}
	if old != nil {
		old.drop()
		select {
		case <-old.ended:
		case <-n.ctx.Done(): // dropped itself
		case <-ctx.Done():
			return refuse(loginTargetError, "session %d to reinstate does not end: %w", old.info.ID, ctx.Err())
		}
	}
	if err := l.admit(); err != nil {
		return err
	}
	if !l.auth.stands() {
		return refuse(loginAuthFailed, "initiator %q, target %q: %w: access changed during the login", l.initiator, l.target, errAuth)
	}
	if n.dropped() {
		return fmt.Errorf("session %d was dropped during login", n.info.ID)
	}
	return nil
}
