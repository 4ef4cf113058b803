package element

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

// pageSize is how many volumes or groups one listing call asks for.
const pageSize = 500

// Get resolves a handle.
func (a *Array) Get(ctx context.Context, h san.Handle) (*san.Volume, error) {
	v, r, err := a.load(ctx, h)
	if err != nil {
		return nil, fail("get volume", h, err)
	}
	return a.describe(ctx, v, r)
}

// load reads the volume of a handle: an active one that was handed out to this
// cluster, or that nobody marked.
func (a *Array) load(ctx context.Context, h san.Handle) (api.Volume, record, error) {
	v, err := a.find(ctx, h)
	if err != nil {
		return v, record{}, err
	}
	if v.Status == api.StatusDeleted {
		return v, record{}, fmt.Errorf("volume %d is deleted: %w", v.VolumeID, san.ErrNotFound)
	}
	r, err := a.read(v)
	if err == nil && r.pending() {
		err = fmt.Errorf("volume %d was never handed out: %w", v.VolumeID, san.ErrNotFound)
	}
	return v, r, err
}

// find reads the volume of a handle, active or deleted, whoever's it is.
func (a *Array) find(ctx context.Context, h san.Handle) (api.Volume, error) {
	if err := a.isThis(ctx, h.Array); err != nil {
		return api.Volume{}, err
	}
	v, err := a.looks.do(ctx, none{}, h.Volume)
	if err != nil {
		return api.Volume{}, err
	}
	if v == nil {
		return api.Volume{}, fmt.Errorf("the array has no volume %d: %w", h.Volume, san.ErrNotFound)
	}
	if have := uuidPart(*v); h.UUID != "" && have != h.UUID {
		return api.Volume{}, fmt.Errorf("volume %d is another one now, its UUID begins %q: %w", h.Volume, have, san.ErrNotFound)
	}
	return *v, nil
}

// lookAll reads the volumes of those numbers.
func (a *Array) lookAll(ctx context.Context, _ none, numbers []int64) []answer[*api.Volume] {
	asked := slices.Compact(slices.Sorted(slices.Values(numbers)))
	listed, err := a.client.ListVolumes(ctx, api.ListVolumesRequest{VolumeIDs: asked})
	answers := same[*api.Volume](len(numbers), nil, err)
	for i, number := range numbers {
		if at := slices.IndexFunc(listed, func(v api.Volume) bool { return v.VolumeID == number }); at >= 0 {
			answers[i].value = &listed[at]
		}
	}
	return answers
}

// read reads the record of a volume; ErrBusy where another cluster owns it.
func (a *Array) read(v api.Volume) (record, error) {
	r, err := readRecord(v)
	if err != nil {
		return r, err
	}
	if c := r.owner.Cluster; c != "" && c != a.config.Cluster {
		return r, fmt.Errorf("volume %d (%s) belongs to cluster %q, this is %q: %w", v.VolumeID, v.Name, c, a.config.Cluster, san.ErrBusy)
	}
	return r, nil
}

// write replaces a volume's attributes. Its caller holds the volume's lock, or
// its name's where it was not handed out yet.
func (a *Array) write(ctx context.Context, v api.Volume, r record) (api.Volume, error) {
	return a.change(ctx, v, r, api.ModifyVolumeRequest{VolumeID: v.VolumeID})
}

// change is ModifyVolume, which also writes the record of a volume of ours under a
// mark of its own, and remembers what the array made of it. Its caller holds the
// same lock as write's.
func (a *Array) change(ctx context.Context, v api.Volume, r record, request api.ModifyVolumeRequest) (api.Volume, error) {
	var err error
	if r.owner.Cluster == a.config.Cluster {
		if request.Attributes, r.mark, err = a.marked(v, r); err != nil {
			return v, err
		}
	}
	ctx, repeated := api.WatchRepeats(ctx)
	changed, err := a.client.ModifyVolume(ctx, request)
	if *repeated || err != nil {
		a.repeated.add(v.VolumeID, a.clock.Now(), lateness)
	}
	if err != nil {
		a.recent.drop(v.VolumeID)
		a.latest.doubt(v.VolumeID)
		return v, err
	}
	now := a.clock.Now()
	a.recent.put(changed, now)
	a.latest.put(changed, r, now)
	return changed, nil
}

// marked are a record's attributes with a new mark, or without one where the
// array would not keep so much.
func (a *Array) marked(v api.Volume, r record) (api.Attributes, string, error) {
	r.mark = a.latest.mark()
	attributes, err := r.attributes(v.Name)
	if errors.Is(err, san.ErrExhausted) {
		r.mark = ""
		attributes, err = r.attributes(v.Name)
	}
	return attributes, r.mark, err
}

// reload is load for whoever holds the volume's lock: it undoes what landed late,
// and remembers the volume.
func (a *Array) reload(ctx context.Context, h san.Handle) (api.Volume, record, error) {
	v, r, err := a.load(ctx, h)
	if err == nil {
		v, r, err = a.mend(ctx, v, r)
	}
	if err != nil {
		a.recent.drop(h.Volume)
		return v, r, err
	}
	a.recent.put(v, a.clock.Now())
	return v, r, nil
}

// recall is the volume of a handle as this process last read or changed it, less
// than age ago. One of which a change was repeated is looked at: an attempt may
// land late, and the next write would cover that up.
func (a *Array) recall(ctx context.Context, h san.Handle, age time.Duration) (api.Volume, record, bool) {
	v, ok := a.recent.get(h.Volume, a.clock.Now(), age)
	if !ok || a.repeated.has(h.Volume, a.clock.Now(), lateness) || v.Status != api.StatusActive || h.UUID != "" && uuidPart(v) != h.UUID || a.isThis(ctx, h.Array) != nil {
		return v, record{}, false
	}
	r, err := a.read(v)
	return v, r, err == nil && !r.pending()
}

