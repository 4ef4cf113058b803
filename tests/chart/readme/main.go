// Command readme writes the chart's README.md: its text from README.md.tmpl,
// its table of settings from the comments in values.yaml. Run it in the
// module's root.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

const chart = "charts/san-csi"

func main() {
	content, err := render(chart)
	if err == nil {
		err = os.WriteFile(filepath.Join(chart, "README.md"), content, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "readme:", err)
		os.Exit(1)
	}
}

// render is the README of the chart in that directory.
func render(dir string) ([]byte, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "values.yaml"))
	if err != nil {
		return nil, err
	}
	values, err := read(raw)
	if err != nil {
		return nil, fmt.Errorf("values.yaml: %w", err)
	}
	tmpl, err := template.ParseFiles(filepath.Join(dir, "README.md.tmpl"))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = tmpl.Execute(&out, map[string]string{"Values": table(values)})
	return out.Bytes(), err
}

func table(values []value) string {
	var b strings.Builder
	b.WriteString("| key | default | meaning |\n|---|---|---|\n")
	for _, v := range values {
		def := ""
		if v.def != "" {
			def = "`" + v.def + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", v.path, escape(def), escape(v.text))
	}
	return b.String()
}

// escape keeps a cell's text in its cell.
func escape(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
