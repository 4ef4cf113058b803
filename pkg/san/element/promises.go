package element

import (
	"context"
	"slices"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

// Promises are what the volumes of the array hold, active and deleted, of every
// account and owner. A volume whose marks cannot be read holds its floor all the
// same.
func (a *Array) Promises(ctx context.Context) ([]san.Promise, error) {
	if _, err := a.Identity(ctx); err != nil {
		return nil, err
	}
	var promises []san.Promise
	err := a.pages(ctx, api.ListVolumesRequest{}, func(v api.Volume) (bool, error) {
		promises = append(promises, a.promiseOf(v))
		return true, nil
	})
	if err != nil {
		return nil, fail("list volumes of array", a.client.Endpoint(), err)
	}
	return promises, nil
}

// promiseOf counts a floor that a late call has put back as what it will be mended
// to, where that is more.
func (a *Array) promiseOf(v api.Volume) san.Promise {
	p := san.Promise{
		Volume: v.VolumeID, Name: v.Name, SizeBytes: v.TotalSize, Claimed: true, Deleted: v.Status == api.StatusDeleted,
		QoS: qos.Values{Min: v.QoS.MinIOPS, Max: v.QoS.MaxIOPS, Burst: v.QoS.BurstIOPS},
	}
	if r, err := readRecord(v); err == nil {
		p.Owner, p.Name, p.Claimed, p.Nodes = r.owner, r.name, !r.pending(), len(r.grants)
		if w, late := a.latest.overtaken(v, r, a.clock.Now()); late {
			p.QoS.Min = max(p.QoS.Min, w.qos.MinIOPS)
		}
	}
	return p
}

// InForce is the QoS with what it leaves out filled in.
func (a *Array) InForce(ctx context.Context, q san.QoS) (qos.Values, error) {
	s, err := a.resolveQoS(ctx, q)
	if err == nil && q == (san.QoS{}) {
		s.resolved, err = a.defaultQoS(ctx)
	}
	return qos.Values{Min: s.resolved.MinIOPS, Max: s.resolved.MaxIOPS, Burst: s.resolved.BurstIOPS}, err
}

// Usage asks for pages of volumes, like the lists of them.
func (a *Array) Usage(ctx context.Context, volumes []int64) (map[int64]san.Usage, error) {
	usage := make(map[int64]san.Usage, len(volumes))
	for page := range slices.Chunk(volumes, pageSize) {
		stats, err := a.client.ListVolumeStats(ctx, page...)
		if err != nil {
			return nil, fail("read statistics of array", a.client.Endpoint(), err)
		}
		for _, s := range stats {
			usage[s.VolumeID] = san.Usage{ActualIOPS: s.ActualIOPS, Throttle: s.Throttle}
		}
	}
	return usage, nil
}
