package main

import (
	"errors"
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	vgdraw "gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

const (
	columns = 3
	width   = 11 * vg.Centimeter
	height  = 7 * vg.Centimeter
	// gap is how far apart, in seconds, two samples may be and still be joined.
	gap = 3
	// named is how many lines a legend may name.
	named = 6
)

// draw lays the panels out as the dashboard does.
func draw(all []panel, file string) error {
	rows := (len(all) + columns - 1) / columns
	plots := make([][]*plot.Plot, rows)
	for i := range plots {
		plots[i] = make([]*plot.Plot, columns)
	}
	end := 0.0
	for _, one := range all {
		end = max(end, one.end())
	}
	for i, one := range all {
		p, err := one.plot()
		if err != nil {
			return err
		}
		p.X.Min, p.X.Max = 0, end // the same moment is at the same place in each
		plots[i/columns][i%columns] = p
	}
	canvas := vgsvg.New(columns*width, vg.Length(rows)*height)
	pad := vg.Points(10)
	tiles := vgdraw.Tiles{Rows: rows, Cols: columns, PadX: pad, PadY: pad, PadTop: pad, PadBottom: pad, PadLeft: pad, PadRight: pad}
	for i, places := range plot.Align(plots, tiles, vgdraw.New(canvas)) {
		for j, place := range places {
			if plots[i][j] != nil {
				plots[i][j].Draw(place)
			}
		}
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = canvas.WriteTo(out)
	return errors.Join(err, out.Close())
}

func (d panel) plot() (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = d.Title
	p.X.Label.Text, p.Y.Label.Text = "seconds", d.Unit
	p.Y.Min = 0
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.TextStyle.Font.Size = vg.Points(8)
	most := 1e-9 // a line at zero is drawn on the axis, not in the middle
	for i, l := range d.Lines {
		for n, points := range l.joined() {
			drawn, err := plotter.NewLine(points)
			if err != nil {
				return nil, err
			}
			drawn.Color, drawn.Width = plotutil.Color(i), vg.Points(1.5)
			p.Add(drawn)
			if n == 0 && len(d.Lines) <= named {
				p.Legend.Add(l.Name, drawn)
			}
			_, _, _, top := plotter.XYRange(points)
			most = max(most, top)
		}
	}
	p.Y.Max = most * 1.5 // room for the legend
	return p, nil
}

// end is the moment of the last point.
func (d panel) end() (last float64) {
	for _, l := range d.Lines {
		for _, at := range l.Points {
			last = max(last, at[0])
		}
	}
	return last
}

// joined are the points between which there is no gap.
func (l line) joined() []plotter.XYs {
	var all []plotter.XYs
	last := -2.0 * gap
	for _, at := range l.Points {
		if at[0]-last > gap {
			all = append(all, nil)
		}
		last = at[0]
		all[len(all)-1] = append(all[len(all)-1], plotter.XY{X: at[0], Y: at[1]})
	}
	return all
}
