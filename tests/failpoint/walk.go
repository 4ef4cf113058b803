package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/metadata"

	"github.com/san-csi/san-csi/pkg/driver"
	"github.com/san-csi/san-csi/pkg/stage"
)

// dieAt is the metadata of a call: the number of the step to die at, from 1.
const dieAt = "failpoint-die-at"

// walk is one call on its way.
type walk struct {
	dieAt int // 0 = nowhere

	mu    sync.Mutex
	steps []string
}

type walkKey struct{}

// step is one step of the call that ctx belongs to; it may be the process's last.
func step(ctx context.Context, name string) {
	w, ok := ctx.Value(walkKey{}).(*walk)
	if !ok {
		return
	}
	w.mu.Lock()
	w.steps = append(w.steps, name)
	last := len(w.steps) == w.dieAt
	w.mu.Unlock()
	if last {
		die()
	}
}

// die is SIGKILL: nothing is deferred, flushed or answered.
func die() {
	_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	select {}
}

// around is a step before, and with the function that it returns one after.
func around(ctx context.Context, name string) func() {
	step(ctx, "before "+name)
	return func() { step(ctx, "after "+name) }
}

// walks are the node's flows, each call a walk. The steps of the last one that
// was answered are written to a file, one a line.
type walks struct {
	driver.Stager
	taken string
}

func (s walks) walk(ctx context.Context, call func(context.Context) error) error {
	w := &walk{}
	if md, ok := metadata.FromIncomingContext(ctx); ok && len(md.Get(dieAt)) == 1 {
		at, err := strconv.Atoi(md.Get(dieAt)[0])
		if err != nil {
			return fmt.Errorf("metadata %s: %w: %w", dieAt, stage.ErrInvalid, err)
		}
		w.dieAt = at
	}
	ctx = context.WithValue(ctx, walkKey{}, w)
	err := call(ctx)
	step(ctx, "before the answer")
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(err, os.WriteFile(s.taken, []byte(strings.Join(w.steps, "\n")+"\n"), 0o600))
}

func (s walks) Stage(ctx context.Context, req stage.StageRequest) error {
	return s.walk(ctx, func(ctx context.Context) error { return s.Stager.Stage(ctx, req) })
}

func (s walks) Unstage(ctx context.Context, volumeID, stagingPath string) error {
	return s.walk(ctx, func(ctx context.Context) error { return s.Stager.Unstage(ctx, volumeID, stagingPath) })
}

func (s walks) Publish(ctx context.Context, req stage.PublishRequest) error {
	return s.walk(ctx, func(ctx context.Context) error { return s.Stager.Publish(ctx, req) })
}

func (s walks) Unpublish(ctx context.Context, volumeID, targetPath string) error {
	return s.walk(ctx, func(ctx context.Context) error { return s.Stager.Unpublish(ctx, volumeID, targetPath) })
}
