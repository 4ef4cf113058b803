// Package house holds the rules of the house: which room may import which, and
// how large a file may grow.
package house

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/san-csi/san-csi/"

// mayImport lists, for each room, the rooms of ours that it may import. A room
// that is not listed has no place in the house yet: decide, then list it.
var mayImport = map[string][]string{
	"cmd/san-csi": {
		"pkg/chap", "pkg/config", "pkg/driver", "pkg/element", "pkg/filesystem", "pkg/initiator",
		"pkg/kube", "pkg/metrics", "pkg/placement", "pkg/provision", "pkg/san", "pkg/san/element", "pkg/stage", "pkg/tracing",
	},
	"cmd/san-array":       {"pkg/softarray"},
	"pkg/driver":          {"pkg/provision", "pkg/stage", "pkg/san", "pkg/qos", "pkg/chap"},
	"pkg/provision":       {"pkg/san", "pkg/qos", "pkg/placement"},
	"pkg/placement":       {"pkg/san", "pkg/qos"},
	"pkg/stage":           {"pkg/initiator", "pkg/filesystem"},
	"pkg/qos":             {},
	"pkg/san":             {"pkg/qos"},
	"pkg/san/santest":     {"pkg/san", "pkg/qos"},
	"pkg/san/element":     {"pkg/san", "pkg/qos", "pkg/element"},
	"pkg/element":         {},
	"pkg/initiator":       {},
	"pkg/filesystem":      {},
	"pkg/chap":            {},
	"pkg/config":          {},
	"pkg/kube":            {},
	"pkg/metrics":         {},
	"pkg/tracing":         {},
	"pkg/softarray":       {"pkg/qos", "pkg/softarray/..."},
	"pkg/softarray/api":   {"pkg/qos", "pkg/softarray/..."},
	"pkg/softarray/iscsi": {"pkg/qos", "pkg/softarray/..."},
	"pkg/softarray/scsi":  {"pkg/qos", "pkg/softarray/..."},
	"pkg/softarray/sched": {"pkg/qos", "pkg/softarray/..."},
	"pkg/softarray/store": {"pkg/qos", "pkg/softarray/..."},
}

type listed struct {
	ImportPath string
	Imports    []string
}

// TestImports holds the product's packages against the rules; tests may import
// more.
func TestImports(t *testing.T) {
	packages := list(t, "./cmd/...", "./pkg/...")
	for _, p := range packages {
		room := strings.TrimPrefix(p.ImportPath, module)
		allowed, known := mayImport[room]
		if !known {
			t.Errorf("%s: not among the rooms of this test", room)
			continue
		}
		for _, path := range p.Imports {
			to, ours := strings.CutPrefix(path, module)
			if ours && !within(to, allowed) {
				t.Errorf("%s imports %s, and may not", room, to)
			}
		}
	}
	for room := range mayImport {
		if !slices.ContainsFunc(packages, func(p listed) bool { return p.ImportPath == module+room }) {
			t.Errorf("%s: listed here, but there is no such room", room)
		}
	}
}

func within(room string, allowed []string) bool {
	return slices.ContainsFunc(allowed, func(a string) bool {
		prefix, tree := strings.CutSuffix(a, "...")
		return a == room || tree && strings.HasPrefix(room, prefix)
	})
}

func list(t *testing.T, patterns ...string) []listed {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports"}, patterns...)...)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		packages = append(packages, p)
	}
}
