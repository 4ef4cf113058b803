package filesystem

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	utilexec "k8s.io/utils/exec"
	testingexec "k8s.io/utils/exec/testing"
)

// node runs commands by a table and keeps the mount table as a file.
type node struct {
	t      *testing.T
	dir    string
	mu     sync.Mutex
	ran    []string
	answer map[string]answer // by the command's name
	mounts []string          // lines of mountinfo
	under  sync.WaitGroup    // commands that run, also those that nobody waits for
}

type answer struct {
	exit   int
	output string
	hang   chan struct{} // ends the command, whatever its context says: uninterruptible sleep
}

func newNode(t *testing.T, mounts ...string) (*node, *Filesystem) {
	n := &node{t: t, dir: t.TempDir(), answer: map[string]answer{}, mounts: mounts}
	t.Cleanup(n.under.Wait)
	n.save()
	f := New(Options{Exec: n, MountInfo: filepath.Join(n.dir, "mountinfo")})
	f.number = func(path string) (string, error) {
		if filepath.Base(path) == "sdb" {
			return "8:16", nil
		}
		return "", fs.ErrNotExist
	}
	return n, f
}

func (n *node) save() {
	text := strings.Join(n.mounts, "\n") + "\n"
	if err := os.WriteFile(filepath.Join(n.dir, "mountinfo"), []byte(text), 0o600); err != nil {
		n.t.Error(err)
	}
}

// line is a line of mountinfo.
func line(number, root, path, options, fsType, source, super string) string {
	return fmt.Sprintf("40 28 %s %s %s %s shared:1 - %s %s %s", number, root, path, options, fsType, source, super)
}

func (n *node) commands() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.ran)
}

func (n *node) run(name string, args []string) ([]byte, error) {
	n.mu.Lock()
	n.under.Add(1)
	defer n.under.Done()
	n.ran = append(n.ran, strings.Join(append([]string{name}, args...), " "))
	a := n.answer[name]
	n.mu.Unlock()
	if a.hang != nil {
		<-a.hang
	}
	if a.exit != 0 {
		return []byte(a.output), &testingexec.FakeExitError{Status: a.exit}
	}
	if name == "umount" {
		n.mu.Lock()
		defer n.mu.Unlock()
		for at, m := range slices.Backward(n.mounts) {
			if strings.Fields(m)[4] == args[len(args)-1] {
				n.mounts = slices.Delete(n.mounts, at, at+1)
				break
			}
		}
		n.save()
	}
	return []byte(a.output), nil
}

func (n *node) Command(name string, args ...string) utilexec.Cmd {
	return n.CommandContext(context.Background(), name, args...)
}

func (n *node) CommandContext(_ context.Context, name string, args ...string) utilexec.Cmd {
	return &testingexec.FakeCmd{CombinedOutputScript: []testingexec.FakeAction{func() ([]byte, []byte, error) {
		output, err := n.run(name, args)
		return output, nil, err
	}}}
}

func (n *node) LookPath(file string) (string, error) { return file, nil }