// isThis is ErrNotFound where a handle is of another array.
func (a *Array) isThis(ctx context.Context, array string) error {
	id, err := a.Identity(ctx)
	if err == nil && array != id.UniqueID {
		err = fmt.Errorf("this is array %q: %w", id.UniqueID, san.ErrNotFound)
	}
	return err
}

func uuidPart(v api.Volume) string { return shortUUID(v.VolumeUUID) }

// shortUUID is the part of a UUID that a handle holds.
func shortUUID(uuid string) string { return strings.ToLower(uuid[:min(len(uuid), 8)]) }

// describe is the volume as the controller sees it.
func (a *Array) describe(ctx context.Context, v api.Volume, r record) (*san.Volume, error) {
	id, err := a.Identity(ctx)
	if err != nil {
		return nil, err
	}
	name, err := a.policyName(ctx, v)
	if err != nil {
		return nil, err
	}
	created, _ := time.Parse(time.RFC3339, v.CreateTime) // zero where it cannot be read
	return &san.Volume{
		Handle: san.Handle{Array: id.UniqueID, Volume: v.VolumeID, UUID: uuidPart(v)},
		Name:   r.name, SizeBytes: v.TotalSize,
		QoS:    qos.Values{Min: v.QoS.MinIOPS, Max: v.QoS.MaxIOPS, Burst: v.QoS.BurstIOPS},
		Policy: name, NAA: strings.ToLower(v.NAA), Owner: r.owner, Note: r.note,
		Blank: r.blank, Imported: r.state == stateImported || r.owner.Cluster == "", Created: created, Nodes: r.nodes(), Fault: faultOf(v, r),
	}, nil
}

// faultOf says why nobody can use a volume: its access on the array. A fence of
// ours that is under way is none.
func faultOf(v api.Volume, r record) string {
	if v.Access == api.AccessReadWrite || v.Access == api.AccessReadOnly || r.fence != nil {
		return ""
	}
	return fmt.Sprintf("its access on the array is %q", v.Access)
}

// policyName is the name of a volume's policy, "" where it has none. One that
// was deleted since is told by its id.
func (a *Array) policyName(ctx context.Context, v api.Volume) (string, error) {
	if v.QoSPolicyID == nil || *v.QoSPolicyID == 0 {
		return "", nil
	}
	policies, err := a.policies.get(ctx, a.clock, a.client.ListQoSPolicies)
	if err != nil {
		return "", fail("list QoS policies of array", a.client.Endpoint(), err)
	}
	for _, p := range policies {
		if p.ID == *v.QoSPolicyID {
			return p.Name, nil
		}
	}
	return "#" + strconv.FormatInt(*v.QoSPolicyID, 10), nil
}

// List returns this cluster's volumes in the order of their ids; a place to go
// on from is an id. A limit of 0 is none.
func (a *Array) List(ctx context.Context, start string, limit int) ([]san.Volume, string, error) {
	first, err := startOf(start)
	if err != nil {
		return nil, "", fmt.Errorf("list volumes: %w", err)
	}
	if limit < 0 {
		return nil, "", fmt.Errorf("list volumes: limit %d must not be negative: %w", limit, san.ErrInvalid)
	}
	var listed []san.Volume
	var next string
	err = a.each(ctx, first, func(v api.Volume) (bool, error) {
		r, err := readRecord(v)
		if err != nil || r.owner.Cluster != a.config.Cluster || r.pending() {
			return true, nil //nolint:nilerr // not ours to tell of
		}
		if limit > 0 && len(listed) == limit {
			next = strconv.FormatInt(v.VolumeID, 10)
			return false, nil
		}
		described, err := a.describe(ctx, v, r)
		if err != nil {
			return false, err
		}
		listed = append(listed, *described)
		return true, nil
	})
	if err != nil {
		return nil, "", fail("list volumes from", first, err)
	}
	return listed, next, nil
}

// startOf is the id that a place to go on from names.
func startOf(place string) (int64, error) {
	if place == "" {
		return 1, nil
	}
	n, err := strconv.ParseInt(place, 10, 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("%.64q is not a place that a list named: %w", place, san.ErrInvalid)
	}
	return n, nil
}

// each visits the active volumes of the array from an id on, until visit says
// that it has enough. Classes may name accounts, so none is left out.
func (a *Array) each(ctx context.Context, first int64, visit func(api.Volume) (more bool, err error)) error {
	return a.pages(ctx, api.ListVolumesRequest{StartVolumeID: first, VolumeStatus: api.StatusActive}, func(v api.Volume) (bool, error) {
		if v.Status != api.StatusActive {
			return true, nil
		}
		return visit(v)
	})
}

// pages visits the volumes of a list, page by page.
func (a *Array) pages(ctx context.Context, request api.ListVolumesRequest, visit func(api.Volume) (more bool, err error)) error {
	for request.Limit = pageSize; ; {
		page, err := a.client.ListVolumes(ctx, request)
		if err != nil {
			return err
		}
		for _, v := range page {
			if more, err := visit(v); err != nil || !more {
				return err
			}
		}
		if len(page) < pageSize {
			return nil
		}
		request.StartVolumeID = page[len(page)-1].VolumeID + 1
	}
}
