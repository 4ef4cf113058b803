package stage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/initiator"
)

const (
	// repairTimeout bounds what a round does about one volume; the next goes on.
	repairTimeout = 2 * time.Minute
	// repairs is how many volumes a round works on at once.
	repairs = 8
)

// Run holds what is on the node against the stage records, at once and then at
// each interval, until the context ends.
//
// A volume is ours by its record alone, which is there before anything is done
// for it and goes after all of that is gone. So nothing is guessed: sessions,
// devices, maps, mounts and node records of other targets are never touched.
func (s *Stager) Run(ctx context.Context, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		s.Reconcile(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Reconcile is one round of Run:
//
//   - what is of a fenced epoch is taken down with what it had not yet written,
//     and confirmed;
//   - a staged volume without a session, or whose map lacks paths, is logged in
//     again;
//   - what a stage left that has no mount, and that nobody came back for, is
//     taken down;
//   - sessions that do not come back and portals out of reach are told of.
//
// A volume that a call works on is left to the next round. What a former boot of
// the host staged is not logged in: its mounts are gone, and the kubelet stages
// again what is still wanted.
//
// It may be called beside Run, for fences that are new: they are obeyed at once,
// and a round that is under way does the rest.
func (s *Stager) Reconcile(ctx context.Context) {
	fenced := s.enforce(ctx)
	if !s.round.TryLock() {
		return
	}
	defer s.round.Unlock()
	s.hold(ctx, fenced)
}

// hold holds what is on the node against the records.
func (s *Stager) hold(ctx context.Context, fenced int) {
	all, err := s.records.list()
	if err != nil {
		s.report(ctx, Finding{Act: ActLook, Message: "stage records", Err: err})
		return
	}
	now := Standing{Fenced: fenced}
	var staged []*record
	found := map[*record]condition{}
	for _, r := range all {
		c, err := s.look(ctx, r)
		if err != nil {
			s.report(ctx, Finding{Act: ActLook, VolumeID: r.VolumeID, Message: "volume " + r.VolumeID, Err: err})
			continue
		}
		if c.staged {
			staged = append(staged, r)
		}
		now.count(r, c)
		s.tellRecovery(ctx, r, c)
		found[r] = c
	}
	now.Portals = s.portals(ctx, staged)
	s.seen.stand(now)
	var repairing errgroup.Group
	repairing.SetLimit(repairs)
	for r, c := range found {
		if act := s.due(r, c); act != "" {
			repairing.Go(func() error { s.repair(ctx, r.VolumeID, act); return nil })
		}
	}
	_ = repairing.Wait()
}

// enforce obeys what is fenced, and gives how much of it is not confirmed.
func (s *Stager) enforce(ctx context.Context) (left int) {
	pending, err := s.fences.Pending(ctx)
	if err != nil {
		s.report(ctx, Finding{Act: ActLook, Message: "what the controller fenced", Err: err})
		return 0
	}
	s.seen.fence(pending)
	var enforcing errgroup.Group
	enforcing.SetLimit(repairs)
	open := make(chan struct{}, len(pending))
	for volumeID, epoch := range pending {
		enforcing.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, repairTimeout)
			defer cancel()
			err := s.alone(volumeID, func() error { return failed("fence", volumeID, s.obey(ctx, volumeID, epoch)) })
			if err != nil {
				open <- struct{}{}
			}
			if !errors.Is(err, ErrInFlight) {
				s.report(ctx, Finding{Act: ActFence, VolumeID: volumeID, Message: fmt.Sprintf("volume %s: grants up to epoch %d are over", volumeID, epoch), Err: err})
			}
			return nil
		})
	}
	_ = enforcing.Wait()
	return len(open)
}

// condition is what the node has of a volume.
type condition struct {
	live   initiator.Mapping
	staged bool // something is mounted where it was staged
}

func (s *Stager) look(ctx context.Context, r *record) (condition, error) {
	live, err := s.iscsi.Mapping(ctx, r.Target.IQN)
	if err != nil {
		return condition{}, err
	}
	m, err := s.mountAt(ctx, seat(r.StagingPath, r.Block))
	return condition{live: live, staged: m != nil}, err
}

func (s *Standing) count(r *record, c condition) {
	if !c.staged {
		return
	}
	s.Staged++
	switch c.live.Sessions {
	case 0:
		s.Missing++
	case c.live.Recovering:
		s.Recovering++
	default:
		up, want := paths(r, c.live)
		s.Paths += want - up
	}
}

// due is what a round has to do about the volume, "" = nothing.
func (s *Stager) due(r *record, c condition) Act {
	switch {
	case r.Epoch <= s.seen.fencedUpTo(r.VolumeID):
		return "" // enforce goes on, and nothing of it is logged in again
	case c.staged && c.live.Sessions == 0, c.staged && s.incomplete(r, c):
		return ActLogin
	case !c.staged && c.live.Live() && time.Since(r.Touched) >= s.abandoned:
		return ActClean
	}
	return ""
}

// incomplete reports whether a map lacks paths that could be there: a portal that
// is not reached would only be knocked at again and again.
func (s *Stager) incomplete(r *record, c condition) bool {
	if !mapped(c.live) || c.live.Sessions >= len(r.Target.Portals) {
		return false
	}
	reached := s.Standing().Portals
	return !slices.ContainsFunc(r.Target.Portals, func(p string) bool { return !reached[p] })
}

// repair does what is due, unless a call works on the volume or has changed it
// since it was looked at.
func (s *Stager) repair(ctx context.Context, volumeID string, act Act) {
	ctx, cancel := context.WithTimeout(ctx, repairTimeout)
	defer cancel()
	did, message := false, "volume "+volumeID
	err := s.alone(volumeID, func() error {
		r, err := s.records.load(volumeID)
		if err != nil || r == nil {
			return err
		}
		c, err := s.look(ctx, r)
		if err != nil || s.due(r, c) != act {
			return err
		}
		did = true
		if act == ActLogin {
			message = fmt.Sprintf("volume %s: staged, with %d sessions of %s: logged in again", volumeID, c.live.Sessions, r.Target.IQN)
			_, err = s.iscsi.Attach(ctx, r.target())
			return failed("log in again to", volumeID, err)
		}
		message = fmt.Sprintf("volume %s: %d sessions and %d devices of %s without a mount are taken down", volumeID, c.live.Sessions, len(c.live.Devices), r.Target.IQN)
		return failed("clean", volumeID, s.release(ctx, r, r.StagingPath))
	})
	if did || err != nil && !errors.Is(err, ErrInFlight) {
		s.report(ctx, Finding{Act: act, VolumeID: volumeID, Message: message, Err: err})
	}
}

// tellRecovery tells once of a session that is still away after a round.
func (s *Stager) tellRecovery(ctx context.Context, r *record, c condition) {
	away := c.live.Sessions > 0 && c.live.Recovering == c.live.Sessions
	was := !s.seen.first("away "+r.VolumeID, away) && away
	if s.seen.first("recovery "+r.VolumeID, was) {
		s.report(ctx, Finding{Act: ActRecover, VolumeID: r.VolumeID, Message: fmt.Sprintf("volume %s: no session of %s has come back since the last look", r.VolumeID, r.Target.IQN)})
	}
}

func (s *Stager) report(ctx context.Context, f Finding) {
	log := klog.FromContext(ctx).WithValues("act", f.Act, "volume", f.VolumeID, "finding", f.Message)
	if f.Err != nil {
		log.Error(f.Err, "Reconciler failed")
	} else {
		log.Info("Reconciler")
	}
	s.tell(f)
}
