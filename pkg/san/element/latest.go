package element

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"k8s.io/klog/v2"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

// lateness is how long a call may be on its way to the array after its caller
// gave it up, or died: for longer than TCP sends again what was not received.
const lateness = 5 * time.Minute

// longestMark is how long a mark may become, bytes.
const longestMark = markDigits + len(".") + 10

// latest is what this process last made of volumes, for lateness. Element has no
// conditional writes: a call that was given up may land after those that were
// made since, and undo them. So each record that is written bears a mark of its
// own, by which a late one is known, and mended.
type latest struct {
	by    string    // of this process, begins its marks
	began time.Time // when it did

	mu     sync.Mutex
	count  int64
	of     map[int64]written
	pruned time.Time
}

// written is a volume as the array answered a change of it.
type written struct {
	at     time.Time
	uuid   string
	record record // has no mark where it is not known what the array has
	qos    api.QoS
	policy int64
	access string
	in     []san.Node // let in by this process since, and not taken out again
}

// mark is a new one.
func (l *latest) mark() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	return l.by + "." + strconv.FormatInt(l.count, 10)
}

// put takes note of a change.
func (l *latest) put(v api.Volume, r record, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.prune(now)
	w := written{at: now, uuid: v.VolumeUUID, record: r, qos: v.QoS, access: v.Access, in: l.of[v.VolumeID].in}
	if v.QoSPolicyID != nil {
		w.policy = *v.QoSPolicyID
	}
	w.record.foreign = nil // others may change it
	l.of[v.VolumeID] = w
}

func (l *latest) prune(now time.Time) {
	if l.of == nil {
		l.of = map[int64]written{}
	}
	if now.Sub(l.pruned) < lateness {
		return
	}
	l.pruned = now
	for id, w := range l.of {
		if now.Sub(w.at) >= lateness {
			delete(l.of, id)
		}
	}
}

// doubt takes note of a change whose outcome is not known.
func (l *latest) doubt(volume int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w, ok := l.of[volume]; ok {
		w.record.mark = ""
		l.of[volume] = w
	}
}

// drop forgets a volume that is gone.
func (l *latest) drop(volume int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.of, volume)
}

// let takes note that a node was let in.
func (l *latest) let(volume int64, n san.Node, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.prune(now)
	w := l.of[volume]
	w.at = now
	if !slices.Contains(w.in, n) {
		w.in = append(slices.Clip(w.in), n)
	}
	l.of[volume] = w
}

// out takes note that a node is about to be taken out.
func (l *latest) out(volume int64, n san.Node) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w, ok := l.of[volume]; ok {
		w.in = slices.DeleteFunc(slices.Clone(w.in), func(in san.Node) bool { return in == n })
		l.of[volume] = w
	}
}

// in are the nodes that this process has let in.
func (l *latest) in(volume int64, now time.Time) []san.Node {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w := l.of[volume]; now.Sub(w.at) < lateness {
		return w.in
	}
	return nil
}

// blind tells whether a call of a process before this one may still land on a
// volume of ours, and would not be known to be late.
func (a *Array) blind(v api.Volume, r record) bool {
	a.latest.mu.Lock()
	defer a.latest.mu.Unlock()
	return r.owner.Cluster != "" && a.clock.Since(a.latest.began) < lateness && a.latest.of[v.VolumeID].record.mark == ""
}

// overtaken is what this process last made of a volume, where the array shows
// what another call made of it.
func (l *latest) overtaken(v api.Volume, r record, now time.Time) (written, bool) {
	l.mu.Lock()
	w := l.of[v.VolumeID]
	l.mu.Unlock()
	late := w.record.mark != "" && now.Sub(w.at) < lateness && w.uuid == v.VolumeUUID &&
		v.Status == api.StatusActive && r.mark != "" && r.mark != w.record.mark && r.owner.Cluster == w.record.owner.Cluster
	return w, late
}

// inUse tells whether a node has a grant that is not in a record, and is let in as
// well: that takes two calls, one after the other's answer. So whoever made them
// lives, and is not undone.
func (a *Array) inUse(ctx context.Context, v api.Volume, r, without record) (bool, error) {
	groups, err := a.groupsOf(ctx, v)
	return slices.ContainsFunc(r.nodes(), func(n san.Node) bool {
		return without.holderOf(n.IQN) < 0 && seated(groups, v.VolumeID, n)
	}), err
}

// mend returns a volume, just read under its lock, as this process last made it:
// what landed late is undone.
func (a *Array) mend(ctx context.Context, v api.Volume, r record) (api.Volume, record, error) {
	w, late := a.latest.overtaken(v, r, a.clock.Now())
	if !late {
		return v, r, nil
	}
	alive, err := a.inUse(ctx, v, r, w.record)
	if err != nil {
		return v, r, err
	}
	if alive {
		a.latest.doubt(v.VolumeID)
		return v, r, nil
	}
	klog.FromContext(ctx).Info("What a call did that was given up, and landed late, is undone", "volumeID", v.VolumeID, "call", r.mark, "latest", w.record.mark)
	w.record.foreign = r.foreign
	request := api.ModifyVolumeRequest{VolumeID: v.VolumeID}
	if v.Access != w.access {
		request.Access = w.access
	}
	switch {
	case w.policy != 0:
		request.QoSPolicyID, request.AssociateWithQoSPolicy = w.policy, new(true)
	case v.QoS != w.qos || v.QoSPolicyID != nil:
		request.QoS = &w.qos
	}
	v, err = a.change(ctx, v, w.record, request)
	return v, w.record, err
}
