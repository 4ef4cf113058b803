package scsi

import (
	"encoding/json"
	"fmt"
)

// Keeper keeps a LUN's persistent reservations across restarts (APTPL, SPC-4
// §5.12.5).
type Keeper interface {
	// Load is what was last saved; nil where nothing is.
	Load() ([]byte, error)
	// Save replaces it and returns when it is on stable storage; nil removes it.
	Save(state []byte) error
}

// Keep restores the LUN's persistent reservations from k and saves there from
// then on. It is called before the first Attach. A LUN without a keeper refuses
// APTPL. What cannot be read is an error: access that others were denied must
// not come back in silence.
func (l *LUN) Keep(k Keeper) error {
	state, err := k.Load()
	if err != nil {
		return fmt.Errorf("load persistent reservations: %w", err)
	}
	l.keeper = k
	if len(state) == 0 {
		return nil
	}
	var r registry
	if err := json.Unmarshal(state, &r); err != nil {
		return fmt.Errorf("persistent reservations of %d bytes: %w", len(state), err)
	}
	r.persist = true
	l.registry = r
	return nil
}

// keep saves the registry that is about to be in force, if it is to persist,
// and forgets what was saved where it no longer is.
func (l *LUN) keep(next *registry) error {
	switch {
	case next.persist:
		state, err := json.Marshal(next)
		if err != nil {
			return fmt.Errorf("persistent reservations: %w", err)
		}
		return l.keeper.Save(state)
	case l.registry.persist:
		return l.keeper.Save(nil)
	}
	return nil
}
