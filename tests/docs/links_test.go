package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	unlike  = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// TestLinks: a link within the project leads somewhere, and every page of docs/
// is in its index.
func TestLinks(t *testing.T) {
	all, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	anchors := map[string]map[string]bool{}
	for _, p := range all {
		anchors[p.name] = map[string]bool{}
		for _, h := range heading.FindAllStringSubmatch(p.prose, -1) {
			anchors[p.name][anchor(h[1])] = true
		}
	}
	indexed := map[string]bool{}
	for _, p := range all {
		for _, m := range link.FindAllStringSubmatch(p.prose, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			name, at, _ := strings.Cut(m[1], "#")
			to := p.name
			if name != "" {
				to = filepath.Join(filepath.Dir(p.name), name)
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s: link to %s: %v", p.name, m[1], err)
			}
			if at != "" && !anchors[to][at] {
				t.Errorf("%s: link to %s: no such heading", p.name, m[1])
			}
			if p.name == "docs/README.md" {
				indexed[to] = true
			}
		}
	}
	for _, p := range all {
		if filepath.Dir(p.name) == "docs" && p.name != "docs/README.md" && !indexed[p.name] {
			t.Errorf("%s is not in docs/README.md", p.name)
		}
	}
}

// anchor is what GitHub makes of a heading.
func anchor(title string) string {
	return strings.ReplaceAll(unlike.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), ""), " ", "-")
}
