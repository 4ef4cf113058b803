package filesystem

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/klog/v2"
	utilexec "k8s.io/utils/exec"
)

// maxOutput bounds what of a command's output goes into an error, bytes.
const maxOutput = 1024

// run runs a command and waits for it no longer than ctx: the child is killed
// then, and one that cannot be killed (in uninterruptible sleep) is left behind.
func (f *Filesystem) run(ctx context.Context, name string, args ...string) ([]byte, error) {
	var output []byte
	begun := time.Now()
	err := bounded(ctx, func() error {
		var err error
		output, err = f.exec.CommandContext(ctx, name, args...).CombinedOutput()
		return err
	})
	klog.FromContext(ctx).V(4).Info("Ran", "program", name, "arguments", args, "took", time.Since(begun))
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s: %w", name, ctx.Err())
	}
	if err != nil {
		return output, fmt.Errorf("%s: %w: %s", name, err, excerpt(output))
	}
	return output, nil
}

// exitCode is the command's exit code, -1 where it did not run or was killed.
func exitCode(err error) int {
	if exit, ok := errors.AsType[utilexec.ExitError](err); ok && exit.Exited() {
		return exit.ExitStatus()
	}
	return -1
}

func excerpt(output []byte) []byte {
	output = bytes.TrimSpace(output)
	return output[:min(len(output), maxOutput)]
}

// bounded runs what may block in the kernel, and stops waiting when ctx ends.
// What work wrote may be read only where bounded returned work's own result.
func bounded(ctx context.Context, work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
