package scsi

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
)

// copyTarget names a LUN by its NAA designator.
func copyTarget(naa string, blockSize uint32) []byte {
	id, _ := hex.DecodeString(naa)
	d := append([]byte{copyByDesignator, 0, 0, 0, 1, 3, 0, byte(len(id))}, id...)
	d = append(d, make([]byte, 28-len(d))...)
	return binary.BigEndian.AppendUint32(d, blockSize)
}

func copySegmentBytes(source, destination, blocks uint16, from, to uint64) []byte {
	d := []byte{copyBlocks, 0, 0, 24}
	d = binary.BigEndian.AppendUint16(d, source)
	d = binary.BigEndian.AppendUint16(d, destination)
	d = binary.BigEndian.AppendUint16(append(d, 0, 0), blocks)
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(d, from), to)
}

func copyParameterList(id, usage byte, targets, segments []byte) []byte {
	b := []byte{id, usage << 3}
	b = binary.BigEndian.AppendUint16(b, uint16(len(targets)))
	b = binary.BigEndian.AppendUint32(append(b, 0, 0, 0, 0), uint32(len(segments)))
	return append(append(append(b, 0, 0, 0, 0), targets...), segments...)
}

func sendCopy(n *Nexus, list []byte) Reply {
	return send(n, 0, list, 0x83, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, byte(len(list)>>8), byte(len(list)))
}

func TestExtendedCopy(t *testing.T) {
	me := copyTarget(testNAA, 512)
	for _, tt := range []struct {
		name     string
		targets  []byte
		segments []byte
		want     uint32
		copies   [][3]int // from, to, blocks
	}{
		{name: "one segment", targets: me, segments: copySegmentBytes(0, 0, 3, 10, 50), copies: [][3]int{{10, 50, 3}}},
		{name: "two segments and two names", targets: append(copyTarget(testNAA, 512), me...), segments: append(copySegmentBytes(0, 1, 1, 0, 100), copySegmentBytes(1, 0, 1, 1, 101)...), copies: [][3]int{{0, 100, 1}, {1, 101, 1}}},
		{name: "no blocks", targets: me, segments: copySegmentBytes(0, 0, 0, 10, 50)},
		{name: "no segments", targets: me},
		{name: "another LUN", targets: copyTarget("6f47acc1000000003365657500000141", 512), segments: copySegmentBytes(0, 0, 1, 0, 1), want: 0x0a0d02},
		{name: "other blocks", targets: copyTarget(testNAA, 4096), segments: copySegmentBytes(0, 0, 1, 0, 1), want: 0x0a0d02},
		{name: "no such target", targets: me, segments: copySegmentBytes(0, 1, 1, 0, 1), want: 0x0a0d02},
		{name: "past the end", targets: me, segments: append(copySegmentBytes(0, 0, 1, 0, 1), copySegmentBytes(0, 0, 2, 127, 0)...), want: 0x0a0000},
		{name: "type of the target", targets: append([]byte{0xe0}, me[1:]...), segments: copySegmentBytes(0, 0, 1, 0, 1), want: 0x052607},
		{name: "type of the segment", targets: me, segments: append([]byte{0x03}, copySegmentBytes(0, 0, 1, 0, 1)[1:]...), want: 0x052609},
		{name: "target cut off", targets: me[:20], segments: copySegmentBytes(0, 0, 1, 0, 1), want: listLength},
		{name: "long designator", targets: append(append([]byte{}, me[:7]...), append([]byte{21}, me[8:]...)...), want: invalidList},
		{name: "too many targets", targets: bytes.Repeat(me, 5), want: 0x052606},
		{name: "too many segments", segments: bytes.Repeat(copySegmentBytes(0, 0, 1, 0, 1), 9), targets: me, want: 0x052608},
		{name: "too long a segment", targets: me, segments: copySegmentBytes(0, 0, 16385, 0, 1), want: invalidList},
		{name: "too long a list", targets: bytes.Repeat(me, 6), segments: bytes.Repeat(copySegmentBytes(0, 0, 1, 0, 1), 8), want: listLength},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, d := ready(t, 512)
			for i := range d.b {
				d.b[i] = byte(i>>9) + 1
			}
			want := bytes.Clone(d.b)
			for _, c := range tt.copies {
				copy(want[c[1]*512:], bytes.Clone(want[c[0]*512:(c[0]+c[2])*512]))
			}
			if got := code(sendCopy(n, copyParameterList(1, 0, tt.targets, tt.segments))); got != tt.want {
				t.Errorf("%06x, want %06x", got, tt.want)
			}
			if !bytes.Equal(d.b, want) {
				t.Error("the disk holds something else")
			}
		})
	}
}

