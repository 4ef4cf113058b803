// Package debian fetches packages and sources of Debian into a directory of
// the caller's. Nothing of the machine's apt or dpkg is changed, and root is
// not needed; apt verifies what it fetches against Debian's signed indices.
package debian

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Archive is Debian's archive as the machine's apt is set up to reach it, with
// indices of its own in a directory.
type Archive struct{ dir string }

// Open reads the indices, those of the sources too, into dir.
func Open(ctx context.Context, dir string) (*Archive, error) {
	a := &Archive{dir: dir}
	for _, sub := range []string{"lists/partial", "archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	sources, err := sources(ctx)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(a.sourceList(), sources, 0o644); err != nil {
		return nil, err
	}
	return a, a.apt(ctx, dir, "update", "--error-on=any")
}

// sources are the entries of Debian's own repositories among the machine's,
// each for packages and for sources.
func sources(ctx context.Context) ([]byte, error) {
	out, err := run(exec.CommandContext(ctx, "apt-get", "indextargets",
		"--format", "$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"))
	if err != nil {
		return nil, err
	}
	var list bytes.Buffer
	for line := range strings.Lines(string(out)) {
		if repository, ok := strings.CutPrefix(line, "Debian "); ok {
			fmt.Fprintf(&list, "deb %sdeb-src %s", repository, repository)
		}
	}
	if list.Len() == 0 {
		return nil, errors.New("apt knows no repository of Debian: is this Debian, and did apt-get update run?")
	}
	return list.Bytes(), nil
}

// Unpack downloads packages, without what they depend on, and unpacks them
// into root. No script of theirs is run.
func (a *Archive) Unpack(ctx context.Context, root string, packages ...string) error {
	debs, err := a.fetch(ctx, append([]string{"download"}, packages...)...)
	if err != nil {
		return err
	}
	for _, deb := range debs {
		if filepath.Ext(deb) != ".deb" {
			continue
		}
		if _, err := run(exec.CommandContext(ctx, "dpkg-deb", "--extract", deb, root)); err != nil {
			return err
		}
	}
	return nil
}

// Source downloads a source package and unpacks what its authors published,
// without Debian's changes, into root.
func (a *Archive) Source(ctx context.Context, root, name string) error {
	files, err := a.fetch(ctx, "source", "--download-only", name)
	if err != nil {
		return err
	}
	for _, file := range files {
		if !strings.Contains(file, ".orig.tar.") || filepath.Ext(file) == ".asc" {
			continue
		}
		if err := os.MkdirAll(root, 0o755); err != nil {
			return err
		}
		_, err := run(exec.CommandContext(ctx, "tar", "--extract", "--strip-components=1", "--directory", root, "--file", file))
		return err
	}
	return fmt.Errorf("source package %s has no archive of its authors: %q", name, files)
}

// fetch runs a command of apt-get that downloads into the working directory,
// and gives what it downloaded.
func (a *Archive) fetch(ctx context.Context, args ...string) ([]string, error) {
	dir, err := os.MkdirTemp(a.dir, "fetched-*")
	if err != nil {
		return nil, err
	}
	if err := a.apt(ctx, dir, args...); err != nil {
		return nil, err
	}
	return filepath.Glob(filepath.Join(dir, "*"))
}

func (a *Archive) sourceList() string { return filepath.Join(a.dir, "sources.list") }

func (a *Archive) apt(ctx context.Context, dir string, args ...string) error {
	options := []string{
		"-o", "Dir::Etc::SourceList=" + a.sourceList(),
		"-o", "Dir::Etc::SourceParts=-",
		"-o", "Dir::State::lists=" + filepath.Join(a.dir, "lists"),
		"-o", "Dir::Cache=" + a.dir,
		"-o", "Debug::NoLocking=true",
		"-o", "APT::Sandbox::User=", // its user cannot write to ours
		"-o", "Acquire::Languages=none",
		"-o", "Acquire::Retries=3",
		"-qq",
	}
	cmd := exec.CommandContext(ctx, "apt-get", append(options, args...)...)
	cmd.Dir = dir
	_, err := run(cmd)
	return err
}

// run gives the standard output; an error has what the command said.
func run(cmd *exec.Cmd) ([]byte, error) {
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(said.Bytes()))
	}
	return out, nil
}
