package element

import (
	"cmp"
	"context"
	"fmt"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

// Modify changes size and QoS in one call of the array, or nothing where the
// volume is as wanted. What a process that died asked for may be on its way: so
// there is at least one write that it will be seen to have come after.
func (a *Array) Modify(ctx context.Context, h san.Handle, c san.Change) (*san.Volume, error) {
	unlock, err := a.volumes.lock(ctx, h.Volume)
	if err != nil {
		return nil, fail("modify volume", h, err)
	}
	defer unlock()
	v, r, err := a.reload(ctx, h)
	if err != nil {
		return nil, fail("modify volume", h, err)
	}
	request := api.ModifyVolumeRequest{VolumeID: v.VolumeID}
	if request.TotalSize, err = a.growth(ctx, v, c); err != nil {
		return nil, fail("modify volume", h, err)
	}
	if err := a.retune(ctx, v, c.QoS, &request); err != nil {
		return nil, fail("modify volume", h, err)
	}
	if r, err = renote(v, r, c.Note, &request); err != nil {
		return nil, fail("modify volume", h, err)
	}
	if request.TotalSize != 0 || request.QoS != nil || request.QoSPolicyID != 0 || request.Attributes != nil || a.blind(v, r) {
		if v, err = a.change(ctx, v, r, request); err != nil {
			return nil, fail("modify volume", h, err)
		}
	}
	return a.describe(ctx, v, r)
}

// growth is the size to grow to, in bytes; 0 = none.
func (a *Array) growth(ctx context.Context, v api.Volume, c san.Change) (int64, error) {
	if c.SizeBytes < 0 || c.LimitBytes < 0 {
		return 0, fmt.Errorf("size of %d to %d bytes: must not be negative: %w", c.SizeBytes, c.LimitBytes, san.ErrInvalid)
	}
	if c.LimitBytes != 0 && v.TotalSize > c.LimitBytes {
		return 0, fmt.Errorf("it has %d bytes already, the limit is %d: %w", v.TotalSize, c.LimitBytes, san.ErrOutOfRange)
	}
	if c.SizeBytes <= v.TotalSize {
		return 0, nil
	}
	return a.roundSize(ctx, c.SizeBytes, c.LimitBytes)
}

// retune puts the change of QoS into the request, if there is one to make.
func (a *Array) retune(ctx context.Context, v api.Volume, q *san.QoS, request *api.ModifyVolumeRequest) error {
	if q == nil || *q == (san.QoS{}) {
		return nil
	}
	if q.Policy == "" {
		// What is not given stays as it is, so the order is checked against that.
		merged := qos.Values{
			Min:   cmp.Or(q.Values.Min, v.QoS.MinIOPS),
			Max:   cmp.Or(q.Values.Max, v.QoS.MaxIOPS),
			Burst: cmp.Or(q.Values.Burst, v.QoS.BurstIOPS),
		}
		q = &san.QoS{Values: merged}
	}
	s, err := a.resolveQoS(ctx, *q)
	if err != nil || s.fits(v) {
		return err
	}
	request.QoS, request.QoSPolicyID, request.AssociateWithQoSPolicy = s.wire()
	return nil
}

// renote puts the change of the note into the request, if there is one to make.
func renote(v api.Volume, r record, note *string, request *api.ModifyVolumeRequest) (record, error) {
	if note == nil || *note == r.note {
		return r, nil
	}
	if len(*note) > san.NoteLength {
		return r, fmt.Errorf("note of %d bytes: must be at most %d: %w", len(*note), san.NoteLength, san.ErrInvalid)
	}
	r.note = *note
	attributes, err := r.attributes(v.Name)
	request.Attributes = attributes
	return r, err
}
