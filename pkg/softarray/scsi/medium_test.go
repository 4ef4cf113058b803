package scsi

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
)

func TestOrWrite(t *testing.T) {
	n, d := ready(t, 512)
	copy(d.b[512:], block(0x0f))
	if got := code(send(n, 0, append(block(0xf0), block(0x10)...), 0x8b, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2)); got != 0 {
		t.Fatalf("%06x", got)
	}
	if !bytes.Equal(d.b[512:1536], append(block(0xff), block(0x10)...)) {
		t.Errorf("% x, % x", d.b[512:514], d.b[1024:1026])
	}
}

func TestPrefetch(t *testing.T) {
	const conditionMet = 0x04000000
	for _, tt := range []struct {
		name string
		cdb  []byte
		want uint32
	}{
		{"10", []byte{0x34, 0, 0, 0, 0, 1, 0, 0, 2}, conditionMet},
		{"at once", []byte{0x34, 2, 0, 0, 0, 1, 0, 0, 2}, conditionMet},
		{"16", []byte{0x90, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2}, conditionMet},
		{"to the end", []byte{0x34, 0, 0, 0, 0, 1}, conditionMet},
		{"nothing left", []byte{0x34, 0, 0, 0, 0, 128}, conditionMet},
		{"over the end", []byte{0x34, 0, 0, 0, 0, 127, 0, 0, 2}, outOfRange},
		{"past the end", []byte{0x90, 0, 0, 0, 0, 0, 0, 0, 0, 129}, outOfRange},
	} {
		n, _ := ready(t, 512)
		r := send(n, 0, nil, tt.cdb...)
		if got := code(r); got != tt.want || len(r.Data) != 0 {
			t.Errorf("%s: %08x and %d bytes, want %08x", tt.name, got, len(r.Data), tt.want)
		}
	}
	n, d := ready(t, 512)
	d.grow(maxPrefetch + 512)
	n.takeAttention()
	if got := code(send(n, 0, nil, 0x34)); got != 0 {
		t.Errorf("more than is prefetched: %08x, want GOOD", got)
	}
}

func TestGetLBAStatus(t *testing.T) {
	for _, tt := range []struct {
		name       string
		size       int
		lba        byte
		allocation byte
		want       string // lba+blocks, ! for mapped
	}{
		{"all", 512, 0, 255, "0+16 16+8! 24+48 72+16! 88+40"},
		{"from within", 512, 17, 255, "17+7! 24+48 72+16! 88+40"},
		{"the last block", 512, 127, 255, "127+1"},
		{"as many as fit", 512, 0, 40, "0+16 16+8!"},
		{"4K", 4096, 0, 255, "0+2 2+1! 3+6 9+2! 11+5"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, d := ready(t, tt.size)
			for _, at := range []int{2, 9, 10} {
				d.b[at*4096+100] = 1
			}
			r := send(n, 0, nil, 0x9e, 0x12, 0, 0, 0, 0, 0, 0, 0, tt.lba, 0, 0, 0, tt.allocation)
			if r.Status != StatusGood || int(binary.BigEndian.Uint32(r.Data)) != len(r.Data)-4 {
				t.Fatalf("%06x, % x", code(r), r.Data)
			}
			got := ""
			for l := r.Data[8:]; len(l) > 0; l = l[16:] {
				got += fmt.Sprintf(" %d+%d", binary.BigEndian.Uint64(l), binary.BigEndian.Uint32(l[8:]))
				if l[12] == 0 {
					got += "!"
				}
			}
			if got != " "+tt.want {
				t.Errorf("got%s, want %s", got, tt.want)
			}
		})
	}
	n, d := ready(t, 512)
	if got := code(send(n, 0, nil, 0x9e, 0x12, 0, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0, 24)); got != outOfRange {
		t.Errorf("past the end: %06x", got)
	}
	if r := send(n, 0, nil, 0x9e, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4); fmt.Sprintf("%x", r.Data) != "00000014" {
		t.Errorf("allocation length 4: % x", r.Data)
	}
	d.err = errors.New("broken")
	if got := code(send(n, 0, nil, 0x9e, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 24)); got != 0x031100 {
		t.Errorf("broken disk: %06x", got)
	}
}

// A block that the disk maps in part is mapped.
func TestExtentsSmallerThanABlock(t *testing.T) {
	for _, tt := range []struct {
		n      int64
		mapped bool
		blocks uint64
		want   bool
	}{{1024, false, 1, true}, {1024, true, 1, true}, {9216, false, 2, false}, {9216, true, 3, true}} {
		l := NewLUN(&memory{}, Identity{BlockSize: 4096})
		if n, is := l.wholeBlocks(tt.n, tt.mapped); n != tt.blocks || is != tt.want {
			t.Errorf("%d bytes, mapped %v: %d blocks, %v", tt.n, tt.mapped, n, is)
		}
	}
}

func TestWriteSame(t *testing.T) {
	const same10, same16 = 0x41, 0x93
	for _, tt := range []struct {
		name string
		cdb  []byte
		out  []byte
		want byte
	}{
		{"10", []byte{same10, 0, 0, 0, 0, 1, 0, 0, 3}, block(7), 7},
		{"16", []byte{same16, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3}, block(7), 7},
		{"zeroes", []byte{same10, 0, 0, 0, 0, 1, 0, 0, 3}, block(0), 0},
		{"unmap", []byte{same16, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3}, block(0), 0},
		{"unmap of a pattern", []byte{same16, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3}, block(7), 7},
		{"no data", []byte{same16, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3}, nil, 0},
		{"no data, unmap", []byte{same16, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3}, nil, 0},
	} {
		n, d := ready(t, 512)
		copy(d.b, bytes.Repeat([]byte{1}, len(d.b)))
		if got := code(send(n, 0, tt.out, tt.cdb...)); got != 0 {
			t.Errorf("%s: %06x", tt.name, got)
		}
		want := append(append(block(1), bytes.Repeat(block(tt.want), 3)...), block(1)...)
		if !bytes.Equal(d.b[:len(want)], want) {
			t.Errorf("%s: not three blocks were written", tt.name)
		}
	}
}

