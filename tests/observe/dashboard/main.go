// Command dashboard writes the chart's Grafana dashboard from the table in
// panels.go. Run it in the module's root.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

const file = "charts/san-csi/files/dashboard.json"

func main() {
	content, err := render()
	if err == nil {
		err = os.WriteFile(file, content, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "dashboard:", err)
		os.Exit(1)
	}
}

// render is the dashboard as Grafana imports it.
func render() ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false) // it is read by people too
	encoder.SetIndent("", " ")
	err := encoder.Encode(lay(rows))
	return out.Bytes(), err
}
