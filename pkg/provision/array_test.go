package provision

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

// memory is an array that keeps volumes in memory: enough to see what the flows
// ask for. How a real one behaves is santest's business.
type memory struct {
	san.Snapshots // of what is not called here

	snapshots []san.Snapshot
	group     *san.SnapshotGroup
	sources   []san.Source // of the volumes
	id        string
	health    san.Health
	free      int64 // bytes
	iops      int64
	down      error
	fenceless error // of Revoke
	lost      bool  // the answers of creates
	volumes   []*san.Volume
	keeps     map[san.Handle]bool
	deleted   map[san.Handle]bool // handle -> kept
	barred    map[san.Node]int64
}

func newMemory(id string) *memory {
	return &memory{id: id, free: 1 << 40, iops: 100_000, keeps: map[san.Handle]bool{}, deleted: map[san.Handle]bool{}}
}

func (m *memory) Create(_ context.Context, r san.CreateRequest) (*san.Volume, error) {
	if m.down != nil {
		return nil, m.down
	}
	if m.lost {
		return nil, fmt.Errorf("no answer: %w", san.ErrUnavailable)
	}
	v := &san.Volume{
		Handle: san.Handle{Array: m.id, Volume: int64(len(m.volumes) + 1), UUID: "0a1b2c3d"},
		Name:   r.Name, SizeBytes: r.SizeBytes, QoS: r.QoS.Values, Policy: r.QoS.Policy, Owner: r.Owner, Note: r.Note,
	}
	m.volumes = append(m.volumes, v)
	m.sources = append(m.sources, r.Source)
	m.keeps[v.Handle] = r.Keep
	return v, nil
}

func (m *memory) GetSnapshot(_ context.Context, h san.SnapshotHandle) (*san.Snapshot, error) {
	for _, s := range m.snapshots {
		if s.Handle == h {
			return &s, nil
		}
	}
	return nil, fmt.Errorf("snapshot %s: %w", h, san.ErrNotFound)
}

func (m *memory) ListSnapshots(_ context.Context, q san.SnapshotQuery) ([]san.Snapshot, string, error) {
	if m.down != nil {
		return nil, "", m.down
	}
	from, _ := strconv.Atoi(q.Start)
	var page []san.Snapshot
	for i := from; i < len(m.snapshots); i++ {
		if q.Limit > 0 && len(page) == q.Limit {
			return page, strconv.Itoa(i), nil
		}
		if q.Source == (san.Handle{}) || m.snapshots[i].Source == q.Source {
			page = append(page, m.snapshots[i])
		}
	}
	return page, "", nil
}

func (m *memory) CreateGroup(_ context.Context, r san.GroupRequest) (*san.SnapshotGroup, error) {
	g := &san.SnapshotGroup{Handle: san.GroupHandle{Array: m.id, Group: 1}, Name: r.Name}
	for i, h := range r.Sources {
		g.Members = append(g.Members, san.Snapshot{Handle: san.SnapshotHandle{Array: m.id, Snapshot: int64(i + 1)}, Source: h})
	}
	m.group = g
	return g, nil
}

func (m *memory) GetGroup(context.Context, san.GroupHandle) (*san.SnapshotGroup, error) {
	if m.group == nil {
		return nil, fmt.Errorf("group: %w", san.ErrNotFound)
	}
	return m.group, nil
}

func (m *memory) DeleteGroup(context.Context, san.GroupHandle) error {
	m.group = nil
	return nil
}

func (m *memory) Find(_ context.Context, name, _ string) (*san.Volume, error) {
	for _, v := range m.volumes {
		if v.Name == name {
			return v, m.down
		}
	}
	if m.down != nil {
		return nil, m.down
	}
	return nil, fmt.Errorf("volume %q: %w", name, san.ErrNotFound)
}

func (m *memory) Get(_ context.Context, h san.Handle) (*san.Volume, error) {
	for _, v := range m.volumes {
		if v.Handle == h {
			return v, nil
		}
	}
	return nil, fmt.Errorf("volume %s: %w", h, san.ErrNotFound)
}

func (m *memory) Delete(_ context.Context, h san.Handle) (bool, error) {
	m.deleted[h] = m.keeps[h]
	return !m.keeps[h], nil
}

