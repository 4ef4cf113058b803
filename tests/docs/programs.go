package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// project is what commands may name.
type project struct {
	targets   map[string]bool            // make's
	variables map[string]bool            // make's
	flags     map[string]map[string]bool // by program, subcommands with a blank
	values    map[string]bool            // of the chart, dotted
}

// check tells what is wrong with a command.
func (p *project) check(words []string) error {
	program, args := words[0], words[1:]
	switch program {
	case "make":
		return p.make(args)
	case "kubectl":
		return p.kubectl(args)
	case "helm":
		return p.helm(args)
	case "san-csi", "san-array":
		return p.ours(program, args)
	}
	if !slices.Contains(others, program) {
		return fmt.Errorf("%q is no program that the docs use", program)
	}
	return nil
}

// others are programs whose flags are not looked at.
var others = []string{
	"curl", "jq", "docker", "go", "git", // of whoever reads
	"iscsiadm", "journalctl", "multipath", "modprobe", "systemctl", "apt-get", "dnf", "cat", // of a node
	"talosctl", "promtool", "openssl",
}

func (p *project) make(args []string) error {
	for _, a := range args {
		name, _, sets := strings.Cut(a, "=")
		if sets && !p.variables[name] || !sets && !p.targets[a] {
			return fmt.Errorf("make %s: there is no such target or variable", a)
		}
	}
	return nil
}

func (p *project) ours(program string, args []string) error {
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		program, args = program+" "+args[0], args[1:]
	}
	known, ok := p.flags[program]
	if !ok {
		return fmt.Errorf("%s: there is no such command", program)
	}
	for _, a := range args {
		name, _, _ := strings.Cut(strings.TrimLeft(a, "-"), "=")
		if strings.HasPrefix(a, "-") && !known[name] {
			return fmt.Errorf("%s has no flag %s", program, a)
		}
	}
	return nil
}

func (p *project) helm(args []string) error {
	verb, flags, names := parse(args, helmValued)
	if !slices.Contains([]string{"install", "upgrade", "uninstall", "test", "template", "rollback", "history", "get"}, verb) {
		return fmt.Errorf("helm %s: not among those that the docs use", verb)
	}
	for _, f := range flags {
		if !slices.Contains(helmValued, f.name) && !slices.Contains([]string{"--create-namespace", "--install", "--wait", "--reuse-values"}, f.name) {
			return fmt.Errorf("helm %s has no flag %s", verb, f.name)
		}
		if f.name != "--set" {
			continue
		}
		for setting := range strings.SplitSeq(f.value, ",") {
			if key, _, _ := strings.Cut(setting, "="); !p.values[key] {
				return fmt.Errorf("helm --set %s: the chart has no such value", key)
			}
		}
	}
	return exist(names, "charts/")
}

var helmValued = []string{"--namespace", "-n", "--set", "--values", "-f", "--version"}

type flag struct{ name, value string }

// parse parts flags, those that take a value with it, from a verb and names.
func parse(args, valued []string) (verb string, flags []flag, names []string) {
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			break
		}
		if !strings.HasPrefix(args[i], "-") {
			names = append(names, args[i])
			continue
		}
		f := flag{name: args[i]}
		name, value, inline := strings.Cut(args[i], "=")
		switch {
		case inline:
			f = flag{name, value}
		case slices.Contains(valued, f.name) && i+1 < len(args):
			i++
			f.value = args[i]
		}
		flags = append(flags, f)
	}
	if len(names) > 0 {
		verb, names = names[0], names[1:]
	}
	return verb, flags, names
}

// exist wants the names that begin so to be files of the project.
func exist(names []string, prefixes ...string) error {
	for _, name := range names {
		for _, prefix := range prefixes {
			if !strings.HasPrefix(name, prefix) || strings.Contains(name, "<") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

var (
	target   = regexp.MustCompile(`(?m)^([a-z0-9-]+):.*## `)
	variable = regexp.MustCompile(`\$\(([A-Z]+)\)|(?m)^([A-Z]+) \?=`)
	flagged  = regexp.MustCompile(`\.(?:\w*Var|String|Bool|Int|Duration)\((?:[^",]*, )?"([a-z-]+)"`)
)

// open reads what there is.
func open() (*project, error) {
	p := &project{targets: map[string]bool{"help": true}, variables: map[string]bool{}, flags: map[string]map[string]bool{}}
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		return nil, err
	}
	for _, m := range target.FindAllStringSubmatch(string(text), -1) {
		p.targets[m[1]] = true
	}
	for _, m := range variable.FindAllStringSubmatch(string(text), -1) {
		p.variables[m[1]+m[2]] = true
	}
	for program, files := range map[string][]string{
		"san-csi": {"cmd/san-csi/options.go"}, "san-csi gc": {"cmd/san-csi/gc.go"},
		"san-array": {"cmd/san-array/options.go"}, "san-array check": {"cmd/san-array/check.go"},
	} {
		p.flags[program] = map[string]bool{"v": true, "vmodule": true, "help": true} // klog's and flag's own
		for _, file := range files {
			text, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				return nil, err
			}
			for _, m := range flagged.FindAllStringSubmatch(string(text), -1) {
				p.flags[program][m[1]] = true
			}
		}
	}
	p.values, err = values()
	return p, err
}
