package placement

import (
	"errors"
	"slices"
	"time"

	"github.com/san-csi/san-csi/pkg/san"
)

// lateness is how long after a call was given up the array may still carry it
// out. What a reading that began later does not show will not come.
const lateness = 5 * time.Minute

// Hold is room that a ledger keeps for a call on its way to the array, and for
// one whose outcome is not known: until it is.
type Hold struct {
	ledger  *Ledger
	name    string // of a Create
	volume  int64  // of a Change
	load    Load
	calls   int       // on their way
	unknown bool      // one ended without an answer
	ended   time.Time // when the last one did
}

// grow keeps the larger of what is held and wanted for one call more, if the
// budget has it; before is what counts as promised. The ledger's lock is held.
func (h *Hold) grow(want, before Load) error {
	former, l := h.load, h.ledger
	h.load = former.Larger(want)
	if err := admit(l.array, before, l.used(), l.bound()); err != nil {
		h.load = former
		h.drop()
		return err
	}
	h.calls++
	return nil
}

// Settle ends the call: v is the volume as the array told it, err how it failed.
func (h *Hold) Settle(v *san.Volume, err error) {
	l := h.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	h.calls--
	h.ended = time.Now()
	switch {
	case err == nil:
		h.release()
		if h.name != "" {
			l.claimed(h.name)
		}
		l.put(v.Handle.Volume, entry{load: loadOf(v), name: v.Name})
	case refused(err):
		h.drop()
	default:
		h.unknown = true
	}
}

// drop lets the room go unless another call, or one of unknown outcome, still
// needs it. The ledger's lock is held.
func (h *Hold) drop() {
	if h.calls == 0 && !h.unknown {
		h.release()
	}
}

// release lets the room go. The ledger's lock is held.
func (h *Hold) release() {
	if h.name != "" {
		delete(h.ledger.creates, h.name)
		return
	}
	delete(h.ledger.changes, h.volume)
}

// claimed tells that the volume of that name is no stray any more. The lock is
// held.
func (l *Ledger) claimed(name string) {
	delete(l.strays, name)
	if l.own != nil {
		l.own.names[name] = struct{}{}
	}
}

// refused tells that the array said no, so that the call has changed nothing.
// All other errors leave that open: a deadline, a lost connection.
func refused(err error) bool {
	return slices.ContainsFunc([]error{san.ErrInvalid, san.ErrOutOfRange, san.ErrExhausted, san.ErrExists, san.ErrBusy, san.ErrNotFound},
		func(sentinel error) bool { return errors.Is(err, sentinel) })
}

// late tells whether a reading that began at that time would show what the
// call did, if it did anything.
func (h *Hold) late(begun time.Time) bool {
	return h.calls == 0 && begun.Sub(h.ended) >= lateness
}
