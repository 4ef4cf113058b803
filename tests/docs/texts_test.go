package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// verb is a place in a format; quoted ones are written without the quotes.
var verb = regexp.MustCompile(`%[-+#.0-9]*\[?[0-9]*\]?[a-zA-Z]`)

// TestErrorTexts: what troubleshooting quotes is what the code says. Between the
// places that vary ("...") each piece is in one and the same line of code.
func TestErrorTexts(t *testing.T) {
	var code []string
	for _, dir := range []string{"pkg", "cmd"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			code = append(code, strings.Split(verb.ReplaceAllString(string(text), "..."), "\n")...)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	all, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range all {
		for _, b := range page.blocks {
			if b.lang != "text" {
				continue
			}
			for text := range strings.Lines(b.text) {
				if !said(code, strings.TrimSpace(text)) {
					t.Errorf("%s: nothing in the code says %q", b, text)
				}
			}
		}
	}
}

// said reports whether a line of the code has all pieces in their order; a
// sentinel's own text, after the last colon, may be elsewhere.
func said(code []string, text string) bool {
	for _, line := range code {
		rest, all := line, true
		for piece := range strings.SplitSeq(text, "...") {
			if piece = strings.TrimSuffix(piece, ": device is not the volume expected"); strings.Trim(piece, " :") == "" {
				continue
			}
			_, after, found := strings.Cut(rest, piece)
			if !found {
				all = false
				break
			}
			rest = after
		}
		if all {
			return true
		}
	}
	return false
}
