package scsi

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// InitiatorPort names one side of an I_T nexus; the other is the LUN's only
// target port. It outlives sessions: registrations are kept by it.
type InitiatorPort struct {
	// Name is the iSCSI name, compared in lower case (RFC 7143 §4.2.7.1).
	Name string
	// ISID is the initiator session ID, 48 bits.
	ISID uint64
}

// targetPort is the relative identifier of the only target port (SPC-4 §7.8.6.8).
const targetPort = 1

// iSCSI TransportIDs (SPC-4 §7.6.4.6): protocol identifier 5h, and the format
// that names an initiator port, not only a device.
const (
	protocolISCSI    = 0x05
	portFormat       = 0x40
	transportIDHead  = 4
	portSeparator    = ",i,0x"
	isidDigits       = 12
	maxTransportName = 223 // RFC 7143 §4.2.7.1
)

func (p InitiatorPort) canonical() InitiatorPort {
	return InitiatorPort{Name: strings.ToLower(p.Name), ISID: p.ISID & (1<<48 - 1)}
}

// transportID is the port's TransportID: NAME,i,0xISID, ended by a NUL and
// padded to a multiple of four bytes.
func (p InitiatorPort) transportID() []byte {
	name := fmt.Sprintf("%s%s%0*x", p.Name, portSeparator, isidDigits, p.ISID)
	length := max((len(name)+1+3)&^3, 20)
	b := make([]byte, transportIDHead+length)
	b[0] = portFormat | protocolISCSI
	binary.BigEndian.PutUint16(b[2:], uint16(length))
	copy(b[transportIDHead:], name)
	return b
}

// parseTransportID reads the TransportID at the head of b and returns what
// follows it. One that names a device alone, or another transport's, is refused.
func parseTransportID(b []byte) (p InitiatorPort, rest []byte, ok bool) {
	if len(b) < transportIDHead || b[0] != portFormat|protocolISCSI {
		return p, nil, false
	}
	length := int(binary.BigEndian.Uint16(b[2:]))
	if length < 20 || length%4 != 0 || len(b) < transportIDHead+length {
		return p, nil, false
	}
	text, _, ended := strings.Cut(string(b[transportIDHead:transportIDHead+length]), "\x00")
	name, isid, parted := strings.Cut(text, portSeparator)
	if !ended || !parted || name == "" || len(name) > maxTransportName {
		return p, nil, false
	}
	n, err := strconv.ParseUint(isid, 16, 48)
	if err != nil || len(isid) > isidDigits {
		return p, nil, false
	}
	return InitiatorPort{Name: name, ISID: n}.canonical(), b[transportIDHead+length:], true
}
