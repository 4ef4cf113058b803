package fio

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/san-csi/san-csi/tests/bench/target"
)

func TestParse(t *testing.T) {
	const report = `note: something
{"jobs": [{"error": 0,
 "read": {"total_ios": 300, "iops": 100.5, "clat_ns": {"percentile": {"99.000000": 70000}}},
 "write": {"total_ios": 0}}]}`
	r, err := parse([]byte(report))
	if err != nil || r.Ops != 300 || r.IOPS != 100.5 || r.P99 != 70*time.Microsecond {
		t.Errorf("%+v, %v", r, err)
	}
	for name, text := range map[string]string{
		"no report": "fio: bad option",
		"error":     strings.Replace(report, `"error": 0`, `"error": 5`, 1),
		"no I/O":    strings.Replace(report, "300", "0", 1),
	} {
		if r, err := parse([]byte(text)); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("1700000000250, 1, 0, 4096, 0\n1700000000001, 1, 0, 4096, 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readLog(path, time.UnixMilli(1_700_000_000_000))
	if want := []time.Duration{time.Millisecond, 250 * time.Millisecond}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}

func TestArgs(t *testing.T) {
	p := Program{Initiator: "iqn.a"}
	args := p.args(Load{
		LUNs: []target.LUN{{Portal: "127.0.0.1:3260", IQN: "iqn.b:c", Number: 1}},
		Kind: RandomRead, Block: 4096, Depth: 8, Span: 1 << 20, Time: 1500 * time.Millisecond,
	})
	for _, want := range []string{"--iodepth=8", "--runtime=1500ms", `--filename=iscsi\://127.0.0.1\:3260/iqn.b\:c/1`} {
		if !slices.Contains(args, want) {
			t.Errorf("%q has no %q", args, want)
		}
	}
}
