package element

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/san-csi/san-csi/pkg/san"
)

var errRefused = errors.New("refused")

// counter records the batches that it is asked to run; gate holds the first.
type counter struct {
	mu      sync.Mutex
	batches [][]int
	gate    chan struct{}
	refuses func(keys []int) bool
}

func (c *counter) run(ctx context.Context, keys []int) ([]int, error) {
	c.mu.Lock()
	c.batches = append(c.batches, keys)
	first := len(c.batches) == 1
	c.mu.Unlock()
	if first && c.gate != nil {
		select {
		case <-c.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if c.refuses != nil && c.refuses(keys) {
		return nil, errRefused
	}
	doubled := make([]int, len(keys))
	for i, k := range keys {
		doubled[i] = 2 * k
	}
	return doubled, nil
}

// TestBatcher: one call runs at once, the next one takes all who came meanwhile;
// a refused one is split, and only the culprit is refused.
func TestBatcher(t *testing.T) {
	for name, c := range map[string]struct {
		refuses func([]int) bool
		sizes   []int
		refused []int
	}{
		"all well":             {nil, []int{1, 9}, nil},
		"one spoils the batch": {func(keys []int) bool { return slices.Contains(keys, 7) }, []int{1, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1}, []int{7}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				counter := &counter{gate: make(chan struct{}), refuses: c.refuses}
				b := newBatcher(counter.run)
				var callers sync.WaitGroup
				for key := range 10 {
					callers.Go(func() {
						got, err := b.do(t.Context(), key)
						if refused := slices.Contains(c.refused, key); errors.Is(err, errRefused) != refused || !refused && got != 2*key {
							t.Errorf("key %d: %d, %v", key, got, err)
						}
					})
					synctest.Wait()
				}
				close(counter.gate)
				callers.Wait()
				var sizes []int
				for _, batch := range counter.batches {
					sizes = append(sizes, len(batch))
				}
				if !slices.Equal(sizes, c.sizes) {
					t.Errorf("batches of %v; want %v", sizes, c.sizes)
				}
			})
		})
	}
}

// TestBatcherHonoursDeadlines: who gives up returns at once, is left out of a
// call that has not begun, and keeps nobody else from an answer.
func TestBatcherHonoursDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counter := &counter{gate: make(chan struct{})}
		b := newBatcher(counter.run)
		patient := make(chan error, 1)
		go func() {
			_, err := b.do(t.Context(), 1)
			patient <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		hasty := make(chan error, 1)
		go func() {
			_, err := b.do(ctx, 2)
			hasty <- err
		}()
		synctest.Wait()
		cancel()
		expect(t, <-hasty, san.ErrUnavailable)
		close(counter.gate)
		must(t, <-patient)
		synctest.Wait()
		if len(counter.batches) != 1 {
			t.Errorf("batches %v; want the patient one's alone", counter.batches)
		}
	})
}
