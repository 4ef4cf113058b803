package config

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
	"k8s.io/klog/v2"
)

const (
	// quiet is how long the files must be left alone before they are read: a
	// Secret's update is several changes of its directory.
	quiet = 200 * time.Millisecond
	// glance is how often they are read all the same: a safety net for file
	// systems that tell of no changes.
	glance = time.Minute
)

// Watch reads the file again when it, or a file that it names, may have
// changed, and at once when now tells so, until the context ends. What it reads
// goes to apply, also where that is an error; a file that says what it said before
// is apply's to tell.
//
// Directories are watched, not files: a mounted Secret is changed by exchanging
// the symlink ..data in its directory (kubelet's AtomicWriter).
func Watch(ctx context.Context, path string, now <-chan struct{}, apply func(*Config, error)) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the arrays' file: %w", err)
	}
	defer w.Close()
	if err := watchDirectories(w, []string{path}); err != nil {
		return err
	}
	settled := time.NewTimer(0) // the files may have changed since they were read
	defer settled.Stop()
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.Events:
			settled.Reset(quiet)
			continue
		case err := <-w.Errors: // such as an overflow: something has changed
			klog.FromContext(ctx).V(2).Info("watch of the arrays' file", "err", err)
			settled.Reset(quiet)
			continue
		case <-now:
		case <-settled.C:
		case <-tick.C:
		}
		c, err := Load(path)
		if err == nil {
			err = watchDirectories(w, c.files())
		}
		apply(c, err)
	}
}

// watchDirectories adds the directories of these files; those that are watched
// already stay so.
func watchDirectories(w *fsnotify.Watcher, files []string) error {
	for _, file := range files {
		if err := w.Add(filepath.Dir(file)); err != nil {
			return fmt.Errorf("watch %s: %w", filepath.Dir(file), err)
		}
	}
	return nil
}
