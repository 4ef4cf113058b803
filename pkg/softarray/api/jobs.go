package api

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// resultKept is how long the result of a job waits for a client that never
// asks for it.
const resultKept = 24 * time.Hour

// startJob stores a job in the call's transaction, within the limits of jobs
// that run at once; it is done once that is committed, by this process or the
// next. The async handle, the cloneID and the groupCloneID are all its id.
func (c *call) startJob(j store.Job) (store.Job, error) {
	running, perVolume, err := c.runningJobs()
	if err != nil {
		return j, err
	}
	if running >= clonesPerNodeMax {
		return j, failf(maxClonesPerNode, "Exceeded maximum number of clone jobs per node: %d", clonesPerNodeMax)
	}
	for _, m := range j.Members {
		if perVolume[m.Source]++; perVolume[m.Source] > clonesPerVolumeMax {
			return j, failf(maxClonesPerVolume, "Exceeded maximum number of clone jobs of VolumeID %d: %d", m.Source, clonesPerVolumeMax)
		}
	}
	j.Created, j.Updated = c.now, c.now
	c.after(func(Data) { c.wakeJobs() })
	return c.tx.AddJob(j)
}

// runningJobs counts the jobs that run, in all and by source, and forgets the
// results that nobody asked for. A call for several volumes is one job of the
// node: else a group of more could never be cloned.
func (c *call) runningJobs() (int, map[int64]int, error) {
	running, perVolume := 0, map[int64]int{}
	var stale []int64
	for j, err := range c.tx.Jobs().From(0) {
		if err != nil {
			return 0, nil, err
		}
		if j.Done {
			if c.now.Sub(j.Updated) > resultKept {
				stale = append(stale, j.ID)
			}
			continue
		}
		running++
		for _, m := range j.Members {
			perVolume[m.Source]++
		}
	}
	for _, id := range stale {
		if err := c.tx.RemoveJob(id); err != nil {
			return 0, nil, err
		}
	}
	return running, perVolume, nil
}

func (s *Server) wakeJobs() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// RunJobs does the jobs that a process before this one left and then those
// that calls start, until ctx ends.
func (s *Server) RunJobs(ctx context.Context) error {
	var batches sync.WaitGroup
	defer batches.Wait()
	for {
		batches.Go(func() {
			if err := s.FinishJobs(ctx); err != nil && ctx.Err() == nil {
				klog.FromContext(ctx).Error(err, "A clone job failed; it is repeated with the next one or at the next start")
			}
		})
		select {
		case <-s.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

// FinishJobs does every job that waits, all at once, and returns when they have
// ended. A job that a second call meets under way is left to the first.
func (s *Server) FinishJobs(ctx context.Context) error {
	ids, err := s.claimJobs()
	if err != nil {
		return err
	}
	errs := make([]error, len(ids))
	var jobs sync.WaitGroup
	for i, id := range ids {
		jobs.Go(func() {
			errs[i] = s.finishJob(ctx, id)
			s.mu.Lock()
			delete(s.busy, id)
			s.mu.Unlock()
		})
	}
	jobs.Wait()
	return errors.Join(errs...)
}

func (s *Server) claimJobs() ([]int64, error) {
	var waiting []int64
	err := s.config.Store.View(func(tx *store.Tx) error {
		for j, err := range tx.Jobs().From(0) {
			if err != nil {
				return err
			}
			if !j.Done {
				waiting = append(waiting, j.ID)
			}
		}
		return nil
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	claimed := slices.DeleteFunc(waiting, func(id int64) bool { return s.busy[id] })
	for _, id := range claimed {
		s.busy[id] = true
	}
	return claimed, err
}

// finishJob does one job in one transaction: whoever dies before it is
// committed leaves the job as it was.
func (s *Server) finishJob(ctx context.Context, id int64) error {
	var failure error
	if s.config.FaultInjection {
		failure = s.strike(ctx, s.injections.next(cloneJob), beforeEffect)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if failure == nil {
		failure = s.transact(ctx, func(c *call) error { return c.endJob(id, nil) })
	}
	if failure == nil {
		return nil
	}
	klog.FromContext(ctx).Error(failure, "A clone job failed", "asyncHandle", id)
	return s.transact(ctx, func(c *call) error { return c.endJob(id, asAPIError(failure)) })
}

// endJob makes a job's volumes usable or, where it failed, takes them away. A
// job that was cancelled meanwhile is none any more, and one that has ended stays so.
func (c *call) endJob(id int64, failure *apiError) error {
	j, err := c.tx.Jobs().Get(id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil || j.Done {
		return err
	}
	j.Done, j.Updated = true, c.now
	if failure != nil {
		j.Failure, j.Message = failure.Name, failure.Message
		if err := c.undoJob(j); err != nil {
			return err
		}
		return c.tx.PutJob(j)
	}
	for _, m := range j.Members {
		if err := c.fill(j.Kind, m); err != nil {
			return err
		}
	}
	return c.tx.PutJob(j)
}

// fill gives one volume of a job its content. That of a clone is there already.
func (c *call) fill(kind string, m store.JobMember) error {
	v, err := c.activeVolume(m.Volume)
	if err != nil {
		return err
	}
	if kind == store.JobClone {
		v.Cloning = false
		return c.tx.PutVolume(v)
	}
	if _, err := c.usableVolume(m.Source); err != nil {
		return err
	}
	if m.Snapshot != 0 {
		if _, err := c.snapshotOf(m.Source, m.Snapshot); err != nil {
			return err
		}
	}
	// As after a rollback, initiators must learn that the medium changed.
	c.dropSessions(m.Volume)
	return c.tx.CopyVolume(m.Volume, m.Source, m.Snapshot)
}

// undoJob takes away what a job made and did not fill.
func (c *call) undoJob(j store.Job) error {
	if j.Kind != store.JobClone {
		return nil
	}
	for _, m := range j.Members {
		v, err := c.tx.Volumes().Get(m.Volume)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		c.after(func(d Data) { d.Release(v.ID) })
		if err := c.tx.RemoveVolume(v.ID); err != nil {
			return err
		}
	}
	return nil
}
