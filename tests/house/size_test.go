package house

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	maxLines  = 500
	maxDirect = 20
)

// TestFileSize holds every Go file to a length that can be read at once.
func TestFileSize(t *testing.T) {
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if n := bytes.Count(content, []byte("\n")); n > maxLines {
			t.Errorf("%s: %d lines, at most %d: which part of it is a room of its own?", path, n, maxLines)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDirectDependencies counts what go.mod requires directly.
func TestDirectDependencies(t *testing.T) {
	content, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	direct := regexp.MustCompile(`(?m)^\t[^ ]+ v[^ ]+$`).FindAllString(string(content), -1)
	if len(direct) == 0 || len(direct) > maxDirect {
		t.Errorf("%d direct dependencies, want 1 to %d:\n%s", len(direct), maxDirect, strings.Join(direct, "\n"))
	}
}
