package scsi

import (
	"bytes"
	"errors"
	"syscall"
	"testing"
)

const (
	outOfRange     = 0x052100
	invalidField   = 0x052400
	invalidList    = 0x052600
	writeProtected = 0x072700
	miscompared    = 0x0e1d00
)

func block(fill byte) []byte { return bytes.Repeat([]byte{fill}, 512) }

// The LUN has 128 blocks of 512 bytes.
func TestCommandsEndWithTheirSense(t *testing.T) {
	for _, tt := range []struct {
		name string
		cdb  []byte
		out  []byte
		want uint32
	}{
		{"test unit ready", []byte{0x00}, nil, 0},
		{"unknown opcode", []byte{0xff}, nil, 0x052000},
		{"unknown service action", []byte{0x9e, 0x1f}, nil, invalidField},
		{"reserved bit", []byte{0x00, 0x80}, nil, invalidField},
		{"NACA", []byte{0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0x04}, nil, invalidField},
		{"protection", []byte{0x28, 0x20, 0, 0, 0, 0, 0, 0, 1}, nil, invalidField},
		{"read 6 of 256", []byte{0x08, 0, 0, 0, 0}, nil, outOfRange},
		{"last block", []byte{0x28, 0, 0, 0, 0, 127, 0, 0, 1}, nil, 0},
		{"one past the end", []byte{0x28, 0, 0, 0, 0, 127, 0, 0, 2}, nil, outOfRange},
		{"nothing at the end", []byte{0x28, 0, 0, 0, 0, 128}, nil, 0},
		{"nothing past the end", []byte{0x28, 0, 0, 0, 0, 129}, nil, outOfRange},
		{"lba -1", []byte{0x88, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 2}, nil, outOfRange},
		{"too long", []byte{0xa8, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x01}, nil, invalidField},
		{"write 16 past the end", []byte{0x8a, 0, 0, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0, 1}, block(1), outOfRange},
		{"verify equal", []byte{0x2f, 2, 0, 0, 0, 0, 0, 0, 1}, block(0), 0},
		{"verify different", []byte{0x2f, 2, 0, 0, 0, 0, 0, 0, 1}, block(1), miscompared},
		{"verify bytchk 2", []byte{0x2f, 4, 0, 0, 0, 0, 0, 0, 1}, nil, invalidField},
		{"compare different", []byte{0x89, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, append(block(1), block(2)...), miscompared},
		{"write same of none", []byte{0x41}, block(0), invalidField},
		{"write same of two blocks", []byte{0x41, 0, 0, 0, 0, 0, 0, 0, 1}, append(block(1), block(1)...), 0x050e03},
		{"unmap of a short header", []byte{0x42, 0, 0, 0, 0, 0, 0, 0, 4}, make([]byte, 4), 0x051a00},
		{"saved mode pages", []byte{0x1a, 0, 0xff, 0, 255}, nil, 0x053900},
		{"unknown mode page", []byte{0x1a, 0, 0x02, 0, 255}, nil, invalidField},
		{"unknown vital page", []byte{0x12, 1, 0xb9, 0, 255}, nil, invalidField},
		{"page without EVPD", []byte{0x12, 0, 0x80, 0, 255}, nil, invalidField},
		{"stop", []byte{0x1b}, nil, invalidField},
		{"sync past the end", []byte{0x35, 0, 0, 0, 0, 129}, nil, outOfRange},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, d := ready(t, 512)
			if got := code(send(n, 0, tt.out, tt.cdb...)); got != tt.want {
				t.Errorf("sense %06x, want %06x", got, tt.want)
			}
			if len(bytes.Trim(d.b, "\x00")) != 0 {
				t.Error("the disk was changed")
			}
		})
	}
}

func TestWritesAreReadBackInEveryForm(t *testing.T) {
	for _, tt := range []struct {
		name        string
		write, read []byte
	}{
		{"6", []byte{0x0a, 0, 0, 5, 2}, []byte{0x08, 0, 0, 5, 2}},
		{"10", []byte{0x2a, 0, 0, 0, 0, 5, 0, 0, 2}, []byte{0x28, 0, 0, 0, 0, 5, 0, 0, 2}},
		{"12", []byte{0xaa, 0, 0, 0, 0, 5, 0, 0, 0, 2}, []byte{0xa8, 0, 0, 0, 0, 5, 0, 0, 0, 2}},
		{"16", []byte{0x8a, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 2}, []byte{0x88, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 2}},
		{"and verify", []byte{0x2e, 2, 0, 0, 0, 5, 0, 0, 2}, []byte{0x28, 8, 0, 0, 0, 5, 0, 0, 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, d := ready(t, 512)
			data := append(block('a'), block('b')...)
			if got := code(send(n, 0, data, tt.write...)); got != 0 {
				t.Fatalf("write: sense %06x", got)
			}
			if !bytes.Equal(d.b[5*512:7*512], data) {
				t.Error("the disk does not hold the data")
			}
			if r := send(n, 0, nil, tt.read...); !bytes.Equal(r.Data, data) {
				t.Errorf("read back %d other bytes", len(r.Data))
			}
		})
	}
}

