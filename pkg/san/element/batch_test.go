package element

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/san-csi/san-csi/pkg/san"
)

// calls is a batched call that the test holds back, and what it was called with.
type calls struct {
	began chan []int
	end   chan struct{}
}

func (c *calls) call(ctx context.Context, _ string, items []int) []answer[int] {
	c.began <- items
	var answers []answer[int]
	select {
	case <-c.end:
	case <-ctx.Done():
		return same(len(items), 0, ctx.Err())
	}
	for _, item := range items {
		a := answer[int]{value: 10 * item}
		if item < 0 {
			a = answer[int]{err: errOdd}
		}
		answers = append(answers, a)
	}
	return answers
}

var errOdd = errors.New("odd item")

func newCalls() (*batcher[string, int, int], *calls) {
	c := &calls{began: make(chan []int), end: make(chan struct{})}
	return &batcher[string, int, int]{call: c.call}, c
}

// TestBatchTakesWhatCameMeanwhile: the first caller waits for nobody, the others
// share the next call, and each gets its own answer.
func TestBatchTakesWhatCameMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := newCalls()
		var wg sync.WaitGroup
		ask := func(item int) {
			wg.Go(func() {
				got, err := b.do(t.Context(), "node", item)
				if item < 0 && !errors.Is(err, errOdd) || item > 0 && (err != nil || got != 10*item) {
					t.Errorf("item %d: %d, %v", item, got, err)
				}
			})
			synctest.Wait()
		}
		ask(1)
		if first := <-c.began; !slices.Equal(first, []int{1}) {
			t.Errorf("the first call has %v", first)
		}
		for _, item := range []int{2, -3, 4} {
			ask(item)
		}
		c.end <- struct{}{}
		if second := <-c.began; !slices.Equal(second, []int{2, -3, 4}) {
			t.Errorf("the second call has %v", second)
		}
		c.end <- struct{}{}
		wg.Wait()
		synctest.Wait()
		if len(b.queues) != 0 {
			t.Errorf("%d keys are remembered that nobody waits for", len(b.queues))
		}
	})
}

// TestKeysDoNotWaitForEachOther: each has a call of its own.
func TestKeysDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := newCalls()
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() {
				if _, err := b.do(t.Context(), fmt.Sprint(i), i+1); err != nil {
					t.Error(err)
				}
			})
		}
		for range 3 {
			<-c.began // all before one of them ends
		}
		close(c.end)
		wg.Wait()
	})
}

// TestBatchHonoursEachContext: a caller that gives up is answered at once and
// takes nobody's call with it; one that gave up before its turn is left out, and
// a call that nobody waits for any more ends.
func TestBatchHonoursEachContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := newCalls()
		ask := func(item int) (giveUp func(), ended chan error) {
			ctx, cancel := context.WithCancel(t.Context())
			ended = make(chan error, 1)
			go func() {
				_, err := b.do(ctx, "node", item)
				ended <- err
			}()
			synctest.Wait()
			return cancel, ended
		}
		giveUp1, ended1 := ask(1)
		<-c.began
		giveUp2, ended2 := ask(2)
		giveUp3, ended3 := ask(3)
		giveUp4, ended4 := ask(4)
		giveUp3()
		expect(t, <-ended3, san.ErrUnavailable, context.Canceled.Error())
		giveUp1()
		expect(t, <-ended1, san.ErrUnavailable)
		if items := <-c.began; !slices.Equal(items, []int{2, 4}) { // the first call had nobody left
			t.Errorf("the second call has %v", items)
		}
		giveUp2()
		expect(t, <-ended2, san.ErrUnavailable)
		c.end <- struct{}{}
		must(t, <-ended4)
		giveUp4()
	})
}

// TestBatchPatience: items that wait too long for a call under way share one beside
// it; without patience they wait for it.
func TestBatchPatience(t *testing.T) {
	for patience, want := range map[time.Duration]time.Duration{time.Second: time.Second, 0: time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			var calls atomic.Int64
			b := &batcher[string, int, int]{patience: patience}
			b.call = func(ctx context.Context, _ string, items []int) []answer[int] {
				calls.Add(1)
				if slices.Contains(items, 0) { // the array keeps it
					<-ctx.Done()
				}
				return same(len(items), 7, nil)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			go func() { _, _ = b.do(ctx, "array", 0) }()
			synctest.Wait()
			begun := time.Now()
			var others sync.WaitGroup
			for i := range 10 {
				others.Go(func() {
					if v, err := b.do(t.Context(), "array", i+1); err != nil || v != 7 || time.Since(begun) != want {
						t.Errorf("patience %s: %d, %v after %s; want %s", patience, v, err, time.Since(begun), want)
					}
				})
			}
			others.Wait()
			if calls.Load() != 2 {
				t.Errorf("patience %s: %d calls, want the one that is kept and one for the others", patience, calls.Load())
			}
		})
	}
}
