package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Verbs are those of kubectl that the docs use, with their flags; tests/chart/dryrun
// asks the real kubectl whether it has them.
func Verbs() map[string][]string { return verbs }

var verbs = map[string][]string{
	"annotate": {"--overwrite"},
	"apply":    {"-f", "-k"},
	"cordon":   {},
	"create":   {"--from-file", "--dry-run", "-o"},
	"delete":   {"-f", "-l", "--wait"},
	"describe": {"-l", "--all-namespaces", "-A"},
	"drain":    {"--ignore-daemonsets", "--delete-emptydir-data"},
	"exec":     {"-c"},
	"get":      {"-o", "-l", "-A", "-w", "--field-selector", "--show-labels"},
	"label":    {"--overwrite"},
	"logs":     {"-l", "-c", "--tail", "-f", "--prefix"},
	"patch":    {"--type", "-p"},
	"rollout":  {"--timeout"},
	"taint":    {},
	"uncordon": {},
	"wait":     {"--for", "--timeout"},
	"version":  {},
}

// global are flags of every verb.
var global = []string{"-n", "--namespace"}

var kubectlValued = []string{"-n", "--namespace", "-f", "-k", "-l", "-c", "-o", "-p", "--type", "--for", "--field-selector", "--from-file", "--timeout", "--tail"}

func (p *project) kubectl(args []string) error {
	verb, flags, names := parse(args, kubectlValued)
	known, ok := verbs[verb]
	if !ok {
		return fmt.Errorf("kubectl %s: not among those that the docs use", verb)
	}
	for _, f := range flags {
		if !slices.Contains(known, f.name) && !slices.Contains(global, f.name) {
			return fmt.Errorf("kubectl %s has no flag %s", verb, f.name)
		}
		if f.name == "-k" || f.name == "-f" && strings.HasPrefix(f.value, "deploy/") {
			if _, err := os.Stat(filepath.Join(root, f.value)); err != nil {
				return err
			}
		}
		if f.name == "-f" {
			names = append(names, f.value)
		}
	}
	if at := slices.Index(args, "--"); at >= 0 { // what is run in the pod
		if err := p.check(args[at+1:]); err != nil && strings.HasPrefix(args[at+1], "san-") {
			return err
		}
	}
	return exist(names, "examples/", "charts/")
}

// Kubectl are the arguments of the page's commands of kubectl, in their order;
// root is the module's.
func Kubectl(root, name string) (all [][]string, err error) {
	p, err := read(root, filepath.Join(root, name))
	if err != nil {
		return nil, err
	}
	for _, b := range p.blocks {
		if b.lang != "sh" {
			continue
		}
		lines, err := commands(b.text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b, err)
		}
		for _, words := range lines {
			if words[0] == "kubectl" {
				all = append(all, words[1:])
			}
		}
	}
	return all, nil
}