func TestForceUnitAccessSyncs(t *testing.T) {
	n, d := ready(t, 512)
	send(n, 0, block(1), 0x2a, 0, 0, 0, 0, 0, 0, 0, 1)
	if d.syncs != 0 {
		t.Error("a plain write synced")
	}
	send(n, 0, block(1), 0x2a, 8, 0, 0, 0, 0, 0, 0, 1)
	send(n, 0, nil, 0x35)
	if d.syncs != 2 {
		t.Errorf("%d syncs after FUA and SYNCHRONIZE CACHE, want 2", d.syncs)
	}
}

func TestUnmapChecksTheWholeListFirst(t *testing.T) {
	n, d := ready(t, 512)
	copy(d.b, bytes.Repeat([]byte{1}, len(d.b)))
	list := make([]byte, 40)
	list[1], list[3] = 38, 32
	list[15], list[19] = 0, 2   // 2 blocks at 0
	list[31], list[35] = 127, 2 // 2 blocks at 127
	if got := code(send(n, 0, list, 0x42, 0, 0, 0, 0, 0, 0, 0, 40)); got != outOfRange || d.b[0] != 1 {
		t.Fatalf("sense %06x, first byte %d", got, d.b[0])
	}
	list[35] = 1
	if got := code(send(n, 0, list, 0x42, 0, 0, 0, 0, 0, 0, 0, 40)); got != 0 {
		t.Fatalf("sense %06x", got)
	}
	if d.b[0] != 0 || d.b[1023] != 0 || d.b[1024] != 1 || d.b[127*512] != 0 || d.b[127*512-1] != 1 {
		t.Error("not the named blocks were freed")
	}
}

func TestReadOnlyRefusesWhatChangesTheMedium(t *testing.T) {
	n, _ := ready(t, 512)
	n.lun.SetReadOnly(true)
	if s, _ := n.takeAttention(); s != senseModeChanged {
		t.Errorf("unit attention %+v, want mode parameters changed", s)
	}
	for _, op := range n.lun.commands.rows {
		cdb := make([]byte, len(op.usage))
		cdb[0] = op.opcode()
		if op.service {
			cdb[1] = byte(op.action())
		}
		if got := code(send(n, 0, nil, cdb...)); (got == writeProtected) != op.writes {
			t.Errorf("opcode %02x: sense %06x, writes %v", op.opcode(), got, op.writes)
		}
	}
	if r := send(n, 0, nil, 0x1a, 8, 0x3f, 0, 255); r.Data[2] != 0x90 {
		t.Errorf("device-specific parameter %02x, want WP and DPOFUA", r.Data[2])
	}
}

func TestDiskErrorsBecomeSense(t *testing.T) {
	n, d := ready(t, 512)
	d.err = errors.New("broken")
	if got := code(send(n, 0, block(1), 0x2a, 0, 0, 0, 0, 0, 0, 0, 1)); got != 0x030c00 {
		t.Errorf("write: %06x", got)
	}
	d.err = syscall.ENOSPC
	if got := code(send(n, 0, block(1), 0x2a, 0, 0, 0, 0, 0, 0, 0, 1)); got != 0x072707 {
		t.Errorf("write on a full disk: %06x", got)
	}
}

func TestUnitAttentions(t *testing.T) {
	n, d := ready(t, 512)
	d.grow(128 << 10)
	if got := code(send(n, 0, nil, 0x12, 0, 0, 0, 96)); got != 0 {
		t.Errorf("INQUIRY does not report unit attentions: %06x", got)
	}
	for i, want := range []uint32{0x062a09, 0} {
		if got := code(send(n, 0, nil, 0x00)); got != want {
			t.Errorf("%d after growing: %06x, want %06x", i, got, want)
		}
	}
	n.lun.Reset()
	if r := send(n, 0, nil, 0x03, 0, 0, 0, 18); r.Data[2] != 6 || r.Data[12] != 0x29 {
		t.Errorf("REQUEST SENSE after a reset: % x", r.Data)
	}
}

func TestOtherLUNsDoNotExist(t *testing.T) {
	n, _ := ready(t, 512)
	const lun1 = 1 << 48
	if r := send(n, lun1, nil, 0x12, 0, 0, 0, 96); r.Data[0] != 0x7f {
		t.Errorf("INQUIRY: %02x, want qualifier 3", r.Data[0])
	}
	if got := code(send(n, lun1, nil, 0x00)); got != 0x052500 {
		t.Errorf("TEST UNIT READY: %06x", got)
	}
	if r := send(n, lun1, nil, 0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 16); len(r.Data) != 16 || r.Data[3] != 8 {
		t.Errorf("REPORT LUNS: % x", r.Data)
	}
}
