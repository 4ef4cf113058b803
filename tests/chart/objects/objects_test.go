package objects

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestDecode(t *testing.T) {
	const good = `# A comment alone.
---
apiVersion: v1
kind: Pod
metadata: {name: a}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: b}
`
	decoded, err := Decode(strings.NewReader(good))
	if err != nil || len(decoded) != 2 {
		t.Fatalf("%d objects, %v; want 2", len(decoded), err)
	}
	if pod, ok := decoded[0].(*corev1.Pod); !ok || pod.Name != "a" {
		t.Errorf("%#v, want the pod", decoded[0])
	}
	for name, bad := range map[string]string{
		"an unknown kind":  "apiVersion: v1\nkind: Pods\n",
		"an unknown group": "apiVersion: example.com/v1\nkind: Pod\n",
		"an unknown field": "apiVersion: v1\nkind: Pod\nspec: {volume: []}\n",
		"a wrong type":     "apiVersion: v1\nkind: Pod\nspec: {hostNetwork: 1}\n",
		"a key twice":      "apiVersion: v1\nkind: Pod\nkind: Pod\n",
		"no YAML":          "a: [\n",
	} {
		if _, err := Decode(strings.NewReader(bad)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestManifests: every manifest that users apply is one that a server takes.
func TestManifests(t *testing.T) {
	for _, pattern := range []string{"examples/*/*.yaml", "deploy/*.yaml"} {
		files, err := filepath.Glob(filepath.Join("../../..", pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			decoded, err := Decode(f)
			if err != nil || len(decoded) == 0 {
				t.Errorf("%s: %d objects, %v", file, len(decoded), err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
