package chap

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"sync"
	"time"
)

// Ring is what a node knows: its key, and by user name the newest credentials
// that it was told. A volume's publish context may hold older ones, for it stays
// as it was when the volume was attached.
type Ring struct {
	key  *Key
	path string

	mu   sync.Mutex
	kept map[string]entry
}

// entry is what is kept of one user name.
type entry struct {
	Credentials
	Replaced time.Time `json:"r,omitzero"` // when the secret took an earlier one's place; zero = it is the first
}

// OpenRing reads the credentials that are kept at path, mode 0600.
func OpenRing(key *Key, path string) (*Ring, error) {
	r := &Ring{key: key, path: path, kept: map[string]entry{}}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("node's CHAP credentials: %w", err)
	}
	// The decoder's error could show a secret.
	if json.Unmarshal(text, &r.kept) != nil || r.kept == nil {
		return nil, fmt.Errorf("node's CHAP credentials %s: damaged; move the file away, then the volumes' own are used", path)
	}
	return r, nil
}

// Candidates opens what was sealed for the binding. The first of what it gives
// is what to log in with, the newest of that user name; if it is not what was
// sealed, that comes second, for the case that the controller's clock went back.
func (r *Ring) Candidates(sealed string, b Binding) ([]Credentials, error) {
	told, err := r.key.Open(sealed, b)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.kept[told.Username]
	known := e.Credentials
	switch {
	case !ok || known == told || known.Generation < told.Generation:
		return []Credentials{told}, nil
	case known.Generation == told.Generation:
		return []Credentials{told, known}, nil // set by hand on the array
	}
	return []Credentials{known, told}, nil
}

// Newest are the credentials kept of a user name, and when they took the place of
// earlier ones: the zero time where there were none. False where none are kept.
func (r *Ring) Newest(username string) (Credentials, time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.kept[username]
	return e.Credentials, e.Replaced, ok
}

// Keep keeps what is in force now in place of the former of that user name.
func (r *Ring) Keep(c Credentials) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	former, ok := r.kept[c.Username]
	if former.Credentials == c {
		return nil
	}
	e := entry{Credentials: c}
	if ok {
		e.Replaced = time.Now().UTC()
	}
	next := maps.Clone(r.kept)
	next[c.Username] = e
	text, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("keep CHAP credentials of %s: %w", c.Username, err)
	}
	if err := replace(r.path, text); err != nil {
		return fmt.Errorf("keep CHAP credentials of %s: %w", c.Username, err)
	}
	r.kept = next
	return nil
}
