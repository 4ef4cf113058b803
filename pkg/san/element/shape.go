package element

import (
	"cmp"
	"context"
	"fmt"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

// shape is a QoS as the array is asked for it: a policy, or values with every
// member filled, or neither.
type shape struct {
	policy   int64
	name     string // the policy's
	asked    qos.Values
	resolved api.QoS
}

// resolveQoS checks a QoS and fills what it leaves out from the array's
// defaults, moved where the given members would be out of order with them.
func (a *Array) resolveQoS(ctx context.Context, q san.QoS) (shape, error) {
	if q.Policy != "" {
		if q.Values != (qos.Values{}) {
			return shape{}, fmt.Errorf("qos policy %q together with values %+v: one or the other: %w", q.Policy, q.Values, san.ErrInvalid)
		}
		p, err := a.policy(ctx, q.Policy)
		return shape{policy: p.ID, name: p.Name, resolved: p.QoS}, err
	}
	if q.Values == (qos.Values{}) {
		return shape{}, nil
	}
	limits, err := a.Limits(ctx)
	if err != nil {
		return shape{}, err
	}
	if err := checkValues(q.Values, limits.QoS); err != nil {
		return shape{}, err
	}
	defaults, err := a.defaultQoS(ctx)
	if err != nil {
		return shape{}, err
	}
	return shape{asked: q.Values, resolved: fill(q.Values, defaults)}, nil
}

// defaultQoS is what a volume gets that asks for nothing.
func (a *Array) defaultQoS(ctx context.Context) (api.QoS, error) {
	q, err := a.defaults.get(ctx, a.clock, a.client.GetDefaultQoS)
	if err != nil {
		return q, fail("read default QoS of array", a.client.Endpoint(), err)
	}
	return q, nil
}

func fill(v qos.Values, defaults api.QoS) api.QoS {
	burst := cmp.Or(v.Burst, max(defaults.BurstIOPS, v.Max, v.Min))
	ceiling := cmp.Or(v.Max, min(max(defaults.MaxIOPS, v.Min), burst))
	return api.QoS{MinIOPS: cmp.Or(v.Min, min(defaults.MinIOPS, ceiling)), MaxIOPS: ceiling, BurstIOPS: burst}
}

// checkValues finds what the array would refuse, to say which member it is.
func checkValues(v qos.Values, l qos.Limits) error {
	for _, m := range []struct {
		name  string
		value int64
		limit qos.Range
	}{{qos.KeyMin, v.Min, l.Min}, {qos.KeyMax, v.Max, l.Max}, {qos.KeyBurst, v.Burst, l.Burst}} {
		if m.value != 0 && (m.value < m.limit.Low || m.value > m.limit.High) {
			return fmt.Errorf("%s %d: this array takes %d to %d: %w", m.name, m.value, m.limit.Low, m.limit.High, san.ErrInvalid)
		}
	}
	if v.Min != 0 && v.Max != 0 && v.Min > v.Max || v.Max != 0 && v.Burst != 0 && v.Max > v.Burst ||
		v.Min != 0 && v.Burst != 0 && v.Min > v.Burst {
		return fmt.Errorf("minIOPS %d, maxIOPS %d, burstIOPS %d: must not fall from one to the next: %w", v.Min, v.Max, v.Burst, san.ErrInvalid)
	}
	return nil
}

// policy finds a policy by name. A name that is not remembered is looked for
// once more, since it may be new.
func (a *Array) policy(ctx context.Context, name string) (api.QoSPolicy, error) {
	for _, fresh := range []bool{false, true} {
		if fresh {
			a.policies.drop()
		}
		policies, err := a.policies.get(ctx, a.clock, a.client.ListQoSPolicies)
		if err != nil {
			return api.QoSPolicy{}, fail("list QoS policies of array", a.client.Endpoint(), err)
		}
		for _, p := range policies {
			if p.Name == name {
				return p, nil
			}
		}
	}
	return api.QoSPolicy{}, fmt.Errorf("qos policy %q: the array has none of that name: %w", name, san.ErrInvalid)
}

// wire is the shape as requests carry it.
func (s shape) wire() (values *api.QoS, policy int64, associate *bool) {
	if s.policy != 0 {
		return nil, s.policy, new(true)
	}
	if s.asked == (qos.Values{}) {
		return nil, 0, nil
	}
	return &s.resolved, 0, nil
}

// fits tells whether a volume has the shape in the members that were asked for.
func (s shape) fits(v api.Volume) bool {
	if s.policy != 0 || v.QoSPolicyID != nil && s.asked != (qos.Values{}) {
		return v.QoSPolicyID != nil && *v.QoSPolicyID == s.policy
	}
	same := func(asked, have int64) bool { return asked == 0 || asked == have }
	return same(s.asked.Min, v.QoS.MinIOPS) && same(s.asked.Max, v.QoS.MaxIOPS) && same(s.asked.Burst, v.QoS.BurstIOPS)
}

func (s shape) String() string {
	if s.policy != 0 {
		return fmt.Sprintf("policy %q", s.name)
	}
	return fmt.Sprintf("min %d, max %d, burst %d (0 = any)", s.asked.Min, s.asked.Max, s.asked.Burst)
}

// checkRequest gives the size to make, in bytes.
func (a *Array) checkRequest(ctx context.Context, req san.CreateRequest) (int64, error) {
	if req.Name == "" || len(req.Name) > maxNameBytes {
		return 0, fmt.Errorf("name of %d bytes: must be 1 to %d: %w", len(req.Name), maxNameBytes, san.ErrInvalid)
	}
	if c := req.Owner.Cluster; c != "" && c != a.config.Cluster {
		return 0, fmt.Errorf("owner cluster %q: this driver serves %q: %w", c, a.config.Cluster, san.ErrInvalid)
	}
	if len(req.Note) > san.NoteLength {
		return 0, fmt.Errorf("note of %d bytes: must be at most %d: %w", len(req.Note), san.NoteLength, san.ErrInvalid)
	}
	if req.SizeBytes <= 0 {
		return 0, fmt.Errorf("size of %d bytes: must be positive: %w", req.SizeBytes, san.ErrInvalid)
	}
	return a.roundSize(ctx, req.SizeBytes, req.LimitBytes)
}

// roundSize is the least size of the array that holds size bytes.
func (a *Array) roundSize(ctx context.Context, size, limit int64) (int64, error) {
	if limit < 0 {
		return 0, fmt.Errorf("size limit of %d bytes: must not be negative: %w", limit, san.ErrInvalid)
	}
	l, err := a.Limits(ctx)
	if err != nil {
		return 0, err
	}
	if size > l.MaxSizeBytes {
		return 0, fmt.Errorf("size of %d bytes: this array makes at most %d: %w", size, l.MaxSizeBytes, san.ErrOutOfRange)
	}
	rounded := (max(size, l.MinSizeBytes) + sizeStep - 1) / sizeStep * sizeStep
	if rounded > l.MaxSizeBytes || limit != 0 && rounded > limit {
		return 0, fmt.Errorf("size of %d bytes: this array would make it %d (steps of %d, least %d, most %d), the limit is %d: %w",
			size, rounded, sizeStep, l.MinSizeBytes, l.MaxSizeBytes, limit, san.ErrOutOfRange)
	}
	return rounded, nil
}

// checkShape compares a volume that was handed out before with what is asked for.
func checkShape(v api.Volume, r record, req san.CreateRequest, s shape) error {
	if v.TotalSize < req.SizeBytes || req.LimitBytes != 0 && v.TotalSize > req.LimitBytes {
		return fmt.Errorf("volume %d has that name and %d bytes, asked for are %d to %d (0 = no limit): %w",
			v.VolumeID, v.TotalSize, req.SizeBytes, req.LimitBytes, san.ErrExists)
	}
	if !fromSource(r.source, req.Source) {
		return fmt.Errorf("volume %d has that name and is made of %q, asked for is %s (nothing = empty): %w",
			v.VolumeID, r.source, describeSource(req.Source), san.ErrExists)
	}
	if !s.fits(v) {
		var policy int64
		if v.QoSPolicyID != nil {
			policy = *v.QoSPolicyID
		}
		return fmt.Errorf("volume %d has that name and QoS min %d, max %d, burst %d (policy id %d), asked for is %s: %w",
			v.VolumeID, v.QoS.MinIOPS, v.QoS.MaxIOPS, v.QoS.BurstIOPS, policy, s, san.ErrExists)
	}
	return nil
}
