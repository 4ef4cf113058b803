package scsi

import (
	"encoding/binary"
	"math"
)

// Status is a SAM-5 §5.3.1 status code.
type Status byte

const (
	StatusGood                Status = 0x00
	StatusCheckCondition      Status = 0x02
	StatusConditionMet        Status = 0x04
	StatusReservationConflict Status = 0x18
	StatusTaskSetFull         Status = 0x28
)

// Sense keys (SPC-4 §4.5.6).
const (
	keyNoSense        = 0x0
	keyMediumError    = 0x3
	keyHardwareError  = 0x4
	keyIllegalRequest = 0x5
	keyUnitAttention  = 0x6
	keyDataProtect    = 0x7
	keyCopyAborted    = 0xa
	keyAbortedCommand = 0xb
	keyMiscompare     = 0xe
)

// Sense is the reason of a CHECK CONDITION: sense key, additional sense code
// and its qualifier (SPC-4 §4.5).
type Sense struct {
	Key, ASC, ASCQ byte
	// field is the byte of the CDB or of the parameter list that is wrong.
	field    uint16
	hasField bool
	// info is the INFORMATION field: for a miscompare the offset in bytes, for a
	// medium error the first LBA that failed.
	info    uint32
	hasInfo bool
}

var (
	senseNone                   = Sense{Key: keyNoSense}
	senseReadError              = Sense{Key: keyMediumError, ASC: 0x11}
	senseWriteError             = Sense{Key: keyMediumError, ASC: 0x0c}
	senseInternal               = Sense{Key: keyHardwareError, ASC: 0x44}
	senseInvalidOpcode          = Sense{Key: keyIllegalRequest, ASC: 0x20}
	senseOutOfRange             = Sense{Key: keyIllegalRequest, ASC: 0x21}
	senseNoSuchLUN              = Sense{Key: keyIllegalRequest, ASC: 0x25}
	senseListLength             = Sense{Key: keyIllegalRequest, ASC: 0x1a}
	senseInfoUnit               = Sense{Key: keyIllegalRequest, ASC: 0x0e, ASCQ: 0x03}
	senseInvalidRelease         = Sense{Key: keyIllegalRequest, ASC: 0x26, ASCQ: 0x04}
	senseTooManyTargets         = Sense{Key: keyIllegalRequest, ASC: 0x26, ASCQ: 0x06}
	senseTargetType             = Sense{Key: keyIllegalRequest, ASC: 0x26, ASCQ: 0x07}
	senseTooManySegments        = Sense{Key: keyIllegalRequest, ASC: 0x26, ASCQ: 0x08}
	senseSegmentType            = Sense{Key: keyIllegalRequest, ASC: 0x26, ASCQ: 0x09}
	senseInlineData             = Sense{Key: keyIllegalRequest, ASC: 0x26, ASCQ: 0x0b}
	senseSavingUnsup            = Sense{Key: keyIllegalRequest, ASC: 0x39}
	senseNoRegistration         = Sense{Key: keyIllegalRequest, ASC: 0x55, ASCQ: 0x04}
	senseWriteProtected         = Sense{Key: keyDataProtect, ASC: 0x27}
	senseSoftwareProtected      = Sense{Key: keyDataProtect, ASC: 0x27, ASCQ: 0x02}
	senseSpaceExhausted         = Sense{Key: keyDataProtect, ASC: 0x27, ASCQ: 0x07}
	sensePowerOn                = Sense{Key: keyUnitAttention, ASC: 0x29}
	senseReset                  = Sense{Key: keyUnitAttention, ASC: 0x29, ASCQ: 0x03}
	senseModeChanged            = Sense{Key: keyUnitAttention, ASC: 0x2a, ASCQ: 0x01}
	senseReservationsPreempted  = Sense{Key: keyUnitAttention, ASC: 0x2a, ASCQ: 0x03}
	senseReservationsReleased   = Sense{Key: keyUnitAttention, ASC: 0x2a, ASCQ: 0x04}
	senseRegistrationsPreempted = Sense{Key: keyUnitAttention, ASC: 0x2a, ASCQ: 0x05}
	senseCapacityChanged        = Sense{Key: keyUnitAttention, ASC: 0x2a, ASCQ: 0x09}
	senseCopyAborted            = Sense{Key: keyCopyAborted}
	senseNotReachable           = Sense{Key: keyCopyAborted, ASC: 0x0d, ASCQ: 0x02}
	SenseUnexpectedData         = Sense{Key: keyAbortedCommand, ASC: 0x0c, ASCQ: 0x0c}
	SenseNotEnoughData          = Sense{Key: keyAbortedCommand, ASC: 0x0c, ASCQ: 0x0d}
	SenseCRC                    = Sense{Key: keyAbortedCommand, ASC: 0x47, ASCQ: 0x05}
	SenseDataOffset             = Sense{Key: keyAbortedCommand, ASC: 0x4b, ASCQ: 0x05}
)

func invalidCDBField(at int) *Sense {
	return &Sense{Key: keyIllegalRequest, ASC: 0x24, field: uint16(at), hasField: true}
}

func invalidParameter(at int) *Sense {
	return &Sense{Key: keyIllegalRequest, ASC: 0x26, field: uint16(at), hasField: true}
}

// at is s with the first LBA that failed, where the field has room for it.
func (s Sense) at(lba uint64) Sense {
	if lba <= math.MaxUint32 {
		s.info, s.hasInfo = uint32(lba), true
	}
	return s
}

func miscompare(at int) *Sense {
	return &Sense{Key: keyMiscompare, ASC: 0x1d, info: uint32(at), hasInfo: true}
}

// Fixed is the sense data in fixed format (SPC-4 §4.5.3), 18 bytes.
func (s Sense) Fixed() []byte {
	b := make([]byte, 18)
	b[0] = 0x70
	if s.hasInfo {
		b[0] |= 0x80
		binary.BigEndian.PutUint32(b[3:], s.info)
	}
	b[2] = s.Key
	b[7] = 10
	b[12], b[13] = s.ASC, s.ASCQ
	if s.hasField {
		s.putField(b[15:18])
	}
	return b
}

// descriptor is the sense data in descriptor format (SPC-4 §4.5.2) without
// descriptors.
func (s Sense) descriptor() []byte {
	return []byte{0x72, s.Key, s.ASC, s.ASCQ, 0, 0, 0, 0}
}

// putField fills the field pointer (SPC-4 §4.5.2.4.2): SKSV, C/D, byte.
func (s Sense) putField(b []byte) {
	b[0] = 0x80
	if s.ASC == 0x24 {
		b[0] |= 0x40
	}
	binary.BigEndian.PutUint16(b[1:], s.field)
}
