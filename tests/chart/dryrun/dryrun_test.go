//go:build chart

// Package dryrun shows what the chart renders, deploy/ and the examples to a
// real API server: each object is validated and admitted, none is kept.
package dryrun

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/san-csi/san-csi/tests/chart/helm"
	"github.com/san-csi/san-csi/tests/cluster"
	"github.com/san-csi/san-csi/tests/docs"
	"github.com/san-csi/san-csi/tests/guest"
)

// openWait bounds the start of the API server.
const openWait = 5 * time.Minute

func TestMain(m *testing.M) {
	if !guest.Isolated() {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		if err := fetchDefinitions(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		stop()
	}
	cluster.Isolate()
	os.Exit(m.Run())
}

func TestServer(t *testing.T) {
	c := open(t)
	t.Run("refuses", func(t *testing.T) { testRefuses(t, c) })
	t.Run("verbs", func(t *testing.T) { testVerbs(t, c) })
	root, err := helm.Root()
	if err != nil {
		t.Fatal(err)
	}
	sources := map[string][]string{}
	for _, values := range []string{"", "full", "secret", "evaluation"} {
		sources["chart, values "+values] = []string{"--filename", render(t, values)}
	}
	sources["deploy"] = []string{"--kustomize", filepath.Join(root, "deploy")}
	sources["examples"] = []string{"--recursive", "--filename", filepath.Join(root, "examples")}
	manifests, err := docs.Manifests(root)
	if err != nil {
		t.Fatal(err)
	}
	for place, manifest := range manifests {
		sources[place] = []string{"--filename", write(t, manifest)}
	}
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			out, err := c.Kubectl(t.Context(), append([]string{"apply", "--dry-run=server", "--validate=strict"}, source...)...)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(out)
		})
	}
}

// help is where kubectl tells of flags that are not the verb's own.
var help = map[string][]string{"create": {"create", "secret", "generic"}, "rollout": {"rollout", "status"}}

// testVerbs: the real kubectl has what the docs' commands are checked by.
func testVerbs(t *testing.T, c *cluster.Cluster) {
	for verb, flags := range docs.Verbs() {
		args := help[verb]
		if args == nil {
			args = []string{verb}
		}
		told, err := c.Kubectl(t.Context(), append(args, "--help")...)
		if err != nil {
			t.Errorf("kubectl %s: %v", verb, err)
		}
		for _, f := range flags {
			if !strings.Contains(told, " "+f+",") && !strings.Contains(told, " "+f+"=") {
				t.Errorf("kubectl %s has no flag %s", verb, f)
			}
		}
	}
}

// testRefuses: a dry run that took everything would show nothing.
func testRefuses(t *testing.T, c *cluster.Cluster) {
	path := write(t, `apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata: {name: san-csi.io}
spec: {attachRequired: true, fsGroupPolicy: Sometimes}
`)
	if out, err := c.Kubectl(t.Context(), "apply", "--dry-run=server", "--filename", path); err == nil {
		t.Errorf("an fsGroupPolicy that does not exist was taken: %s", out)
	}
}

// open starts a server that knows the kinds and the namespace.
func open(t *testing.T) *cluster.Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), openWait)
	defer cancel()
	c, err := cluster.OpenControlPlane(ctx)
	if err != nil {
		t.Fatal(err)
	}
	files, err := definitionFiles()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		// Not apply: some are longer than the annotation it would make of them.
		if _, err := c.Kubectl(ctx, "create", "--filename", file); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Kubectl(ctx, "wait", "--for=condition=Established", "--filename", file, "--timeout=60s"); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"create", "namespace", "san-csi"},
		{"create", "namespace", "shop"}, // of examples in the docs
		{"wait", "--for=create", "--namespace=san-csi", "serviceaccount/default", "--timeout=60s"},
	} {
		if _, err := c.Kubectl(ctx, args...); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// render is a file of what the chart renders with one of its ci/ files, "" for
// its defaults and an existing Secret.
func render(t *testing.T, values string) string {
	t.Helper()
	h, err := helm.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--set", "arraysSecret=san-csi-arrays"}
	if values != "" {
		args = []string{"--values", filepath.Join(helm.Chart, "ci", values+"-values.yaml")}
	}
	out, err := h.Template(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, string(out))
}

func write(t *testing.T, manifest string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(path, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
