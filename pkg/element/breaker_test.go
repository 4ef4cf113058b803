package element

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// line is a connection to an array that takes that long to answer; less than 0 is
// never. It is used within a synctest bubble, where time costs nothing.
type line struct {
	mu    sync.Mutex
	takes time.Duration
	calls int
	err   error
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	l.calls++
	takes, err := l.takes, l.err
	l.mu.Unlock()
	if err != nil {
		return nil, err
	}
	answer := make(<-chan time.Time)
	if takes >= 0 {
		answer = time.After(takes)
	}
	select {
	case <-answer:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"result":{}}`))}, nil
}

func (l *line) set(takes time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.takes, l.err = takes, err
}

func (l *line) made() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls
}

// dial is a client at the end of that line.
func dial(t *testing.T, l *line, change func(*Config)) *Client {
	t.Helper()
	config := Config{Endpoint: "https://mvip/json-rpc/12.5", Username: "admin", Password: secret}
	if change != nil {
		change(&config)
	}
	c, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	c.access.Load().http.Transport = l
	return c
}

// read is a call with that much time.
func read(t *testing.T, c *Client, patience time.Duration) (took time.Duration, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	begun := time.Now()
	_, err = c.GetLimits(ctx)
	return time.Since(begun), err
}

// TestSlowArray: an array is waited for as long as its caller has, and no longer.
func TestSlowArray(t *testing.T) {
	for name, tc := range map[string]struct {
		takes, patience, ends time.Duration
		fails                 bool
	}{
		"2 s a call":                     {2 * time.Second, time.Minute, 2 * time.Second, false},
		"10 s a call":                    {10 * time.Second, time.Minute, 10 * time.Second, false},
		"10 s a call, a caller with 5 s": {10 * time.Second, 5 * time.Second, 5 * time.Second, true},
		"never":                          {-1, 10 * time.Second, 10 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := dial(t, &line{takes: tc.takes}, nil)
				var all sync.WaitGroup
				for range 20 { // at once: none waits for another
					all.Go(func() {
						if took, err := read(t, c, tc.patience); took != tc.ends || (err != nil) != tc.fails {
							t.Errorf("after %s: %v; want %s", took, err, tc.ends)
						}
					})
				}
				all.Wait()
			})
		})
	}
}

// TestSlowIsNotDown: calls that are answered late, or given up early by their
// callers, do not open the breaker.
func TestSlowIsNotDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{takes: 2 * time.Second}
		c := dial(t, l, nil)
		for range 20 {
			if _, err := read(t, c, time.Second); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("error %v", err)
			}
		}
		if took, err := read(t, c, time.Minute); err != nil || took != 2*time.Second {
			t.Errorf("after %s: %v", took, err)
		}
	})
}

// TestArrayThatNeverAnswers: after some calls the others fail at once, and one at
// a time finds out whether it answers again.
func TestArrayThatNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{takes: -1}
		c := dial(t, l, nil)
		for range breakAfter {
			if took, _ := read(t, c, 10*time.Second); took != 10*time.Second {
				t.Fatalf("given up after %s", took)
			}
		}
		before := l.made()
		var open *OpenError
		for range 100 {
			if took, err := read(t, c, 10*time.Second); took != 0 || !errors.As(err, &open) || Label(err) != "open" || Transient(err) {
				t.Fatalf("after %s: %v; want an open breaker at once", took, err)
			}
		}
		if l.made() != before {
			t.Errorf("the array was called %d times", l.made()-before)
		}
		time.Sleep(firstOpening)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() { _, _ = read(t, c, 10*time.Second) })
		}
		all.Wait()
		if l.made() != before+1 {
			t.Errorf("%d calls were let through; want one", l.made()-before)
		}
		l.set(0, nil)
		if _, err := read(t, c, time.Second); !errors.As(err, &open) {
			t.Errorf("after a trial that failed: %v; want it open for longer", err)
		}
		time.Sleep(maxOpening)
		for range 10 {
			if _, err := read(t, c, time.Second); err != nil {
				t.Fatalf("it answers again, and %v", err)
			}
		}
	})
}

// TestManyCallsThatHang open the breaker once, not once each.
func TestManyCallsThatHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{takes: -1}
		c := dial(t, l, nil)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { _, _ = read(t, c, 10*time.Second) })
		}
		all.Wait()
		l.set(0, nil)
		time.Sleep(firstOpening)
		if _, err := read(t, c, time.Second); err != nil {
			t.Errorf("%s later: %v", firstOpening, err)
		}
	})
}

// TestRestartIsNotDown: many calls that fail at once are those of an array that
// is being restarted.
func TestRestartIsNotDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{err: errors.New("connection refused")}
		c := dial(t, l, func(c *Config) { c.Attempts = 1 })
		for range 10 * breakAfter {
			if _, err := read(t, c, time.Second); err == nil {
				t.Fatal("taken")
			}
		}
		l.set(0, nil)
		if _, err := read(t, c, time.Second); err != nil {
			t.Error(err)
		}
		l.set(0, errors.New("connection refused"))
		for range 2 * breakAfter {
			_, _ = read(t, c, time.Second)
			time.Sleep(time.Second)
		}
		var open *OpenError
		if _, err := read(t, c, time.Second); !errors.As(err, &open) {
			t.Errorf("refused for %d s: %v; want an open breaker", 2*breakAfter, err)
		}
	})
}

// TestOtherArraysAreNotHeldUp: a client's breaker, rate and retries are its own.
func TestOtherArraysAreNotHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down, up := dial(t, &line{takes: -1}, nil), dial(t, &line{takes: time.Second}, nil)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { _, _ = read(t, down, time.Minute) })
			all.Go(func() {
				if took, err := read(t, up, 2*time.Second); err != nil || took != time.Second {
					t.Errorf("after %s: %v", took, err)
				}
			})
		}
		all.Wait()
	})
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{}
		c := dial(t, l, func(c *Config) { c.Rate = 10 })
		begun := time.Now()
		for range 40 {
			if _, err := read(t, c, time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begun); took < 2900*time.Millisecond || took > 3100*time.Millisecond {
			t.Errorf("40 calls took %s; want 3 s at 10 a second, the first 10 at once", took)
		}
		before := l.made()
		var rate *RateError
		if took, err := read(t, c, time.Millisecond); took != 0 || !errors.As(err, &rate) || Label(err) != "rate" || l.made() != before {
			t.Errorf("after %s: %v, %d calls; want a refusal at once", took, err, l.made()-before)
		}
	})
}

// TestRetryBudget: an array in distress gets no multiple of its load.
func TestRetryBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const calls = 1000
		l := &refusing{name: "xDBConnectionLoss"}
		c := dial(t, &line{}, nil)
		c.access.Load().http.Transport = l
		for range calls {
			if _, err := read(t, c, time.Hour); !IsName(err, l.name) {
				t.Fatalf("error %v", err)
			}
		}
		if most := int(calls*(1+retriesPerCall)) + retriesSaved; l.calls > most || l.calls < calls {
			t.Errorf("%d requests for %d calls; want at most %d", l.calls, calls, most)
		}
	})
}

// refusing answers each call with a refusal.
type refusing struct {
	name  string
	calls int
}

func (r *refusing) RoundTrip(*http.Request) (*http.Response, error) {
	r.calls++
	text := `{"error":{"code":500,"name":"` + r.name + `","message":"later"}}`
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text))}, nil
}
