package main

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/san-csi/san-csi/pkg/driver"
	"github.com/san-csi/san-csi/pkg/san"
	"github.com/san-csi/san-csi/pkg/stage"
)

func thisNode(t *testing.T) san.Node {
	t.Helper()
	n, err := san.NewNode("iqn.1993-08.org.debian:01:a", "worker-1")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNodeSpeaksForItself(t *testing.T) {
	id := thisNode(t).String()
	for _, c := range []struct {
		node, id string
		want     bool
	}{{"worker-1", id, true}, {"worker-2", id, false}, {"worker-1", "no id", false}} {
		if got := owns(c.node, c.id); got != c.want {
			t.Errorf("node %s owns %q: %t", c.node, c.id, got)
		}
	}
}

// TestWhoTellsANode: its Lease where it has one, the process where that is the
// controller too, else nobody.
func TestWhoTellsANode(t *testing.T) {
	for name, c := range map[string]struct {
		args  []string
		local bool
	}{
		"controller and node": {[]string{"--mode=all"}, true},
		"a node alone":        {[]string{"--mode=node"}, false},
	} {
		o := flags(t, c.args...)
		fences, err := newNodeFences(nil, o, thisNode(t), "boot")
		if err != nil || (fences != nil) != c.local {
			t.Errorf("%s: %v, %v", name, fences, err)
		}
		notices, err := newNotices(nil, o, fences)
		if err != nil {
			t.Fatal(err)
		}
		told := notices.Tell(thisNode(t).String(), "a:1", 1)
		if (told == nil) != c.local || told != nil && !errors.Is(told, errDeaf) {
			t.Errorf("%s: told %v", name, told)
		}
	}
}

// TestLocalFences: told, taken to the array, and then over.
func TestLocalFences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id := thisNode(t).String()
		f := newLocalFences(id)
		if err := f.Confirm(t.Context(), "a:1", 7); err == nil {
			t.Error("confirmed, and no controller follows")
		}
		down := errors.New("no answer")
		ctx, cancel := context.WithCancel(t.Context())
		var following sync.WaitGroup
		following.Go(func() {
			f.Follow(ctx, func(_ context.Context, node, volume string, epoch int64) error {
				if node != id || volume != "a:1" || epoch != 7 {
					t.Errorf("confirmed %s, %s, %d", node, volume, epoch)
				}
				return down
			})
		})
		synctest.Wait()
		if err := f.Tell("another", "a:1", 7); !errors.Is(err, errDeaf) {
			t.Errorf("another node is told: %v", err)
		}
		for range 2 {
			if err := f.Tell(id, "a:1", 7); err != nil {
				t.Error(err)
			}
		}
		<-f.Changed()
		if err := f.Confirm(t.Context(), "a:1", 7); !errors.Is(err, down) {
			t.Errorf("the array is down: %v", err)
		}
		for _, want := range []map[string]int64{{"a:1": 7}, {}} {
			if got, err := f.Pending(t.Context()); err != nil || !maps.Equal(got, want) {
				t.Errorf("pending %v, %v; want %v", got, err, want)
			}
			down = nil
			if err := f.Confirm(t.Context(), "a:1", 7); err != nil {
				t.Error(err)
			}
		}
		cancel()
		following.Wait()
	})
}

type silent struct{ nodeFences }

func (silent) Announced() error { return errors.New("no Lease yet") }

type untouched struct{ driver.Stager }

// TestStageWaitsForTheLease: the flows below are not even called.
func TestStageWaitsForTheLease(t *testing.T) {
	err := announcedStager{untouched{}, silent{}}.Stage(t.Context(), stage.StageRequest{VolumeID: "a:1"})
	if !errors.Is(err, stage.ErrUnavailable) {
		t.Errorf("%v; want %v", err, stage.ErrUnavailable)
	}
}
