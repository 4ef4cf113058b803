package provision

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/san-csi/san-csi/pkg/san"
)

// TestListWhileAnArrayIsDown: its volumes are listed as they were, those of the
// others as they are.
func TestListWhileAnArrayIsDown(t *testing.T) {
	a, b := newMemory("aaaa"), newMemory("bbbb")
	for i := range 3 {
		a.volumes = append(a.volumes, &san.Volume{Name: fmt.Sprintf("a%d", i)})
		b.volumes = append(b.volumes, &san.Volume{Name: fmt.Sprintf("b%d", i)})
	}
	f := flows(t, a, b)
	list := func(limit int) (names string, err error) {
		for token := ""; ; {
			page, next, err := f.List(t.Context(), token, limit)
			if err != nil {
				return names, err
			}
			for _, v := range page {
				names += v.Name + " "
			}
			if token = next; token == "" {
				return names, nil
			}
		}
	}
	a.down = fmt.Errorf("no answer: %w", san.ErrUnavailable)
	if _, err := list(0); !errors.Is(err, san.ErrUnavailable) {
		t.Errorf("an array that was never read: %v, want %v", err, san.ErrUnavailable)
	}
	a.down = nil
	for _, limit := range []int{0, 2} {
		if got, err := list(limit); err != nil || got != "a0 a1 a2 b0 b1 b2 " {
			t.Fatalf("pages of %d: %q, %v", limit, got, err)
		}
	}
	a.down = fmt.Errorf("no answer: %w", san.ErrUnavailable)
	b.volumes = b.volumes[:2]
	if got, err := list(2); err != nil || got != "a0 a1 a2 b0 b1 " {
		t.Errorf("while a is down: %q, %v", got, err)
	}
	a.down, a.volumes = nil, a.volumes[:1]
	if got, err := list(2); err != nil || got != "a0 b0 b1 " {
		t.Errorf("when a is back: %q, %v", got, err)
	}
}

// hanging is an array that answers nothing but who it is.
type hanging struct{ *memory }

func (h hanging) List(ctx context.Context, _ string, _ int) ([]san.Volume, string, error) {
	return nil, "", h.hang(ctx)
}

func (h hanging) Find(ctx context.Context, _, _ string) (*san.Volume, error) { return nil, h.hang(ctx) }

func (h hanging) Get(ctx context.Context, _ san.Handle) (*san.Volume, error) { return nil, h.hang(ctx) }

func (h hanging) Limits(ctx context.Context) (san.Limits, error) { return san.Limits{}, h.hang(ctx) }

func (hanging) hang(ctx context.Context) error {
	<-ctx.Done()
	return fmt.Errorf("%w: %w", san.ErrUnavailable, ctx.Err())
}

// TestArrayThatHangs: calls for its volumes end at their deadlines; lists and new
// volumes wait for it for a while only, and calls for others' volumes not at all.
func TestArrayThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newMemory("aaaa"), newMemory("bbbb")
		f := flows(t, a, b)
		on := func(array string) string {
			t.Helper()
			c, err := f.Create(t.Context(), CreateRequest{Name: "pvc-" + array, Size: Size{Required: gib}, Parameters: map[string]string{"array": array}})
			if err != nil {
				t.Fatal(err)
			}
			return c.Volume.Handle.String()
		}
		onA, onB := on("a"), on("b")
		if _, _, err := f.List(t.Context(), "", 0); err != nil {
			t.Fatal(err)
		}
		f.fleet.Members()[0].Array = hanging{a} // as a network that was cut has it
		for name, tc := range map[string]struct {
			call  func(ctx context.Context) error
			took  time.Duration
			fails bool
		}{
			"change of its volume": {func(ctx context.Context) error { return f.Modify(ctx, onA, map[string]string{"maxIOPS": "5000"}) }, time.Minute, true},
			"change of another's":  {func(ctx context.Context) error { return f.Modify(ctx, onB, map[string]string{"maxIOPS": "5000"}) }, 0, false},
			"the capacity":         {func(ctx context.Context) error { _, err := f.Capacity(ctx, nil, nil); return err }, lookTimeout, false},
			"a list":               {func(ctx context.Context) error { _, _, err := f.List(ctx, "", 0); return err }, lookTimeout, false},
			"a volume for either": {func(ctx context.Context) error {
				_, err := f.Create(ctx, CreateRequest{Name: "pvc-2", Size: Size{Required: gib}})
				return err
			}, lookTimeout, false},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			begun := time.Now()
			err := tc.call(ctx)
			if took := time.Since(begun); took != tc.took || (err != nil) != tc.fails {
				t.Errorf("%s: after %s: %v; want %s", name, took, err, tc.took)
			}
			cancel()
		}
	})
}
