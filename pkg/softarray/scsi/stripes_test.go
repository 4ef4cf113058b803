package scsi

import (
	"slices"
	"sync"
	"testing"
)

func TestRangesLockTheirStripes(t *testing.T) {
	const m = stripeBytes
	upTo := func(n int) (l []int) {
		for i := range n {
			l = append(l, i)
		}
		return l
	}
	for _, tt := range []struct {
		name   string
		off, n int64
		want   []int
	}{
		{"one block", 4096, 4096, []int{0}},
		{"up to an edge", m - 512, 512, []int{0}},
		{"over an edge", m - 512, 1024, []int{0, 1}},
		{"nothing", m, 0, []int{1}},
		{"around the end", 63 * m, 2 * m, []int{0, 63}},
		{"a second time around", 64 * m, m, []int{0}},
		{"nearly all", 2 * m, 63 * m, slices.DeleteFunc(upTo(stripeCount), func(i int) bool { return i == 1 })},
		{"just all", 2 * m, 64 * m, upTo(stripeCount)},
		{"a gigabyte", 5 * m, 1 << 30, upTo(stripeCount)},
	} {
		var s stripes
		var got []int
		s.each(tt.off, tt.n, func(x *stripe) {
			for i := range s {
				if x == &s[i] {
					got = append(got, i)
				}
			}
		})
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// Many initiators count up in one block by COMPARE AND WRITE while others write
// beside it: no count is lost.
func TestCompareAndWriteIsAtomic(t *testing.T) {
	const initiators, counts = 8, 50
	s := newSeveral(t)
	var wg sync.WaitGroup
	for range initiators {
		n := s.lun.Attach(port('x'), &tasks{})
		n.takeAttention()
		wg.Go(func() {
			for range counts {
				for have := byte(0); ; {
					data := append(block(have), block(have+1)...)
					r := send(n, 0, data, 0x89, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1)
					if code(r) == 0 {
						break
					}
					have = send(n, 0, nil, 0x28, 0, 0, 0, 0, 1, 0, 0, 1).Data[0]
				}
				send(n, 0, block(9), 0x2a, 0, 0, 0, 0, 2, 0, 0, 1)
			}
		})
	}
	wg.Wait()
	const sum = initiators * counts % 256
	if got := send(s.nexus['a'], 0, nil, 0x28, 0, 0, 0, 0, 1, 0, 0, 1).Data[0]; got != sum {
		t.Errorf("counted %d, want %d", got, sum)
	}
}
