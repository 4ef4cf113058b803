package provision

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/san"
)

// lookTimeout bounds the look for a volume on one of several arrays: one that
// hangs must not use up the time of a volume for another.
const lookTimeout = 10 * time.Second

// place is where a volume goes, what is asked of the array there, and the room
// that is kept for it.
type place struct {
	placement.Member
	request san.CreateRequest
	hold    *placement.Hold
}

// place is the array that has the volume already, else the one that takes it.
func (f *Flows) place(ctx context.Context, candidates []placement.Member, req CreateRequest, c class) (*place, error) {
	has, free, err := look(ctx, candidates, req.Name, c.account)
	if err != nil {
		return nil, err
	}
	if has != nil {
		return repeat(ctx, *has, req, c)
	}
	bids, requests, err := offers(ctx, free, req, c)
	if err != nil {
		return nil, fmt.Errorf("volume %q: %w", req.Name, err)
	}
	bid, hold, err := placement.Choose(req.Name, req.Topology, bids)
	if err == nil {
		return &place{bid.Member, requests[bid.Name], hold}, nil
	}
	// A volume that is there already, made by a process that died since the
	// ledger was read, needs no more room.
	if len(candidates) == 1 {
		if _, missing := candidates[0].Array.Find(ctx, req.Name, c.account); missing == nil {
			return repeat(ctx, candidates[0], req, c)
		}
	}
	return nil, fmt.Errorf("volume %q: %w", req.Name, err)
}

// repeat asks the array for a volume that it has.
func repeat(ctx context.Context, m placement.Member, req CreateRequest, c class) (*place, error) {
	request, err := order(ctx, m, req, c)
	if err != nil {
		return nil, fmt.Errorf("volume %q on array %q: %w", req.Name, m.Name, err)
	}
	return &place{m, request, m.Ledger.Repeat(req.Name)}, nil
}

// look finds the volume where an earlier call made it, and the arrays that are
// free to take it. An array that does not answer is passed over where its
// ledger knows that no call can have made the volume there; otherwise it may
// have it, and the volume must not be made twice.
func look(ctx context.Context, candidates []placement.Member, name, account string) (has *placement.Member, free []placement.Member, err error) {
	answers := make([]error, len(candidates))
	var looking sync.WaitGroup
	for i, m := range candidates {
		switch {
		case len(candidates) == 1 && !m.Ledger.MayHave(name):
			answers[i] = san.ErrNotFound
		default:
			looking.Go(func() { answers[i] = find(ctx, m, name, account, len(candidates)) })
		}
	}
	looking.Wait()
	for i, m := range candidates {
		switch answer := answers[i]; {
		case answer == nil:
			return &m, nil, nil
		case errors.Is(answer, san.ErrNotFound):
			free = append(free, m)
		case !m.Ledger.MayHave(name):
			klog.FromContext(ctx).Info("array passed over for a new volume", "array", m.Name, "volume", name, "reason", answer)
			err = answer
		default:
			return nil, nil, fmt.Errorf("volume %q: is it on array %q already? %w", name, m.Name, answer)
		}
	}
	if len(free) == 0 {
		return nil, nil, fmt.Errorf("volume %q: no array that would take it answers: %w", name, err)
	}
	return nil, free, nil
}

func find(ctx context.Context, m placement.Member, name, account string, among int) error {
	if among > 1 {
		if err := m.Ledger.Down(); err != nil && !m.Ledger.MayHave(name) {
			return err
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, lookTimeout)
		defer cancel()
	}
	_, err := m.Array.Find(ctx, name, account)
	return err
}

// offers are what the volume would take of each array, and what each would be
// asked for. An array that cannot have the class is passed over while another
// one can.
func offers(ctx context.Context, candidates []placement.Member, req CreateRequest, c class) ([]placement.Bid, map[string]san.CreateRequest, error) {
	var bids []placement.Bid
	var failed error
	requests := map[string]san.CreateRequest{}
	for _, m := range candidates {
		bid, request, err := offer(ctx, m, req, c)
		if err != nil {
			failed = fmt.Errorf("array %q: %w", m.Name, err)
			klog.FromContext(ctx).V(2).Info("array passed over", "array", m.Name, "volume", req.Name, "reason", err)
			continue
		}
		bids, requests[m.Name] = append(bids, bid), request
	}
	if len(bids) == 0 {
		return nil, nil, failed
	}
	return bids, requests, nil
}

func offer(ctx context.Context, m placement.Member, req CreateRequest, c class) (placement.Bid, san.CreateRequest, error) {
	request, err := order(ctx, m, req, c)
	if err != nil {
		return placement.Bid{}, request, err
	}
	limits, err := m.Array.Limits(ctx)
	if err != nil {
		return placement.Bid{}, request, err
	}
	granted, err := m.Array.InForce(ctx, request.QoS)
	if err != nil {
		return placement.Bid{}, request, err
	}
	if err := m.Ledger.Ready(ctx); err != nil {
		return placement.Bid{}, request, err
	}
	size := roundUp(max(request.SizeBytes, limits.MinSizeBytes), limits.SizeStep)
	if size > limits.MaxSizeBytes { // before the budget is asked: it is no lack of room
		return placement.Bid{}, request, fmt.Errorf("size of %d bytes: the array makes at most %d: %w", request.SizeBytes, limits.MaxSizeBytes, san.ErrOutOfRange)
	}
	want := placement.Load{IOPS: granted.Min, Bytes: size}
	return placement.Bid{Member: m, Want: want.Larger(req.from.least)}, request, nil
}

// order is what the array is asked for.
func order(ctx context.Context, m placement.Member, req CreateRequest, c class) (san.CreateRequest, error) {
	limits, err := m.Array.Limits(ctx)
	if err != nil {
		return san.CreateRequest{}, err
	}
	size := req.Size.orDefault()
	if req.Size.Required == 0 {
		size = max(size, limits.MinSizeBytes)
	}
	size = max(size, req.from.least.Bytes)
	quality, err := values(c.qos, roundUp(size, limits.SizeStep), limits)
	return san.CreateRequest{
		Name:       req.Name,
		SizeBytes:  size,
		LimitBytes: req.Size.Limit,
		QoS:        quality,
		Source:     req.from.source,
		Account:    c.account,
		Owner:      c.owner,
		Note:       note{QoS: c.qos.Parameters()}.String(),
		Keep:       c.keep,
	}, err
}

func roundUp(n, step int64) int64 {
	if step <= 1 || n%step == 0 {
		return n
	}
	return n - n%step + step
}
