package docs

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/san-csi/san-csi/pkg/config"
	"github.com/san-csi/san-csi/tests/chart/objects"
)

// TestBlocks: every block is of a kind that is checked, or shows what a program
// printed.
func TestBlocks(t *testing.T) {
	p, err := open()
	if err != nil {
		t.Fatal(err)
	}
	all, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	checked := map[string]int{}
	for _, page := range all {
		for _, b := range page.blocks {
			kind, err := p.block(b)
			if err != nil {
				t.Errorf("%s: %v", b, err)
			}
			checked[kind]++
		}
	}
	for _, kind := range []string{"commands", "manifests", "arrays' file", "chart values", "texts of errors"} {
		if checked[kind] == 0 {
			t.Errorf("no block of %s was found: %v", kind, checked)
		}
	}
}

// block checks a block by its kind.
func (p *project) block(b block) (kind string, err error) {
	switch b.lang {
	case "sh":
		return "commands", p.script(b.text)
	case "console": // of root on a node
		return "commands", p.script(strings.ReplaceAll("\n"+b.text, "\n# ", "\n"))
	case "yaml":
		return p.yaml(b.text)
	case "text": // TestErrorTexts
		return "texts of errors", nil
	case "":
		// Output and drawings. Commands among them are those that begin so.
		if words := strings.Fields(b.text); len(words) > 0 && slices.Contains([]string{"make", "kubectl", "helm", "san-csi", "san-array"}, words[0]) {
			return "commands", p.script(b.text)
		}
		return "shown", nil
	}
	return "", fmt.Errorf("a block of %q: sh, console, yaml or text?", b.lang)
}

func (p *project) script(text string) error {
	all, err := commands(text)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("a block without a command: %q", text)
	}
	for _, words := range all {
		if err := p.check(words); err != nil {
			return err
		}
	}
	return nil
}

func (p *project) yaml(text string) (kind string, err error) {
	var document map[string]any
	first, _, _ := strings.Cut(text, "\n---\n")
	if err := yaml.UnmarshalStrict([]byte(first), &document); err != nil {
		return "", err
	}
	if document["kind"] != nil {
		_, err := objects.Decode(strings.NewReader(text))
		return "manifests", err
	}
	if document["arrays"] != nil && !strings.Contains(text, "caCert") && !strings.Contains(text, "# my-values") {
		return "arrays' file", yaml.UnmarshalStrict([]byte(text), &config.Config{})
	}
	named := map[string]bool{}
	dotted(document, "", named)
	for key := range named {
		if !p.values[key] && !p.open(key) {
			return "", fmt.Errorf("the chart has no value %s", key)
		}
	}
	return "chart values", nil
}

// open reports whether the key is of a setting that takes any keys.
func (p *project) open(key string) bool {
	for _, free := range []string{"nodeSelector.", "labels.", "annotations.", "resources.", "affinity."} {
		if strings.Contains(key, free) {
			return true
		}
	}
	return false
}

// TestSpans: commands and settings in the prose, too.
func TestSpans(t *testing.T) {
	p, err := open()
	if err != nil {
		t.Fatal(err)
	}
	all, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range all {
		if page.name == "CHANGELOG.md" { // what once was
			continue
		}
		for _, s := range page.spans() {
			err := error(nil)
			words, _ := split(s)
			top, _, within := strings.Cut(s, ".")
			switch {
			case len(words) > 1 && slices.Contains([]string{"make", "kubectl", "helm", "san-csi", "san-array"}, words[0]):
				err = p.script(s)
			case len(words) == 1 && strings.HasPrefix(s, "--"):
				err = p.anyFlag(s)
			case len(words) == 1 && within && p.values[top] && slices.Contains(sections, top):
				key, _, _ := strings.Cut(s, "=")
				if slices.Contains([]string{"node.key", "node.chap"}, key) {
					continue // files beside the stage records
				}
				if !p.values[key] && !p.open(key) {
					err = fmt.Errorf("the chart has no value %s", key)
				}
			default:
				continue
			}
			found++
			if err != nil {
				t.Errorf("%s: `%s`: %v", page.name, s, err)
			}
		}
	}
	if found < 50 {
		t.Errorf("%d spans were checked, and there are more", found)
	}
}

// sections are the chart's whose settings are named in the prose.
var sections = []string{"controller", "node", "csiDriver", "snapshots", "evaluation", "networkPolicy", "sidecars", "dashboard", "prometheusRule", "test"}

// anyFlag wants the flag to be one of our programs'.
func (p *project) anyFlag(s string) error {
	name, _, _ := strings.Cut(strings.TrimLeft(s, "-"), "=")
	for _, known := range p.flags {
		if known[name] {
			return nil
		}
	}
	if slices.Contains([]string{"login"}, name) { // iscsiadm's
		return nil
	}
	return fmt.Errorf("none of our programs has it")
}
