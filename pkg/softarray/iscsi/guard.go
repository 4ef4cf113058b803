package iscsi

import (
	"sync"
	"time"
)

const (
	// maxFailures is how many wrong proofs of one user are heard from one
	// address within failureWindow of the first.
	maxFailures   = 10
	failureWindow = time.Minute
	// maxSuspects bounds what is remembered.
	maxSuspects = 4096
)

// guard keeps what CHAP exchanges have to know of each other.
type guard struct {
	mu         sync.Mutex
	challenges map[string]struct{} // ours, of logins under way
	suspects   map[suspect]failures
}

// suspect is who fails: a user name, and the host that gave it.
type suspect struct{ user, host string }

type failures struct {
	count int
	since time.Time
}

func newGuard() *guard {
	return &guard{challenges: map[string]struct{}{}, suspects: map[suspect]failures{}}
}

// issue remembers a challenge while its login is under way.
func (g *guard) issue(challenge []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.challenges[string(challenge)] = struct{}{}
}

func (g *guard) forget(challenge []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.challenges, string(challenge))
}

// issued says that a challenge is one of ours, of whatever connection: who
// sends it wants us to answer it in his place (RFC 7143 §9.2.1).
func (g *guard) issued(challenge []byte) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, ours := g.challenges[string(challenge)]
	return ours
}

// exhausted says that no more proofs are heard for now.
func (g *guard) exhausted(s suspect) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	f, known := g.suspects[s]
	return known && f.count >= maxFailures && time.Since(f.since) < failureWindow
}

// failed counts a wrong proof.
func (g *guard) failed(s suspect) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f, known := g.suspects[s]
	if !known || time.Since(f.since) >= failureWindow {
		f = failures{since: time.Now()}
		g.makeRoom()
	}
	f.count++
	g.suspects[s] = f
}

// makeRoom drops what is over and, where that is not enough, the oldest.
func (g *guard) makeRoom() {
	if len(g.suspects) < maxSuspects {
		return
	}
	var oldest suspect
	var since time.Time
	for s, f := range g.suspects {
		if time.Since(f.since) >= failureWindow {
			delete(g.suspects, s)
		} else if since.IsZero() || f.since.Before(since) {
			oldest, since = s, f.since
		}
	}
	if len(g.suspects) >= maxSuspects {
		delete(g.suspects, oldest)
	}
}

// proved clears what was counted.
func (g *guard) proved(s suspect) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.suspects, s)
}
