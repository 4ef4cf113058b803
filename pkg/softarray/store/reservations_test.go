package store_test

import (
	"errors"
	"testing"

	"github.com/san-csi/san-csi/pkg/softarray/store"
)

func TestReservationsBelongToTheirVolume(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx *store.Tx) error {
		for range 2 {
			if _, err := add(tx, "v", 1<<20); err != nil {
				return err
			}
		}
		return tx.PutReservations(1, []byte("held"))
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	held := func(volume int64) (state string) {
		t.Helper()
		if err := s.View(func(tx *store.Tx) error { state = string(tx.Reservations(volume)); return nil }); err != nil {
			t.Fatal(err)
		}
		return state
	}
	if held(1) != "held" || held(2) != "" {
		t.Errorf("after a restart %q and %q", held(1), held(2))
	}
	update(t, s, func(tx *store.Tx) error { return tx.PutReservations(2, []byte("gone soon")) })
	update(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.PutReservations(1, nil), tx.RemoveVolume(2))
	})
	if held(1) != "" || held(2) != "" {
		t.Errorf("after removal %q and %q", held(1), held(2))
	}
	err = s.Update(func(tx *store.Tx) error { return tx.PutReservations(2, []byte("late")) })
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("reservations of a volume that is gone: %v", err)
	}
}
