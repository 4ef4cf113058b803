package element

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// A breaker opens after as many calls in a row without an answer, if the first
// of them began long enough ago: an array that restarts is no reason to.
const (
	breakAfter   = 5
	breakTime    = 3 * time.Second
	firstOpening = time.Second
	maxOpening   = 10 * time.Second
)

// breaker keeps calls from an array that does not answer, so that they fail at
// once and not each at its own deadline. While it is open it lets none through;
// after that one, which finds out, and all once that one had an answer.
type breaker struct {
	clock clock.PassiveClock

	mu       sync.Mutex
	failures int           // in a row
	since    time.Time     // when the first of them began
	opening  time.Duration // 0 = closed
	until    time.Time     // open
	trying   bool          // one call is on its way to find out
}

// OpenError: the array is not called, since it has not answered of late.
type OpenError struct {
	Endpoint string
	Failures int // calls in a row without an answer
}

func (e *OpenError) Error() string {
	return fmt.Sprintf("array %s: not called, %d calls in a row had no answer", e.Endpoint, e.Failures)
}

// enter is an OpenError where the call must not be made. Otherwise leave follows,
// and trial tells that this call is the one that finds out.
func (b *breaker) enter(endpoint string) (trial bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.opening == 0 {
		return false, nil
	}
	if b.trying || b.clock.Now().Before(b.until) {
		return false, &OpenError{Endpoint: endpoint, Failures: b.failures}
	}
	b.trying = true
	return true, nil
}

// leave tells how a call that began at that time ended.
func (b *breaker) leave(ctx context.Context, begun time.Time, trial bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if trial {
		b.trying = false
	}
	now := b.clock.Now()
	switch {
	case answered(err):
		b.failures, b.opening = 0, 0
		return
	case ctx.Err() != nil && now.Sub(begun) < breakTime:
		return // its caller did not wait long enough to tell
	case b.failures == 0:
		b.since = begun
	}
	b.failures++
	if b.opening > 0 && !trial {
		return // it began before
	}
	if b.failures >= breakAfter && now.Sub(b.since) >= breakTime {
		b.opening = min(max(2*b.opening, firstOpening), maxOpening)
		b.until = now.Add(b.opening)
	}
}

// reset forgets what is known of the array.
func (b *breaker) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.opening = 0, 0
}

// answered tells that the array itself answered, whatever it said.
func answered(err error) bool {
	if err == nil {
		return true
	}
	var unreachable *UnreachableError
	var answer *AnswerError
	switch {
	case errors.As(err, &unreachable):
		return false
	case errors.As(err, &answer):
		return !slices.Contains(gatewayErrors, answer.Status)
	}
	return true
}

// gatewayErrors are said by what stands before an array that does not answer.
var gatewayErrors = []int{http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}