func (m *memory) Modify(ctx context.Context, h san.Handle, c san.Change) (*san.Volume, error) {
	v, err := m.Get(ctx, h)
	if err != nil {
		return nil, err
	}
	v.SizeBytes = max(v.SizeBytes, c.SizeBytes)
	if c.QoS != nil {
		v.Policy = c.QoS.Policy
		n := c.QoS.Values
		v.QoS = qos.Values{Min: cmp.Or(n.Min, v.QoS.Min), Max: cmp.Or(n.Max, v.QoS.Max), Burst: cmp.Or(n.Burst, v.QoS.Burst)}
	}
	if c.Note != nil {
		v.Note = *c.Note
	}
	return v, nil
}

func (m *memory) List(_ context.Context, start string, limit int) ([]san.Volume, string, error) {
	if m.down != nil {
		return nil, "", m.down
	}
	from, _ := strconv.Atoi(start)
	var page []san.Volume
	for i := from; i < len(m.volumes); i++ {
		if limit > 0 && len(page) == limit {
			return page, strconv.Itoa(i), nil
		}
		page = append(page, *m.volumes[i])
	}
	return page, "", nil
}

func (m *memory) Grant(_ context.Context, h san.Handle, n san.Node, mode san.Mode) (*san.Grant, error) {
	if epoch := m.barred[n]; epoch != 0 {
		return nil, fmt.Errorf("grant: %w", &san.FencedError{Volume: h, Node: n, Epoch: epoch})
	}
	return &san.Grant{IQN: h.String(), ReadOnly: mode.ReadOnly, Epoch: 1}, nil
}

func (m *memory) Revoke(context.Context, san.Handle, san.Node) error {
	return cmp.Or(m.fenceless, m.down)
}

func (m *memory) Barred(_ context.Context, _ san.Handle, n san.Node) (int64, error) {
	return m.barred[n], nil
}

func (m *memory) Confirm(_ context.Context, _ san.Handle, n san.Node, epoch int64) error {
	if m.down == nil && m.barred[n] <= epoch {
		delete(m.barred, n)
	}
	return m.down
}

func (m *memory) Identity(context.Context) (san.Identity, error) {
	return san.Identity{UniqueID: m.id}, m.down
}

func (m *memory) Limits(context.Context) (san.Limits, error) {
	return san.Limits{
		MinSizeBytes: 1_000_000_000, MaxSizeBytes: 1 << 44, SizeStep: 1 << 20,
		QoS: qos.Limits{Min: qos.Range{Low: 50, High: 15000}, Max: qos.Range{Low: 100, High: 200000}, Burst: qos.Range{Low: 100, High: 200000}},
	}, m.down
}

func (m *memory) Capacity(context.Context) (san.Capacity, error) {
	return san.Capacity{BoundBytes: m.free, BlockBytes: m.free, MaxIOPS: m.iops}, m.down
}

func (m *memory) InForce(_ context.Context, q san.QoS) (qos.Values, error) {
	if q.Policy != "" {
		return qos.Values{Min: 500, Max: 5000, Burst: 5000}, m.down
	}
	return qos.Values{Min: cmp.Or(q.Values.Min, 50), Max: cmp.Or(q.Values.Max, 15000), Burst: cmp.Or(q.Values.Burst, 15000)}, m.down
}

func (m *memory) Promises(context.Context) ([]san.Promise, error) {
	var promises []san.Promise
	for _, v := range m.volumes {
		if _, deleted := m.deleted[v.Handle]; !deleted {
			promises = append(promises, san.Promise{Volume: v.Handle.Volume, Owner: v.Owner, Name: v.Name, SizeBytes: v.SizeBytes, QoS: v.QoS, Claimed: true})
		}
	}
	return promises, m.down
}

func (m *memory) Usage(_ context.Context, volumes []int64) (map[int64]san.Usage, error) {
	usage := map[int64]san.Usage{}
	for _, id := range volumes {
		usage[id] = san.Usage{ActualIOPS: id}
	}
	return usage, m.down
}

func (m *memory) Health(context.Context) (san.Health, error) { return m.health, m.down }

func (m *memory) Sweep(context.Context) error { return m.down }

// flows are flows on the arrays "a", "b", ... with the labels site=<name>.
func flows(t *testing.T, arrays ...*memory) *Flows {
	t.Helper()
	var members []placement.Member
	for i, a := range arrays {
		name := string(rune('a' + i))
		members = append(members, placement.Member{Name: name, Labels: map[string]string{"site": name}, Array: a})
	}
	return New(placement.NewFleet("cluster-1", members), "cluster-1")
}
