package main

import (
	"fmt"
	"regexp"

	"github.com/san-csi/san-csi/tests/bench/fio"
)

// Cell is one load that both targets carry.
type Cell struct {
	Kind  string // of fio
	Block int    // bytes
	Depth int    // I/Os under way on each LUN
	LUNs  int
}

func (c Cell) String() string {
	return fmt.Sprintf("%s %dK QD%d %d LUN", c.Kind, c.Block>>10, c.Depth, c.LUNs)
}

// maxLUNs is the most of them that a cell uses.
const maxLUNs = 8

// cells are those of the comparison whose name matches.
func cells(pattern string) ([]Cell, error) {
	wanted, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("-cells: %w", err)
	}
	var list []Cell
	add := func(c Cell) {
		if wanted.MatchString(c.String()) {
			list = append(list, c)
		}
	}
	for _, luns := range []int{1, maxLUNs} {
		for _, kind := range []string{fio.RandomRead, fio.RandomWrite} {
			for _, depth := range []int{1, 8, 32} {
				add(Cell{kind, 4 << 10, depth, luns})
			}
		}
		for _, kind := range []string{fio.Read, fio.Write} {
			add(Cell{kind, 128 << 10, 8, luns})
		}
	}
	return list, nil
}
