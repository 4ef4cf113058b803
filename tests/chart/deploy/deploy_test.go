//go:build chart

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/san-csi/san-csi/tests/chart/helm"
	"github.com/san-csi/san-csi/tests/chart/objects"
)

// TestDeployIsCurrent: deploy/ holds what the chart renders, and nothing else.
func TestDeployIsCurrent(t *testing.T) {
	want, err := generate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir("../../../deploy")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join("../../../deploy", entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(content, want[entry.Name()]) {
			t.Errorf("deploy/%s is not what the chart renders: make deploy", entry.Name())
		}
		delete(want, entry.Name())
	}
	if len(want) != 0 {
		t.Errorf("%d files are missing in deploy/: make deploy", len(want))
	}
}

// TestKustomize: kustomize builds deploy/, in the namespace of its own, with as
// many objects as the files have.
func TestKustomize(t *testing.T) {
	tool, root, err := helm.Tool(t.Context(), "kustomize", "./kustomize")
	if err != nil {
		t.Fatal(err)
	}
	built, err := exec.CommandContext(t.Context(), tool, filepath.Join(root, "deploy")).Output()
	if err != nil {
		t.Fatal(err)
	}
	got, err := objects.Decode(bytes.NewReader(built))
	if err != nil {
		t.Fatal(err)
	}
	files, err := generate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	delete(files, "kustomization.yaml")
	want := 0
	for _, content := range files {
		in, err := objects.Decode(bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		want += len(in)
	}
	if len(got) != want || want < 20 {
		t.Errorf("kustomize builds %d objects, the files have %d", len(got), want)
	}
	for _, line := range bytes.Split(built, []byte("\n")) {
		if ns, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("namespace: ")); ok && !slices.Equal(ns, []byte(namespace)) {
			t.Errorf("namespace %s", ns)
		}
	}
}
