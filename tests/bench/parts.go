package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// part is a measurement on its own.
type part struct {
	name, what string
	run        func(*bench, context.Context) error
}

// parts is in the order of the run.
var parts = []part{
	{"speed", "IOPS, throughput and CPU time against tgtd", (*bench).speed},
	{"logins", "logins a second against tgtd", (*bench).logins},
	{"idle", "memory with idle volumes and sessions", (*bench).idle},
	{"ceilings", "ceilings", (*bench).ceilings},
	{"floor", "a floor among noisy neighbours", (*bench).floor},
	{"burst", "a burst and its end", (*bench).burst},
	{"change", "a ceiling that is changed under load", (*bench).change},
}

func (b *bench) measure(ctx context.Context) error {
	wanted := strings.Split(b.parts, ",")
	for _, name := range wanted {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == name }) {
			return fmt.Errorf("-parts: there is no %q", name)
		}
	}
	for _, p := range parts {
		if !slices.Contains(wanted, p.name) {
			continue
		}
		say("%s", p.what)
		if err := p.run(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}
