package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc/metadata"

	utilexec "k8s.io/utils/exec"
)

// dieIn makes the test program take a walk on which it dies.
const dieIn = "FAILPOINT_TEST_DIE_AT"

func TestMain(m *testing.M) {
	if at := os.Getenv(dieIn); at != "" {
		ctx := metadata.NewIncomingContext(context.Background(), metadata.Pairs(dieAt, at))
		_ = walks{taken: os.Getenv("FAILPOINT_TEST_TAKEN")}.walk(ctx, twoCommands)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func twoCommands(ctx context.Context) error {
	commands := stepping{utilexec.New()}
	_, err := commands.CommandContext(ctx, "true").CombinedOutput()
	out, failure := commands.CommandContext(ctx, "sh", "-c", "echo said; exit 3").CombinedOutput()
	if exit, ok := errors.AsType[utilexec.ExitError](failure); !ok || exit.ExitStatus() != 3 || string(out) != "said\n" {
		return errors.New("the second command is not told as it was")
	}
	return err
}

var whole = strings.Join([]string{
	"before true", "in the middle of true", "after true",
	"before sh", "in the middle of sh", "after sh", "before the answer",
}, "\n") + "\n"

// TestWalk: a call that is to die nowhere takes all its steps and tells them.
func TestWalk(t *testing.T) {
	taken := filepath.Join(t.TempDir(), "taken")
	if err := (walks{taken: taken}).walk(t.Context(), twoCommands); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(taken); err != nil || string(got) != whole {
		t.Errorf("took %q, %v, want %q", got, err, whole)
	}
	wrong := metadata.NewIncomingContext(t.Context(), metadata.Pairs(dieAt, "x"))
	if err := (walks{taken: taken}).walk(wrong, twoCommands); err == nil {
		t.Error("a step that is no number is taken")
	}
}

// TestDeath: the process is killed at exactly the step that the call names, and
// lives through a call that has fewer.
func TestDeath(t *testing.T) {
	for at, dies := range map[string]bool{"1": true, "5": true, "7": true, "8": false} {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		taken := filepath.Join(t.TempDir(), "taken")
		cmd.Env = append(os.Environ(), dieIn+"="+at, "FAILPOINT_TEST_TAKEN="+taken)
		err := cmd.Run()
		killed := false
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			killed = exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
		}
		_, missing := os.Stat(taken)
		if killed != dies || (missing != nil) != dies {
			t.Errorf("at step %s: %v, answered: %t; want death: %t", at, err, missing == nil, dies)
		}
	}
}

func TestSaid(t *testing.T) {
	for want, line := range map[string]string{
		"iscsiadm -o update": "iscsiadm -m node -T iqn.x -p h:1 -o update -n a -v b",
		"iscsiadm --login":   "/sbin/iscsiadm -m node -T iqn.x --login",
		"umount":             "umount /a/b",
	} {
		words := strings.Fields(line)
		if got := said(words[0], words[1:]); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