// A copy over more than one piece onto itself, to either side.
func TestExtendedCopyOfOverlappingRanges(t *testing.T) {
	const blocks = 3 * piece / 512
	for _, way := range [][2]uint64{{0, 100}, {100, 0}} {
		n, d := ready(t, 512)
		d.grow((blocks + 200) * 512)
		n.takeAttention()
		for i := 0; i < len(d.b); i += 4 {
			binary.BigEndian.PutUint32(d.b[i:], uint32(i))
		}
		want := bytes.Clone(d.b)
		copy(want[way[1]*512:], d.b[way[0]*512:][:blocks*512])
		if got := code(sendCopy(n, copyParameterList(1, 0, copyTarget(testNAA, 512), copySegmentBytes(0, 0, blocks, way[0], way[1])))); got != 0 {
			t.Fatalf("%06x", got)
		}
		if !bytes.Equal(d.b, want) {
			t.Errorf("from %d to %d: other data", way[0], way[1])
		}
	}
}

// What is moved counts against the ceiling, once it is known.
func TestExtendedCopyCountsWhatItMoves(t *testing.T) {
	n, _ := ready(t, 512)
	list := copyParameterList(1, 0, copyTarget(testNAA, 512), append(copySegmentBytes(0, 0, 3, 0, 10), copySegmentBytes(0, 0, 5, 0, 20)...))
	var c Command
	n.Prepare(&c, 0, [16]byte{0x83, 13: byte(len(list))})
	before := c.Media
	c.Received(list)
	if before != 0 || c.Media != 2*8*512 {
		t.Errorf("%d bytes before, %d after its list was received", before, c.Media)
	}
}

func TestCopyStatusIsToldOnce(t *testing.T) {
	n, d := ready(t, 512)
	status := func(id byte) Reply {
		return send(n, 0, nil, 0x84, 0, id, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255)
	}
	list := func(usage byte) []byte {
		return copyParameterList(7, usage, copyTarget(testNAA, 512), copySegmentBytes(0, 0, 3, 10, 50))
	}
	if got := code(status(7)); got != invalidField {
		t.Errorf("before a copy: %06x", got)
	}
	sendCopy(n, list(0))
	if got := code(status(8)); got != invalidField {
		t.Errorf("of another list: %06x", got)
	}
	if r := status(7); fmt.Sprintf("%x", r.Data) != "000000080100010000000600" {
		t.Errorf("%x", r.Data)
	}
	if got := code(status(7)); got != invalidField {
		t.Errorf("a second time: %06x", got)
	}
	sendCopy(n, list(3))
	if got := code(status(7)); got != invalidField {
		t.Errorf("of a list whose results are discarded: %06x", got)
	}
	d.err = errors.New("broken")
	if got := code(sendCopy(n, list(0))); got != 0x030c00 {
		t.Errorf("copy on a broken disk: %06x", got)
	}
	if r := status(7); r.Data[4] != 2 || r.Data[6] != 0 {
		t.Errorf("status of a copy that failed: %x", r.Data)
	}
}

func TestCopyOperatingParameters(t *testing.T) {
	n, _ := ready(t, 512)
	r := send(n, 0, nil, 0x84, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255)
	want := "0000002a" + "01000000" + "0004" + "0008" + "00000160" + "00800000" + "0000000000000000000000000000" + "0001" + "01090000" + "00000002" + "02e4"
	if got := fmt.Sprintf("%x", r.Data); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}
