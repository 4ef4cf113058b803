package api

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Faults can be injected for tests of clients, from any process that knows the
// administrator's password, where Config.FaultInjection is set. The methods for
// it bear the array's own name, so that no client takes them for Element's.

// cloneJob is what an injection names to strike the work behind an async
// handle rather than a call: its delay prolongs it, its error fails it.
const cloneJob = "SanArrayCloneJob"

// every names all methods but those of injection.
const every = "*"

// The places of an injection's strike.
const (
	beforeEffect = "before" // the method does nothing
	afterEffect  = "after"  // it took effect, and the client is not told
)

// injection makes calls of one method go wrong: the first After pass, Count
// more wait for Delay and then fail by Error, lose their connection, or neither.
type injection struct {
	ID      int64   `json:"injectionID"`
	Method  string  `json:"method"`
	After   integer `json:"afterCalls"`
	Count   integer `json:"count"` // -1 = until it is removed
	Delay   integer `json:"delayMS"`
	Error   string  `json:"errorName"`
	Message string  `json:"errorMessage"`
	Cut     boolean `json:"cutConnection"`
	When    string  `json:"when"`

	Passed int64 `json:"passed"`
	Struck int64 `json:"struck"`
}

func (i *injection) spent() bool { return i.Count >= 0 && i.Struck >= int64(i.Count) }

// injector keeps the injections; they end with the process.
type injector struct {
	mu    sync.Mutex
	last  int64
	rules []*injection
}

func (x *injector) add(i injection) injection {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.last++
	i.ID, i.Passed, i.Struck = x.last, 0, 0
	x.rules = append(x.rules, &i)
	return i
}

// list is all injections, spent ones too, so that a test sees what was struck.
func (x *injector) list() []injection {
	x.mu.Lock()
	defer x.mu.Unlock()
	all := make([]injection, 0, len(x.rules))
	for _, i := range x.rules {
		all = append(all, *i)
	}
	return all
}

// remove takes away one injection, 0 = all, and says whether there was any.
func (x *injector) remove(id int64) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	before := len(x.rules)
	x.rules = slices.DeleteFunc(x.rules, func(i *injection) bool { return id == 0 || i.ID == id })
	return id == 0 || len(x.rules) < before
}

// next counts one call and is what strikes it: the oldest injection of its
// method that is due; nil = none.
func (x *injector) next(method string) *injection {
	x.mu.Lock()
	defer x.mu.Unlock()
	var due *injection
	for _, i := range x.rules {
		if i.Method != method && (i.Method != every || method == cloneJob) || i.spent() {
			continue
		}
		if i.Passed < int64(i.After) {
			i.Passed++
			continue
		}
		if due == nil {
			i.Struck++
			due = i
		}
	}
	if due == nil {
		return nil
	}
	copied := *due
	return &copied
}

// strike does what an injection says at one of its two places.
func (s *Server) strike(ctx context.Context, i *injection, place string) error {
	if i == nil || i.When != place {
		return nil
	}
	if err := s.pause(ctx, time.Duration(i.Delay)*time.Millisecond); err != nil {
		return err
	}
	if i.Cut.Value {
		panic(http.ErrAbortHandler) // closes the connection without a word
	}
	if i.Error != "" {
		return failf(i.Error, "%s", i.Message)
	}
	return nil
}

// pause waits on the array's clock.
func (s *Server) pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := s.config.Clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
