package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestReadmeIsCurrent: values.yaml is the one place where a setting is
// described.
func TestReadmeIsCurrent(t *testing.T) {
	dir := filepath.Join("..", "..", "..", chart)
	want, err := render(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("charts/san-csi/README.md is not what values.yaml says: make chart-readme")
	}
}

func TestRead(t *testing.T) {
	values, err := read([]byte(`# First
# of two lines.
a: 1
b:
  # A list | of strings.
  c: [x, "y"]
  # A section.
  d:
    # Empty.
    e: ""
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []value{
		{path: "a", text: "First of two lines.", def: "1"},
		{path: "b.c", text: "A list | of strings.", def: `["x","y"]`},
		{path: "b.d", text: "A section."},
		{path: "b.d.e", text: "Empty.", def: `""`},
	}
	if !slices.Equal(values, want) {
		t.Errorf("%+v, want %+v", values, want)
	}
	if row := `| ` + "`b.c` | `[\"x\",\"y\"]`" + ` | A list \| of strings. |`; !strings.Contains(table(values), row) {
		t.Errorf("no row %s in\n%s", row, table(values))
	}
}

func TestReadRefuses(t *testing.T) {
	for name, content := range map[string]string{
		"a setting without a comment":   "a: 1\n",
		"a comment that is not its own": "# Of b.\n\na: 1\n",
		"a key twice":                   "# A.\na: 1\n# A.\na: 2\n",
		"a step of four":                "# A.\na:\n    # B.\n    b: 1\n",
	} {
		if values, err := read([]byte(content)); err == nil {
			t.Errorf("%s: accepted as %+v", name, values)
		}
	}
}