// More than is written in one piece.
func TestLongWriteSame(t *testing.T) {
	n, d := ready(t, 512)
	d.grow(3 * piece)
	n.takeAttention()
	pattern := block(0)
	copy(pattern, "pattern")
	const blocks = 2*piece/512 + 3
	if got := code(send(n, 0, pattern, 0x41, 0, 0, 0, 0, 1, 0, blocks>>8, blocks&0xff)); got != 0 {
		t.Fatalf("%06x", got)
	}
	if !bytes.Equal(d.b[512:(blocks+1)*512], bytes.Repeat(pattern, blocks)) || d.b[0] != 0 || d.b[(blocks+1)*512] != 0 {
		t.Error("not the named blocks were written")
	}
}

func TestReadDefectData(t *testing.T) {
	n, _ := ready(t, 512)
	if r := send(n, 0, nil, 0x37, 0, 0x1d, 0, 0, 0, 0, 0, 255); fmt.Sprintf("%x", r.Data) != "001d0000" {
		t.Errorf("10: %06x, % x", code(r), r.Data)
	}
	if r := send(n, 0, nil, 0xb7, 0x08, 0, 0, 0, 0, 0, 0, 0, 255); fmt.Sprintf("%x", r.Data) != "0008000000000000" {
		t.Errorf("12: %06x, % x", code(r), r.Data)
	}
}

// partial does half of what it is asked for and then fails.
type partial struct {
	*memory
	err error
}

func (p *partial) ReadAt(b []byte, off int64) (int, error) {
	n, _ := p.memory.ReadAt(b[:len(b)/2], off)
	return n, p.err
}

func (p *partial) WriteAt(b []byte, off int64) (int, error) {
	n, _ := p.memory.WriteAt(b[:len(b)/2], off)
	return n, p.err
}

func TestErrorsOfTheMediumNameTheBlock(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name string
		err  error
		cdb  []byte
		want uint32
		lba  uint32
	}{
		{"read", broken, []byte{0x28, 0, 0, 0, 0, 10, 0, 0, 4}, 0x031100, 12},
		{"short read", nil, []byte{0x28, 0, 0, 0, 0, 10, 0, 0, 4}, 0x031100, 12},
		{"verify", broken, []byte{0x2f, 0, 0, 0, 0, 10, 0, 0, 4}, 0x031100, 12},
		{"prefetch", broken, []byte{0x34, 0, 0, 0, 0, 10, 0, 0, 4}, 0x031100, 12},
		{"write", broken, []byte{0x2a, 0, 0, 0, 0, 10, 0, 0, 4}, 0x030c00, 12},
		{"compare and write", broken, []byte{0x89, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 2}, 0x031100, 11},
		{"write same", broken, []byte{0x41, 0, 0, 0, 0, 10, 0, 0, 4}, 0x030c00, 12},
		{"no space", syscall.ENOSPC, []byte{0x2a, 0, 0, 0, 0, 10, 0, 0, 4}, 0x072707, 0},
		{"quota", syscall.EDQUOT, []byte{0x2a, 0, 0, 0, 0, 10, 0, 0, 4}, 0x072707, 0},
		{"purged", fs.ErrClosed, []byte{0x28, 0, 0, 0, 0, 10, 0, 0, 4}, 0x052500, 0},
	} {
		d := &partial{&memory{b: make([]byte, 64<<10)}, tt.err}
		n := NewLUN(d, Identity{BlockSize: 512}).Attach(port('a'), &tasks{})
		n.takeAttention()
		var c Command
		n.Prepare(&c, 0, [16]byte(append(tt.cdb, make([]byte, 16-len(tt.cdb))...)))
		c.Offered = c.DataOut
		r := c.Run(make([]byte, c.DataIn), bytes.Repeat([]byte{1}, c.DataOut))
		lba, valid := uint32(0), r.Sense[0]&0x80 != 0
		if valid {
			lba = binary.BigEndian.Uint32(r.Sense[3:])
		}
		if code(r) != tt.want || lba != tt.lba || valid != (tt.lba > 0) {
			t.Errorf("%s: %06x at %d, want %06x at %d", tt.name, code(r), lba, tt.want, tt.lba)
		}
	}
}

// The information field of fixed sense data has 32 bits.
func TestBlocksFarOutAreNotNamed(t *testing.T) {
	if s := senseReadError.at(1 << 32); s.hasInfo {
		t.Errorf("information %d", s.info)
	}
}

func TestReadsAndWritesDoNotAllocate(t *testing.T) {
	n, _ := ready(t, 512)
	buf := make([]byte, 4096)
	for name, cdb := range map[string][16]byte{
		"read":  {0x28, 0, 0, 0, 0, 8, 0, 0, 8},
		"write": {0x2a, 0, 0, 0, 0, 8, 0, 0, 8},
	} {
		var c Command
		allocs := testing.AllocsPerRun(100, func() {
			n.Prepare(&c, 0, cdb)
			if r := c.Run(buf, buf); r.Status != StatusGood {
				t.Fatal(r.Status)
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}
