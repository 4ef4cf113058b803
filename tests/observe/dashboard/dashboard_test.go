package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestDashboardIsCurrent: the table is the one place where a panel is described.
func TestDashboardIsCurrent(t *testing.T) {
	want, err := render()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join("..", "..", "..", file))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what panels.go says: make dashboard", file)
	}
}

// TestPlaces: no panel lies over another or beside the grid.
func TestPlaces(t *testing.T) {
	taken := map[[2]int]string{}
	for _, p := range lay(rows).Panels {
		if p.GridPos.X+p.GridPos.W > 3*width {
			t.Errorf("%s: %+v is beside the grid", p.Title, p.GridPos)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%q lies over %q", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}
