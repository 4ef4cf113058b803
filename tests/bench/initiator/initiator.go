// Package initiator is an iSCSI initiator (RFC 7143) for what fio cannot do:
// to log in and stay, to log in as often as it can, and to ask a LUN what it is.
package initiator

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

const (
	headerLen = 48
	timeout   = 30 * time.Second // of an exchange

	opCommand  = 0x01
	opLogin    = 0x03
	opLogout   = 0x06
	opResponse = 0x21
	opLoggedIn = 0x23
	opDataIn   = 0x25
	opLeft     = 0x26
	immediate  = 0x40
	finalBit   = 0x80
	readBit    = 0x40 // of a command
	writeBit   = 0x20
	operation  = 1 << 2 // current stage in a login's flags: operational negotiation
	full       = 3      // next stage: full feature phase
)

// Session is a session in full feature phase on a connection of its own.
type Session struct {
	conn       net.Conn
	tag, cmdSN uint32
	expStatSN  uint32
	isid       uint32
	lun        byte
	name       string
}

// Login opens a session of the initiator name with a target, without proof of
// who it is. isid tells sessions of one name apart, 24 bits.
func Login(portal, name, target string, lun int, isid uint32) (*Session, error) {
	conn, err := net.DialTimeout("tcp", portal, timeout)
	if err != nil {
		return nil, err
	}
	s := &Session{conn: conn, cmdSN: 1, isid: isid, lun: byte(lun), name: name}
	if err := s.login(target); err != nil {
		s.Close()
		return nil, fmt.Errorf("log in to %s at %s: %w", target, portal, err)
	}
	return s, nil
}

// login negotiates nothing: what the keys' defaults are is good enough here.
func (s *Session) login(target string) error {
	keys := strings.Join([]string{
		"InitiatorName=" + s.name, "TargetName=" + target, "SessionType=Normal",
		"HeaderDigest=None", "DataDigest=None", "",
	}, "\x00")
	for keys := []byte(keys); ; keys = nil {
		h := [headerLen]byte{opLogin | immediate, finalBit | operation | full}
		h[8] = 0x80 // ISID of the random form (RFC 7143 §11.12.5)
		h[9], h[10], h[11] = byte(s.isid>>16), byte(s.isid>>8), byte(s.isid)
		answer, _, err := s.exchange(h, keys)
		if err != nil {
			return err
		}
		if answer[0] != opLoggedIn || answer[36] != 0 {
			return fmt.Errorf("opcode %#02x, status %#02x%02x", answer[0], answer[36], answer[37])
		}
		if answer[1]&finalBit != 0 {
			return nil
		}
	}
}

// Read carries out a command that returns at most n bytes. Unit attentions,
// which every session begins with, are passed over.
func (s *Session) Read(cdb []byte, n int) ([]byte, error) {
	return s.repeated(cdb, func() ([]byte, byte, error) { return s.command(cdb, readBit, n, nil) })
}

// Write carries out a command with at most 8 KiB of data, which go with it. Unit
// attentions are passed over.
func (s *Session) Write(cdb, data []byte) error {
	_, err := s.repeated(cdb, func() ([]byte, byte, error) { return s.command(cdb, writeBit, len(data), data) })
	return err
}

func (s *Session) repeated(cdb []byte, command func() ([]byte, byte, error)) ([]byte, error) {
	const attentions = 8
	for range attentions {
		data, status, err := command()
		if err != nil || status == 0 {
			return data, err
		}
		if sense := data; len(sense) < 5 || sense[4]&0x0f != 6 {
			return nil, fmt.Errorf("CDB % x: status %#02x, sense % x", cdb, status, data)
		}
	}
	return nil, fmt.Errorf("CDB % x: nothing but unit attentions", cdb)
}

// command carries out a command that moves n bytes in the direction of the bit.
func (s *Session) command(cdb []byte, bit byte, n int, out []byte) (data []byte, status byte, err error) {
	h := [headerLen]byte{opCommand, finalBit | bit}
	h[9] = s.lun
	binary.BigEndian.PutUint32(h[20:], uint32(n))
	copy(h[32:], cdb)
	answer, segment, err := s.exchange(h, out)
	for ; err == nil && answer[0] == opDataIn; answer, segment, err = s.receive() {
		data = append(data, segment...)
		if answer[1]&0x01 != 0 {
			return data, answer[3], nil
		}
	}
	if err != nil {
		return nil, 0, err
	}
	if answer[0] != opResponse {
		return nil, 0, fmt.Errorf("opcode %#02x answers a command", answer[0])
	}
	if answer[3] != 0 {
		return segment, answer[3], nil
	}
	return data, 0, nil
}

// Logout ends the session in good order.
func (s *Session) Logout() error {
	answer, _, err := s.exchange([headerLen]byte{opLogout | immediate, finalBit}, nil)
	if err == nil && (answer[0] != opLeft || answer[2] != 0) {
		err = fmt.Errorf("logout: opcode %#02x, response %d", answer[0], answer[2])
	}
	return errors.Join(err, s.Close())
}

// Close ends the session's connection. It is reset, so that a thousand of them
// a second leave no sockets in TIME_WAIT.
func (s *Session) Close() error {
	if tcp, ok := s.conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // an optimization
	}
	return s.conn.Close()
}

// exchange sends a PDU, numbered as its kind is, and receives one.
func (s *Session) exchange(h [headerLen]byte, data []byte) ([headerLen]byte, []byte, error) {
	if h[0]&0x3f != opLogin {
		s.tag++
	}
	binary.BigEndian.PutUint32(h[16:], s.tag)
	binary.BigEndian.PutUint32(h[24:], s.cmdSN)
	binary.BigEndian.PutUint32(h[28:], s.expStatSN)
	if h[0]&immediate == 0 {
		s.cmdSN++
	}
	h[5], h[6], h[7] = byte(len(data)>>16), byte(len(data)>>8), byte(len(data))
	pdu := append(h[:], data...)
	pdu = append(pdu, make([]byte, -len(data)&3)...)
	if err := s.conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return h, nil, err
	}
	if _, err := s.conn.Write(pdu); err != nil {
		return h, nil, err
	}
	return s.receive()
}

// receive reads a PDU.
func (s *Session) receive() (h [headerLen]byte, data []byte, err error) {
	if _, err := io.ReadFull(s.conn, h[:]); err != nil {
		return h, nil, err
	}
	n := int(h[5])<<16 | int(h[6])<<8 | int(h[7])
	var segment bytes.Buffer
	if _, err := io.CopyN(&segment, s.conn, int64(n+-n&3)); err != nil {
		return h, nil, err
	}
	if h[0] != opDataIn || h[1]&0x01 != 0 { // has a status number
		s.expStatSN = binary.BigEndian.Uint32(h[24:]) + 1
	}
	return h, segment.Bytes()[:n], nil
}
