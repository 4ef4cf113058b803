package initiator

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestDaemon(t *testing.T) {
	const header = "Num       RefCount Protocol Flags    Type St Inode Path\n"
	for name, tc := range map[string]struct {
		table string
		want  error
	}{
		"listening":           {header + "0000000000000000: 00000002 00000000 00010000 0001 01 17325 @ISCSIADM_ABSTRACT_NAMESPACE\n", nil},
		"nobody":              {header, ErrUnavailable},
		"somebody else alone": {header + "0000000000000000: 00000002 00000000 00010000 0001 01 17325 @ISCSIADM_ABSTRACT_NAMESPACE_2\n", ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			proc := t.TempDir()
			if err := os.Mkdir(filepath.Join(proc, "net"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(proc, "net", "unix"), []byte(tc.table), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := New(Options{Proc: proc}).Daemon(t.Context()); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}
