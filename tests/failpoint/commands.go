package main

import (
	"bytes"
	"context"
	"path"
	"strings"

	utilexec "k8s.io/utils/exec"
)

// stepping runs commands with a step before each, one while it runs, and one
// after.
type stepping struct{ utilexec.Interface }

func (s stepping) CommandContext(ctx context.Context, name string, args ...string) utilexec.Cmd {
	return command{s.Interface.CommandContext(ctx, name, args...), ctx, said(name, args)}
}

// said is a command as the list of steps names it: the program and what it is to
// do, without the device, path or target that it is to do it to.
func said(name string, args []string) string {
	words := []string{path.Base(name)}
	for i, arg := range args {
		switch {
		case arg == "-o" && i+1 < len(args):
			words = append(words, arg, args[i+1])
		case arg == "--login", arg == "--logout":
			words = append(words, arg)
		}
	}
	return strings.Join(words, " ")
}

type command struct {
	utilexec.Cmd
	ctx  context.Context
	name string
}

func (c command) CombinedOutput() ([]byte, error) {
	var out bytes.Buffer
	c.SetStdout(&out)
	c.SetStderr(&out)
	err := c.Run()
	return out.Bytes(), err
}

func (c command) Output() ([]byte, error) {
	var out bytes.Buffer
	c.SetStdout(&out)
	err := c.Run()
	return out.Bytes(), err
}

func (c command) Run() error {
	defer around(c.ctx, c.name)()
	if err := c.Start(); err != nil {
		return err
	}
	step(c.ctx, "in the middle of "+c.name)
	return c.Wait()
}
