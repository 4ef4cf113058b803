package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

// Delete removes the volume; one that is not there is success. What was imported
// stays in the recycle bin: no class said otherwise, and its data is not ours.
func (f *Flows) Delete(ctx context.Context, id string) error {
	m, h, err := f.member(ctx, id)
	if err != nil {
		return gone(err)
	}
	purged, err := m.Array.Delete(ctx, h)
	if purged { // what is in the recycle bin holds its floor until it is purged
		m.Ledger.Gone(h.Volume)
	}
	return err
}

// gone turns "no such volume" into success, but not "no such array": the volume
// may well be there, and would be leaked.
func gone(err error) error {
	if errors.Is(err, san.ErrNotFound) && !errors.Is(err, placement.ErrNoArray) {
		return nil
	}
	return err
}

// Expand grows the volume, and its QoS where that scales with the size.
func (f *Flows) Expand(ctx context.Context, id string, size Size) (*san.Volume, error) {
	if err := size.check(); err != nil {
		return nil, err
	}
	if size.Required == 0 {
		return nil, fmt.Errorf("required_bytes 0: a size to grow to is needed: %w", san.ErrInvalid)
	}
	m, h, err := f.member(ctx, id)
	if err != nil {
		return nil, err
	}
	v, err := m.Array.Get(ctx, h)
	if err != nil {
		return nil, err
	}
	_, request, err := readNote(v)
	if err != nil {
		return nil, err
	}
	limits, err := m.Array.Limits(ctx)
	if err != nil {
		return nil, err
	}
	grown := max(v.SizeBytes, roundUp(size.Required, limits.SizeStep))
	if grown > limits.MaxSizeBytes { // before the budget is asked: it is no lack of room
		return nil, fmt.Errorf("volume %s: %d bytes: the array makes at most %d: %w", v.Handle, size.Required, limits.MaxSizeBytes, san.ErrOutOfRange)
	}
	want := placement.Load{IOPS: v.QoS.Min, Bytes: grown}
	change := san.Change{SizeBytes: size.Required, LimitBytes: size.Limit}
	if request.PerGiB() {
		quality, err := values(request, grown, limits)
		if err != nil {
			return nil, err
		}
		change.QoS, want.IOPS = &quality, cmp.Or(quality.Values.Min, v.QoS.Min)
	}
	return f.apply(ctx, m, v, change, want)
}

// Modify sets the QoS of a VolumeAttributesClass, live: what it gives replaces
// what the class gave, the rest stays as it is.
func (f *Flows) Modify(ctx context.Context, id string, params map[string]string) error {
	over, err := parseMutable(params)
	if err != nil {
		return err
	}
	m, h, err := f.member(ctx, id)
	if err != nil {
		return err
	}
	v, err := m.Array.Get(ctx, h)
	if err != nil {
		return err
	}
	if over.IsZero() {
		return nil
	}
	n, base, err := readNote(v)
	if err != nil {
		return err
	}
	limits, err := m.Array.Limits(ctx)
	if err != nil {
		return err
	}
	request := base.Merge(over)
	quality, err := values(request, v.SizeBytes, limits)
	if err != nil {
		return err
	}
	if err := fit(&quality, request, v.QoS); err != nil {
		return err
	}
	want := placement.Load{IOPS: cmp.Or(quality.Values.Min, v.QoS.Min), Bytes: v.SizeBytes}
	if quality.Policy != "" {
		granted, err := m.Array.InForce(ctx, quality)
		if err != nil {
			return err
		}
		want.IOPS = granted.Min
	}
	n.QoS = request.Parameters()
	text := n.String()
	_, err = f.apply(ctx, m, v, san.Change{QoS: &quality, Note: &text}, want)
	return err
}

// apply changes the volume, just read, once there is room for what it will take.
func (f *Flows) apply(ctx context.Context, m placement.Member, v *san.Volume, c san.Change, want placement.Load) (*san.Volume, error) {
	if err := m.Ledger.Ready(ctx); err != nil {
		return nil, err
	}
	hold, err := m.Ledger.Change(v, want)
	if err != nil {
		return nil, f.refuse(ctx, m, v, err)
	}
	was, policy := v.QoS, v.Policy
	changed, err := m.Array.Modify(ctx, v.Handle, c)
	hold.Settle(changed, err)
	if err == nil && (changed.QoS != was || changed.Policy != policy) {
		f.tellQoS(changed.Owner.PVC, changed)
	}
	return changed, err
}

// refuse makes sure that a change, refused, is not made by a leader that had sent
// it before it died; ErrUnavailable where it has been.
func (f *Flows) refuse(ctx context.Context, m placement.Member, v *san.Volume, reason error) error {
	now, err := m.Array.Modify(ctx, v.Handle, san.Change{})
	switch {
	case err != nil:
		return err
	case now.QoS != v.QoS || now.Policy != v.Policy || now.SizeBytes != v.SizeBytes:
		return fmt.Errorf("volume %s: it was changed meanwhile: %w", v.Handle, san.ErrUnavailable)
	}
	return fmt.Errorf("volume %s: %w", v.Handle, reason)
}

// fit holds new values against those in force that stay. A burst that nobody
// asked for gives way to the ceiling; what was asked for never does.
func fit(q *san.QoS, asked qos.Request, now qos.Values) error {
	if q.Policy != "" {
		return nil
	}
	next := qos.Values{
		Min:   cmp.Or(q.Values.Min, now.Min),
		Max:   cmp.Or(q.Values.Max, now.Max),
		Burst: cmp.Or(q.Values.Burst, now.Burst),
	}
	if next.Max > next.Burst && asked.Burst.IsZero() {
		q.Values.Burst, next.Burst = next.Max, next.Max
	}
	if next.Min > next.Max {
		return &qos.ParameterError{Key: qos.KeyMin, Value: fmt.Sprint(next.Min), Bound: fmt.Sprintf("at most %s (%d)", qos.KeyMax, next.Max)}
	}
	if next.Max > next.Burst {
		return &qos.ParameterError{Key: qos.KeyMax, Value: fmt.Sprint(next.Max), Bound: fmt.Sprintf("at most %s (%d)", qos.KeyBurst, next.Burst)}
	}
	return nil
}
