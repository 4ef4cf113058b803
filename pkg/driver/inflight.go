package driver

import (
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// inflight holds the volumes that a call works on. A second call on the same
// volume is answered Aborted at once (CSI spec, "Error Scheme"): the caller
// retries, and no call waits for another one.
type inflight struct {
	mu   sync.Mutex
	keys map[string]struct{}
}

func newInflight() *inflight { return &inflight{keys: map[string]struct{}{}} }

// do works on the volume of that key, and on nothing where another call does.
func (f *inflight) do(key string, work func() error) error {
	if !f.enter(key) {
		return status.Errorf(codes.Aborted, "an operation on %q is in progress", key)
	}
	defer f.leave(key)
	return work()
}

func (f *inflight) enter(key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, busy := f.keys[key]
	f.keys[key] = struct{}{}
	return !busy
}

func (f *inflight) leave(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.keys, key)
}
