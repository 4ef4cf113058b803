package api

import (
	"cmp"

	"github.com/google/uuid"

	"github.com/san-csi/san-csi/pkg/softarray/store"
)

func cloneMethods() map[string]method {
	return map[string]method{
		"CloneVolume":          change(cloneVolume, "volumeID", "name"),
		"CloneMultipleVolumes": change(cloneVolumes, "volumes"),
		"CopyVolume":           change(copyVolume, "volumeID", "dstVolumeID"),
		"CancelClone":          change(cancelClone, "cloneID"),
		"CancelGroupClone":     change(cancelGroupClone, "groupCloneID"),
	}
}

// cloneParams is one clone to be made; in a call for several the call's own
// account and access stand in for those that are not given.
type cloneParams struct {
	VolumeID   integer    `json:"volumeID"`
	SnapshotID integer    `json:"snapshotID"`
	Name       string     `json:"name"`
	AccountID  integer    `json:"newAccountID"`
	Size       integer    `json:"newSize"`
	Access     string     `json:"access"`
	Enable512e boolean    `json:"enable512e"`
	Attributes attributes `json:"attributes"`
}

func cloneVolume(c *call, p cloneParams) (any, error) {
	v, err := c.clone(p)
	if err != nil {
		return nil, err
	}
	job, err := c.startJob(store.Job{Kind: store.JobClone, Members: []store.JobMember{member(p, v)}})
	if err != nil {
		return nil, err
	}
	w, err := c.toWireVolume(v)
	return result{"volume": w, "volumeID": v.ID, "cloneID": job.ID, "curve": wireCurve(), "asyncHandle": job.ID}, err
}

func member(p cloneParams, v store.Volume) store.JobMember {
	return store.JobMember{Source: int64(p.VolumeID), Snapshot: int64(p.SnapshotID), Volume: v.ID}
}

// clone stores the new volume with its content; it is usable when its job is
// done. What is not given is the source's, and its QoS and policy are; its
// access groups and the settings of its snapshots are not. Without newSize a
// clone of a snapshot is as large as the volume was then.
func (c *call) clone(p cloneParams) (store.Volume, error) {
	source, err := c.usableVolume(int64(p.VolumeID))
	if err != nil {
		return source, err
	}
	v := store.Volume{
		Name: cmp.Or(p.Name, source.Name), UUID: uuid.NewString(), ConsistencyUUID: uuid.NewString(), Created: c.now,
		Size: source.Size, Access: source.Access, Enable512e: p.Enable512e.or(source.Enable512e),
		QoS: source.QoS, PolicyID: source.PolicyID, Attributes: source.Attributes, Cloning: true,
	}
	if p.SnapshotID != 0 {
		s, err := c.snapshotOf(source.ID, int64(p.SnapshotID))
		if err != nil {
			return v, err
		}
		v.Size = s.Size
	}
	if p.Size != 0 {
		if v.Size, err = volumeSize(int64(p.Size)); err != nil {
			return v, err
		}
	}
	if err := checkVolumeName(v.Name); err != nil {
		return v, err
	}
	if err := p.Attributes.apply(&v.Attributes); err != nil {
		return v, err
	}
	if err := c.setAccess(&v, p.Access); err != nil {
		return v, err
	}
	account, err := c.account(cmp.Or(int64(p.AccountID), source.AccountID))
	if err != nil {
		return v, err
	}
	v.AccountID = account.ID
	if err := c.roomForVolume(account, v.Size); err != nil {
		return v, err
	}
	return c.tx.AddClone(v, source.ID, int64(p.SnapshotID))
}

type clonesParams struct {
	Volumes   []cloneParams `json:"volumes"`
	GroupID   integer       `json:"groupSnapshotID"`
	AccountID integer       `json:"newAccountID"`
	Access    string        `json:"access"`
}

// cloneVolumes makes all clones or none; of a group snapshot, where one is named.
func cloneVolumes(c *call, p clonesParams) (any, error) {
	if err := within("number of volumes", int64(len(p.Volumes)), 1, volumesPerCallMax); err != nil {
		return nil, err
	}
	from, err := c.groupSources(int64(p.GroupID))
	if err != nil {
		return nil, err
	}
	job := store.Job{Kind: store.JobClone, Group: true}
	for _, one := range p.Volumes {
		if one.VolumeID == 0 {
			return nil, failf(missingParameter, "Missing member=[volumeID]")
		}
		one.AccountID, one.Access = cmp.Or(one.AccountID, p.AccountID), cmp.Or(one.Access, p.Access)
		one.SnapshotID = 0
		if from != nil {
			if one.SnapshotID = from[one.VolumeID]; one.SnapshotID == 0 {
				return nil, failf(invalidParameter, "VolumeID %d has no member in GroupSnapshotID %d", one.VolumeID, p.GroupID)
			}
		}
		v, err := c.clone(one)
		if err != nil {
			return nil, err
		}
		job.Members = append(job.Members, member(one, v))
	}
	if job, err = c.startJob(job); err != nil {
		return nil, err
	}
	return result{"asyncHandle": job.ID, "groupCloneID": job.ID, "members": toWirePairs(job)}, nil
}

// groupSources are the members of a group snapshot by volume; nil where none is named.
func (c *call) groupSources(group int64) (map[integer]integer, error) {
	if group == 0 {
		return nil, nil
	}
	g, err := c.groupSnapshot(group)
	if err != nil {
		return nil, err
	}
	members, err := c.membersOf(g)
	from := map[integer]integer{}
	for _, s := range members {
		from[integer(s.VolumeID)] = integer(s.ID)
	}
	return from, err
}

// wirePair says which volume is the clone of which.
type wirePair struct {
	Source int64 `json:"srcVolumeID"`
	Volume int64 `json:"volumeID"`
}

func toWirePairs(j store.Job) []wirePair {
	out := make([]wirePair, 0, len(j.Members))
	for _, m := range j.Members {
		out = append(out, wirePair{Source: m.Source, Volume: m.Volume})
	}
	return out
}

type copyParams struct {
	VolumeID    integer `json:"volumeID"`
	SnapshotID  integer `json:"snapshotID"`
	Destination integer `json:"dstVolumeID"`
}

// copyVolume overwrites a volume of the same size; all else of it stays. The
// content is the source's at the moment the job gets to it.
func copyVolume(c *call, p copyParams) (any, error) {
	source, err := c.usableVolume(int64(p.VolumeID))
	if err != nil {
		return nil, err
	}
	size := source.Size
	if p.SnapshotID != 0 {
		s, err := c.snapshotOf(source.ID, int64(p.SnapshotID))
		if err != nil {
			return nil, err
		}
		size = s.Size
	}
	to, err := c.usableVolume(int64(p.Destination))
	if err != nil {
		return nil, err
	}
	if to.ID == source.ID {
		return nil, failf(invalidParameter, "VolumeID %d cannot be copied to itself", to.ID)
	}
	if to.Size != size {
		return nil, failf(invalidParameter, "dstVolumeID %d has %d bytes, the source has %d", to.ID, to.Size, size)
	}
	if _, err := c.notFull(); err != nil {
		return nil, err
	}
	job, err := c.startJob(store.Job{Kind: store.JobCopy, Members: []store.JobMember{
		{Source: source.ID, Snapshot: int64(p.SnapshotID), Volume: to.ID},
	}})
	return result{"asyncHandle": job.ID, "cloneID": job.ID}, err
}
