package scsi

import (
	"fmt"
	"testing"
)

// modeControl is a list of MODE SELECT (6) with the control page, SWP as given.
func modeControl(swp byte) []byte {
	return []byte{0, 0, 0, 0, 0x0a, 10, 0x20, 0x10, swp, 0, 0, 0, 0, 0, 0, 0}
}

func TestSoftwareWriteProtect(t *testing.T) {
	const protected = 0x072702
	s := newSeveral(t)
	set := func(swp byte) uint32 {
		return code(send(s.nexus['a'], 0, modeControl(swp), 0x15, 0x10, 0, 0, 16))
	}
	write := func() uint32 { return code(send(s.nexus['a'], 0, block(1), 0x2a, 0, 0, 0, 0, 0, 0, 0, 1)) }
	if got := set(swpBit); got != 0 || write() != protected {
		t.Errorf("set: %06x, then write: %06x", got, write())
	}
	if a, b := s.attentions('a'), s.attentions('b'); a != "" || b != "2a/01" {
		t.Errorf("unit attentions %q of who changed it, %q of others", a, b)
	}
	if r := send(s.nexus['b'], 0, nil, 0x1a, 8, 0x0a, 0, 255); r.Data[2] != 0x90 || r.Data[8] != swpBit {
		t.Errorf("MODE SENSE % x, want WP and SWP", r.Data)
	}
	if r := send(s.nexus['b'], 0, nil, 0x1a, 8, 0x8a, 0, 255); r.Data[8] != 0 {
		t.Errorf("default values % x, want no SWP", r.Data)
	}
	if got := set(0); got != 0 || write() != 0 {
		t.Errorf("cleared: %06x, then write: %06x", got, write())
	}
	set(swpBit)
	s.lun.Reset()
	s.attentions('a')
	if got := write(); got != 0 {
		t.Errorf("write after a reset: %06x", got)
	}
}

func TestModeSelectChangesNothingWhereOnePageIsWrong(t *testing.T) {
	n, _ := ready(t, 512)
	list := append(modeControl(swpBit), 0x02, 0)
	if r := send(n, 0, list, 0x15, 0x10, 0, 0, byte(len(list))); code(r) != invalidList || r.Sense[17] != 16 {
		t.Errorf("%06x, field %d", code(r), r.Sense[17])
	}
	if n.lun.writeProtected() != nil {
		t.Error("SWP is set")
	}
}

func TestModePages(t *testing.T) {
	for _, tt := range []struct {
		name    string
		control byte // PC and page code
		want    string
	}{
		{"recovery", 0x01, "010a00000000000000000000"},
		{"control", 0x0a, "0a0a20100000000000000000"},
		{"control, changeable", 0x4a, "0a0a00000800000000000000"},
		{"caching, changeable", 0x48, "0812000000000000000000000000000000000000"},
		{"exceptions", 0x1c, "1c0a08000000000000000000"},
	} {
		n, _ := ready(t, 512)
		if r := send(n, 0, nil, 0x1a, 8, tt.control, 0, 255); fmt.Sprintf("%x", r.Data[4:]) != tt.want {
			t.Errorf("%s: % x", tt.name, r.Data[4:])
		}
	}
}

func TestBlockDescriptors(t *testing.T) {
	for _, tt := range []struct {
		size int
		cdb  []byte
		want string
	}{
		{512, []byte{0x1a, 0, 0x0a, 0, 12}, "17001008" + "0000008000000200"},
		{4096, []byte{0x1a, 0, 0x0a, 0, 12}, "17001008" + "0000001000001000"},
		{512, []byte{0x5a, 0x10, 0x0a, 0, 0, 0, 0, 0, 24}, "0022001001000010" + "00000000000000800000000000000200"},
	} {
		n, _ := ready(t, tt.size)
		if r := send(n, 0, nil, tt.cdb...); fmt.Sprintf("%x", r.Data) != tt.want {
			t.Errorf("%d, opcode %02x: %x, want %s", tt.size, tt.cdb[0], r.Data, tt.want)
		}
	}
}
