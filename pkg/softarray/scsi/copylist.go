package scsi

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// The parameter list of EXTENDED COPY (LID1) (SPC-4 §6.4.2): header, targets by
// their designators, and segments from block to block.
const (
	copyHeader        = 16
	copyTargetLength  = 32
	copySegmentLength = 28
	copyByDesignator  = 0xe4
	copyBlocks        = 0x02
)

// copyList is a list that was read, or the reason why it is refused.
type copyList struct {
	segments []copySegment
	hold     bool // the results are kept for RECEIVE COPY RESULTS
	refused  *Sense
}

// copySegment is one copy within the LUN.
type copySegment struct{ from, to, blocks uint64 }

func (l *LUN) copyList(out []byte) *copyList {
	if len(out) < copyHeader {
		return &copyList{refused: &senseListLength}
	}
	const discard = 0x18 // LIST ID USAGE 11b
	list := &copyList{hold: out[1]&discard != discard}
	targets := int64(binary.BigEndian.Uint16(out[2:]))
	segments := int64(binary.BigEndian.Uint32(out[8:]))
	switch rest := out[copyHeader:]; {
	case binary.BigEndian.Uint32(out[12:]) != 0:
		list.refused = &senseInlineData
	case targets+segments > int64(len(rest)):
		list.refused = &senseListLength
	case targets > maxCopyTargets*copyTargetLength:
		list.refused = &senseTooManyTargets
	case segments > maxCopySegments*copySegmentLength:
		list.refused = &senseTooManySegments
	default:
		list.read(l, rest[:targets], rest[targets:targets+segments])
	}
	return list
}

// read takes all targets and segments, or none where one is wrong.
func (list *copyList) read(l *LUN, targets, segments []byte) {
	var reached []bool
	at := copyHeader
	for d := range slices.Chunk(targets, copyTargetLength) {
		here, err := l.copyTarget(d, at)
		if err != nil {
			list.refused = err
			return
		}
		reached = append(reached, here)
		at += len(d)
	}
	var all []copySegment
	for d := range slices.Chunk(segments, copySegmentLength) {
		s, err := l.copySegmentOf(d, reached, at)
		if err != nil {
			list.refused = err
			return
		}
		all = append(all, s)
		at += len(d)
	}
	list.segments = all
}

// copyTarget says whether an identification descriptor (SPC-4 §6.4.5.2), found
// at a place of the list, names this LUN. LU ID TYPE and NUL are obsolete and
// ignored.
func (l *LUN) copyTarget(d []byte, at int) (here bool, err *Sense) {
	switch {
	case d[0] != copyByDesignator:
		return false, &senseTargetType
	case len(d) < copyTargetLength:
		return false, &senseListLength
	case int(d[7]) > 20:
		return false, invalidParameter(at + 7)
	}
	size := int(d[29])<<16 | int(d[30])<<8 | int(d[31])
	named := designator(nil, d[4]&0x0f, d[5]&0x3f, d[8:8+d[7]])
	return size == l.id.BlockSize && l.hasDesignator(named), nil
}

// hasDesignator looks for a designator among those of VPD page 83h.
func (l *LUN) hasDesignator(d []byte) bool {
	for all := l.designators(); len(all) >= 4; {
		n := 4 + int(all[3])
		if bytes.Equal(all[:n], d) {
			return true
		}
		all = all[n:]
	}
	return false
}

// copySegmentOf reads a block to block descriptor (SPC-4 §6.4.6.4).
func (l *LUN) copySegmentOf(d []byte, reached []bool, at int) (s copySegment, err *Sense) {
	if d[0] != copyBlocks {
		return s, &senseSegmentType
	}
	if len(d) < copySegmentLength {
		return s, &senseListLength
	}
	if binary.BigEndian.Uint16(d[2:]) != copySegmentLength-4 {
		return s, invalidParameter(at + 2)
	}
	for _, target := range []uint16{binary.BigEndian.Uint16(d[4:]), binary.BigEndian.Uint16(d[6:])} {
		if int(target) >= len(reached) || !reached[target] {
			return s, &senseNotReachable
		}
	}
	s = copySegment{from: binary.BigEndian.Uint64(d[12:]), to: binary.BigEndian.Uint64(d[20:]), blocks: uint64(binary.BigEndian.Uint16(d[10:]))}
	if l.bytes(s.blocks) > maxCopySegment {
		return s, invalidParameter(at + 10)
	}
	if l.inRange(s.from, s.blocks) != nil || l.inRange(s.to, s.blocks) != nil {
		return s, &senseCopyAborted
	}
	return s, nil
}
