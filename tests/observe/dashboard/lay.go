package main

// Three panels are beside each other on Grafana's grid of 24 columns.
const (
	width  = 8
	height = 7
)

var prometheus = &source{Type: "prometheus", UID: "${datasource}"}

// lay gives each row its line and each panel its place beneath it.
func lay(rows []row) dashboard {
	d := dashboard{
		Title: "san-csi", UID: "san-csi", Tags: []string{"storage", "csi", "san-csi"}, SchemaVersion: 39, Editable: true,
		GraphTooltip: 1, Refresh: "30s", Time: timeRange{From: "now-3h", To: "now"}, Templating: templating{List: variables()},
	}
	y, open := 0, false
	for _, r := range rows {
		d.Panels = append(d.Panels, drawn{ID: len(d.Panels) + 1, Type: "row", Title: r.title, GridPos: place{H: 1, W: 3 * width, Y: y}, Collapsed: &open})
		y++
		for i, p := range r.panels {
			at := place{H: height, W: width, X: i % 3 * width, Y: y + i/3*height}
			d.Panels = append(d.Panels, p.draw(len(d.Panels)+1, at))
		}
		y += (len(r.panels) + 2) / 3 * height
	}
	return d
}

func (p panel) draw(id int, at place) drawn {
	zero := 0
	d := drawn{
		ID: id, Type: "timeseries", Title: p.title, Description: p.help, Datasource: prometheus, GridPos: at,
		FieldConfig: &fieldConfig{Defaults: defaults{Unit: p.unit, Custom: custom{LineWidth: 2, FillOpacity: 5}}, Overrides: []string{}},
		Options:     &options{Legend: legend{DisplayMode: "list", Placement: "bottom", ShowLegend: true}, Tooltip: tooltip{Mode: "multi", Sort: "desc"}},
	}
	if !p.below {
		d.FieldConfig.Defaults.Min = &zero
	}
	for i, q := range p.queries {
		d.Targets = append(d.Targets, target{RefID: string(rune('A' + i)), Datasource: prometheus, Expr: q.expr, LegendFormat: q.legend})
	}
	return d
}

// variables are the choices at the dashboard's head.
func variables() []variable {
	choice := func(name, label, query string) variable {
		return variable{Name: name, Label: label, Type: "query", Datasource: prometheus, Query: query, Refresh: 2, Multi: true, IncludeAll: true, AllValue: ".*"}
	}
	return []variable{
		{Name: "datasource", Label: "Prometheus", Type: "datasource", Query: "prometheus"},
		choice("array", "array", "label_values(san_csi_array_up, array)"),
		choice("node", "node", "label_values(san_csi_node_volumes_staged, instance)"),
		choice("pvc", "claim", "label_values(san_csi_volume_floor_iops, pvc)"),
	}
}
