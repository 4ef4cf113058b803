package softarray

import "github.com/san-csi/san-csi/pkg/softarray/store"

// reservations keeps a volume's persistent reservations beside its record. It
// implements scsi.Keeper.
type reservations struct {
	store  *store.Store
	volume int64
}

// Load is what was saved last.
func (r reservations) Load() (state []byte, err error) {
	err = r.store.View(func(tx *store.Tx) error {
		state = tx.Reservations(r.volume)
		return nil
	})
	return state, err
}

// Save replaces it, durably.
func (r reservations) Save(state []byte) error {
	return r.store.Update(func(tx *store.Tx) error { return tx.PutReservations(r.volume, state) })
}
