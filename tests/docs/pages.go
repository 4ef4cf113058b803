// Package docs holds the documentation against the project: commands, manifests,
// settings, texts of errors and links are of what there is.
package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// root is the module's, from this package.
const root = "../.."

// page is a Markdown file.
type page struct {
	name   string // from the module's root
	prose  string // without its blocks
	blocks []block
}

// block is a fenced one.
type block struct {
	page string
	line int
	lang string
	text string
}

func (b block) String() string { return fmt.Sprintf("%s:%d", b.page, b.line) }

// pages are all that users and contributors read.
func pages() ([]page, error) { return pagesOf(root) }

func pagesOf(root string) ([]page, error) {
	var names []string
	for _, pattern := range []string{"*.md", "docs/*.md", "examples/*.md", "charts/*/README.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		names = append(names, found...)
	}
	var all []page
	for _, name := range names {
		p, err := read(root, name)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// Manifests are the pages' objects of Kubernetes, by where they stand; root is
// the module's.
func Manifests(root string) (map[string]string, error) {
	all, err := pagesOf(root)
	found := map[string]string{}
	for _, p := range all {
		for _, b := range p.blocks {
			if b.lang == "yaml" && strings.Contains(b.text, "apiVersion:") {
				found[b.String()] = b.text
			}
		}
	}
	return found, err
}

func read(root, path string) (page, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return page{}, err
	}
	name, err := filepath.Rel(root, path)
	p := page{name: name}
	var open *block
	number := 0
	for line := range strings.Lines(string(raw)) {
		number++
		lang, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && open == nil:
			open = &block{page: name, line: number, lang: lang}
		case fence:
			p.blocks = append(p.blocks, *open)
			open = nil
		case open != nil:
			open.text += line
		default:
			p.prose += line
		}
	}
	if open != nil {
		return p, fmt.Errorf("%s: its block has no end", open)
	}
	return p, err
}

var span = regexp.MustCompile("`([^`\n]+)`")

// spans are what of the prose stands between single backticks.
func (p page) spans() (all []string) {
	for _, m := range span.FindAllStringSubmatch(p.prose, -1) {
		all = append(all, m[1])
	}
	return all
}
