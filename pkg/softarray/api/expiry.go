package api

import (
	"context"
	"errors"
	"time"

	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// expiryAt lets the next upkeep know of a snapshot that expires then, so that
// upkeep need not walk all snapshots each time.
func (s *Server) expiryAt(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nextExpiry.IsZero() || at.Before(s.nextExpiry) {
		s.nextExpiry = at
	}
}

// expiryDue says whether a snapshot may have expired by now.
func (s *Server) expiryDue(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.nextExpiry.IsZero() && !s.nextExpiry.After(now)
}

// ExpireSnapshots removes the snapshots whose time is over.
func (s *Server) ExpireSnapshots(ctx context.Context) error {
	now := s.config.Clock.Now()
	if !s.expiryDue(now) {
		return nil
	}
	s.mu.Lock()
	s.nextExpiry = time.Time{}
	s.mu.Unlock()
	var expired []int64
	err := s.config.Store.View(func(tx *store.Tx) error {
		for snapshot, err := range tx.Snapshots().From(0) {
			if err != nil {
				return err
			}
			switch {
			case snapshot.Expires.IsZero():
			case snapshot.Expires.After(now):
				s.expiryAt(snapshot.Expires)
			default:
				expired = append(expired, snapshot.ID)
			}
		}
		return nil
	})
	if err == nil && len(expired) > 0 {
		err = s.config.Store.Update(func(tx *store.Tx) error { return removeExpired(tx, expired, now) })
	}
	if err != nil {
		s.expiryAt(now) // again at the next upkeep
		return err
	}
	klog.FromContext(ctx).V(2).Info("Removed expired snapshots", "snapshotIDs", expired)
	return nil
}

// removeExpired looks again: a snapshot may have been removed or prolonged.
func removeExpired(tx *store.Tx, ids []int64, now time.Time) error {
	for _, id := range ids {
		snapshot, err := tx.Snapshots().Get(id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if snapshot.Expires.IsZero() || snapshot.Expires.After(now) {
			continue
		}
		if err := tx.RemoveSnapshot(id); err != nil {
			return err
		}
	}
	return nil
}
