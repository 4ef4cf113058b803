package chap

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"sync"
)

// Ring is what a node knows: its key, and by user name the newest credentials
// that it was told. A volume's publish context may hold older ones, for it stays
// as it was when the volume was attached.
type Ring struct {
	key  *Key
	path string

	mu   sync.Mutex
	kept map[string]Credentials
}

// OpenRing reads the credentials that are kept at path, mode 0600.
func OpenRing(key *Key, path string) (*Ring, error) {
	r := &Ring{key: key, path: path, kept: map[string]Credentials{}}
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
	known, ok := r.kept[told.Username]
	switch {
	case !ok || known == told || known.Generation < told.Generation:
		return []Credentials{told}, nil
	case known.Generation == told.Generation:
		return []Credentials{told, known}, nil // set by hand on the array
	}
	return []Credentials{known, told}, nil
}

// Newest are the credentials kept of a user name; false where none are.
func (r *Ring) Newest(username string) (Credentials, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.kept[username]
	return c, ok
}

// Keep keeps what is in force now in place of the former of that user name.
func (r *Ring) Keep(c Credentials) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kept[c.Username] == c {
		return nil
	}
	next := maps.Clone(r.kept)
	next[c.Username] = c
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
