//go:build chart

// Package chart tests what the chart renders, with the Helm that
// tests/chart/tools pins.
package chart

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/san-csi/san-csi/tests/chart/helm"
	"github.com/san-csi/san-csi/tests/chart/objects"
)

// tool is set once, before any test runs.
var tool *helm.Helm

func TestMain(m *testing.M) {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	var err error
	if tool, err = helm.Find(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	stop()
	os.Exit(code)
}

// manifest is a rendered chart.
type manifest struct{ objects []runtime.Object }

// render renders with one of the chart's ci/ files, "" for none, and settings of
// the form key=value.
func render(t *testing.T, ci string, set ...string) manifest {
	t.Helper()
	out, err := tool.Template(t.Context(), arguments(ci, set)...)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := objects.Decode(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	return manifest{decoded}
}

func arguments(ci string, set []string) []string {
	var args []string
	if ci != "" {
		args = append(args, "--values", filepath.Join(helm.Chart, "ci", ci+"-values.yaml"))
	}
	for _, s := range set {
		args = append(args, "--set-json", s)
	}
	return args
}

// all are the objects of that type.
func all[T runtime.Object](m manifest) []T {
	var found []T
	for _, o := range m.objects {
		if typed, ok := o.(T); ok {
			found = append(found, typed)
		}
	}
	return found
}

// one is the only object of that type and name.
func one[T interface {
	runtime.Object
	GetName() string
}](t *testing.T, m manifest, name string) T {
	t.Helper()
	var found []T
	for _, o := range all[T](m) {
		if o.GetName() == name {
			found = append(found, o)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d objects %T of name %q, want 1", len(found), *new(T), name)
	}
	return found[0]
}

// kinds counts the objects by kind.
func kinds(t *testing.T, m manifest) map[string]int {
	t.Helper()
	count := map[string]int{}
	for _, o := range m.objects {
		count[o.GetObjectKind().GroupVersionKind().Kind]++
		if _, err := meta.Accessor(o); err != nil {
			t.Error(err)
		}
	}
	return count
}
