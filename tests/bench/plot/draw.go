package main

import (
	"fmt"
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

var (
	blue = color.RGBA{R: 0x1f, G: 0x5f, B: 0xa8, A: 0xff}
	red  = color.RGBA{R: 0xc0, G: 0x39, B: 0x2b, A: 0xff}
	grey = color.RGBA{R: 0xb0, G: 0xb0, B: 0xb0, A: 0xff}
)

func (s *story) draw(file string) error {
	p := plot.New()
	p.Title.Text = fmt.Sprintf("One volume and eight greedy neighbours on an array of %d IOPS", s.Capability)
	p.X.Label.Text, p.Y.Label.Text = "seconds", "IOPS of 4 KiB"
	p.X.Min = 0
	p.Y.Min, p.Y.Max = 0, float64(s.Ceiling)*1.5
	p.Legend.Top = true
	for i, counts := range s.Neighbours {
		line, err := s.line(p, counts, grey, 1)
		if err != nil {
			return err
		}
		if i == 0 {
			p.Legend.Add(fmt.Sprintf("each neighbour (minIOPS %d)", s.NeighbourFloor), line)
		}
	}
	line, err := s.line(p, s.Victim, blue, 2.5)
	if err != nil {
		return err
	}
	p.Legend.Add("the volume", line)
	if err := s.floorLine(p); err != nil {
		return err
	}
	if err := s.events(p); err != nil {
		return err
	}
	return p.Save(22*vg.Centimeter, 11*vg.Centimeter, file)
}

// line draws a series from its first whole second on: in the one before, the
// initiator logged in.
func (s *story) line(p *plot.Plot, counts []int, c color.Color, width float64) (*plotter.Line, error) {
	login := slices.IndexFunc(counts, func(n int) bool { return n > 0 })
	var points plotter.XYs
	for second := login + 1; second < len(counts); second++ {
		points = append(points, plotter.XY{X: float64(second) + 0.5, Y: float64(counts[second])})
	}
	line, err := plotter.NewLine(points)
	if err != nil {
		return nil, err
	}
	line.Color, line.Width = c, vg.Points(width)
	p.Add(line)
	return line, nil
}

// floorLine is dashed from where the floor is set.
func (s *story) floorLine(p *plot.Plot) error {
	line, err := plotter.NewLine(plotter.XYs{{X: s.SetAt, Y: float64(s.Floor)}, {X: float64(len(s.Victim)), Y: float64(s.Floor)}})
	if err != nil {
		return err
	}
	line.Color, line.Width, line.Dashes = red, vg.Points(1.5), []vg.Length{vg.Points(5), vg.Points(3)}
	p.Add(line)
	p.Legend.Add(fmt.Sprintf("its floor (minIOPS %d)", s.Floor), line)
	return nil
}

// events are told above where they happen.
func (s *story) events(p *plot.Plot) error {
	top := float64(s.Ceiling) * 1.12
	labels, err := plotter.NewLabels(plotter.XYLabels{
		XYs:    plotter.XYs{{X: 0.5, Y: top}, {X: s.CameAt, Y: top}, {X: s.SetAt, Y: top}},
		Labels: []string{fmt.Sprintf("alone (maxIOPS %d)", s.Ceiling), "the neighbours come", fmt.Sprintf("minIOPS %d is set", s.Floor)},
	})
	if err != nil {
		return err
	}
	p.Add(labels)
	for _, at := range []float64{s.CameAt, s.SetAt} {
		mark, err := plotter.NewLine(plotter.XYs{{X: at, Y: 0}, {X: at, Y: top}})
		if err != nil {
			return err
		}
		mark.Color, mark.Width = color.Black, vg.Points(0.5)
		p.Add(mark)
	}
	return nil
}
