package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/san-csi/san-csi/pkg/softarray/store"
)

func TestCheck(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	_, stop := daemon(t, "--data-dir", dir, "--api-address", "127.0.0.1:0", "--iscsi-address", "127.0.0.1:0")
	var out strings.Builder
	if err := run(t.Context(), []string{"check", dir}, &out); !errors.Is(err, store.ErrInUse) {
		t.Errorf("check of a live array: %v", err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := run(t.Context(), []string{"check", dir}, &out); err != nil || !strings.HasPrefix(out.String(), "volumes 0, ") {
		t.Errorf("%v: %s", err, &out)
	}
	if err := os.WriteFile(filepath.Join(dir, "layers", "7"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	err := run(t.Context(), []string{"check", dir}, &out)
	if err == nil || !strings.HasSuffix(err.Error(), ": 1 problems") || !strings.HasPrefix(out.String(), "problem: file 7 is of no layer\n") {
		t.Errorf("%v: %s", err, &out)
	}
	for name, args := range map[string][]string{"no directory": {"check"}, "not there": {"check", filepath.Join(dir, "x")}, "two": {"check", dir, dir}} {
		if err := run(t.Context(), args, &out); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
