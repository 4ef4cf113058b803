package store

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
	"k8s.io/klog/v2"
)

// Update runs fn and commits what it did, durably, if it returns nil;
// otherwise nothing of it stays. Where it changes what a volume in use shows,
// writes to all such volumes wait together while it commits, and reads do not.
func (s *Store) Update(fn func(*Tx) error) error {
	b, err := s.db.Begin(true)
	if err != nil {
		return fmt.Errorf("begin a change of %s: %w", s.dir, err)
	}
	t := newTx(b, s)
	committed := false
	defer func() {
		if !committed {
			// Inside the transaction's lock: the next one may take the same id.
			t.abandon()
		}
	}()
	if err := fn(t); err != nil {
		return err
	}
	if err := t.syncFiles(); err != nil {
		return err
	}
	if err := s.commit(t); err != nil {
		return err
	}
	committed = true
	s.finish(t)
	return nil
}

func newTx(b *bbolt.Tx, s *Store) *Tx {
	return &Tx{tx: b, store: s, recast: map[int64]bool{}, moved: map[int64]bool{}, fresh: map[int64]bool{}}
}

func (t *Tx) abandon() {
	t.closeFiles()
	slices.Reverse(t.undo)
	run(t.undo)
	if err := t.tx.Rollback(); err != nil {
		klog.ErrorS(err, "Giving up a transaction failed")
	}
}

// syncFiles makes the files of new layers durable.
func (t *Tx) syncFiles() error {
	if len(t.made) == 0 {
		return nil
	}
	var errs []error
	for _, f := range t.made {
		errs = append(errs, f.Sync())
	}
	t.closeFiles()
	return errors.Join(append(errs, t.store.media.sync())...)
}

func (t *Tx) closeFiles() {
	for _, f := range t.made {
		if err := f.Close(); err != nil {
			klog.ErrorS(err, "Closing a new layer's file failed")
		}
	}
	t.made = nil
}

// recasting is a volume in use that is about to get another chain.
type recasting struct {
	blocks *blocks
	view   view
}

// commit commits the metadata and gives the volumes in use that it concerns
// their new chains, all at one moment.
func (s *Store) commit(t *Tx) error {
	if len(t.recast) == 0 && len(t.moved) == 0 {
		return t.tx.Commit()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.recastings(t)
	if err != nil {
		return err
	}
	for _, r := range all {
		r.blocks.gate.Lock()
		defer r.blocks.gate.Unlock()
	}
	if err := t.tx.Commit(); err != nil {
		return errors.Join(fmt.Errorf("commit: %w", err), s.giveUp(all))
	}
	for _, r := range all {
		s.recast(r)
	}
	return nil
}

// recastings prepares the chains of the volumes in use whose layers change, in
// the order of ids. s.mu is held.
func (s *Store) recastings(t *Tx) ([]recasting, error) {
	var all []recasting
	for _, b := range s.used {
		if !t.recast[b.volume] && !slices.ContainsFunc(b.chain.Load().layers, func(l *layer) bool { return t.moved[l.number] }) {
			continue
		}
		v, err := s.acquire(t, b.volume)
		if errors.Is(err, ErrNotFound) {
			continue // purged: what is open stays as it is
		}
		if err != nil {
			return nil, errors.Join(err, s.giveUp(all))
		}
		all = append(all, recasting{b, v})
	}
	slices.SortFunc(all, func(a, b recasting) int { return cmp.Compare(a.blocks.volume, b.blocks.volume) })
	return all, nil
}

func (s *Store) giveUp(all []recasting) error {
	var errs []error
	for _, r := range all {
		errs = append(errs, s.release(r.view.layers))
	}
	return errors.Join(errs...)
}

// recast replaces a chain. The gate is held alone, and s.mu.
func (s *Store) recast(r recasting) {
	old := r.blocks.chain.Load()
	for _, l := range old.layers[old.target:] {
		l.frozen.Add(1)
	}
	r.blocks.chain.Store(old.on(r.view))
	if err := s.release(old.layers); err != nil {
		klog.ErrorS(err, "Closing a layer failed", "volumeID", r.blocks.volume)
	}
}

// finish does what may come after the commit. What was frozen is made durable,
// so that a snapshot that is told of outlives a power cut; where that fails, the
// next Sync of a volume that shows it does it again.
func (s *Store) finish(t *Tx) {
	run(t.done)
	s.keeper.look(t.tidy...)
	for _, layer := range t.frozen {
		if err := s.syncFrozen(layer); err != nil {
			klog.ErrorS(err, "Syncing what a snapshot keeps failed", "layer", layer)
		}
	}
}

// syncFrozen makes a layer durable with all that is beneath it.
func (s *Store) syncFrozen(id int64) error {
	layers, err := s.openLayers(id)
	if err != nil {
		return err
	}
	return errors.Join(syncAll(layers), s.closeLayers(layers))
}

// run does file operations whose failure costs space only: the next Open repeats them.
func run(steps []func() error) {
	for _, step := range steps {
		if err := step(); err != nil {
			klog.ErrorS(err, "Tidying a layer's files failed; it is repeated at the next start")
		}
	}
}
