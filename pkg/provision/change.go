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

// Delete removes the volume; one that is not there is success.
func (f *Flows) Delete(ctx context.Context, id string) error {
	a, h, err := f.resolve(ctx, id)
	if err != nil {
		return gone(err)
	}
	v, err := a.Get(ctx, h)
	if err != nil && !errors.Is(err, san.ErrNotFound) {
		return err
	}
	keep := false
	if v != nil {
		n, _, err := readNote(v)
		if err != nil {
			return err
		}
		keep = n.Keep
	}
	return a.Delete(ctx, h, keep)
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
	a, h, err := f.resolve(ctx, id)
	if err != nil {
		return nil, err
	}
	v, err := a.Get(ctx, h)
	if err != nil {
		return nil, err
	}
	change := san.Change{SizeBytes: size.Required, LimitBytes: size.Limit}
	_, request, err := readNote(v)
	if err != nil {
		return nil, err
	}
	if request.PerGiB() {
		limits, err := a.Limits(ctx)
		if err != nil {
			return nil, err
		}
		quality, err := values(request, max(v.SizeBytes, roundUp(size.Required, limits.SizeStep)), limits)
		if err != nil {
			return nil, err
		}
		change.QoS = &quality
	}
	return a.Modify(ctx, h, change)
}

// Modify sets the QoS of a VolumeAttributesClass, live: what it gives replaces
// what the class gave, the rest stays as it is.
func (f *Flows) Modify(ctx context.Context, id string, params map[string]string) error {
	over, err := parseMutable(params)
	if err != nil {
		return err
	}
	a, h, err := f.resolve(ctx, id)
	if err != nil {
		return err
	}
	v, err := a.Get(ctx, h)
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
	limits, err := a.Limits(ctx)
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
	n.QoS = request.Parameters()
	text := n.String()
	_, err = a.Modify(ctx, h, san.Change{QoS: &quality, Note: &text})
	return err
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
