package store

import (
	"errors"
	"maps"
	"slices"
)

func (m *model) create(t *Tx) error {
	if len(m.volumes) >= modelMax {
		return nil
	}
	size := m.size()
	v, err := addModelVolume(t, size)
	m.tx = func() { m.volumes[v.ID] = &modelVolume{sectors: zeroes(size)} }
	return err
}

func addModelVolume(t *Tx, size int64) (Volume, error) {
	a, err := modelAccount(t)
	if err != nil {
		return Volume{}, err
	}
	return t.AddVolume(Volume{Name: "v", AccountID: a.ID, Size: size, Access: ReadWrite})
}

func modelAccount(t *Tx) (Account, error) {
	a, err := t.AccountNamed("a")
	if errors.Is(err, ErrNotFound) {
		return t.AddAccount(Account{Username: "a"})
	}
	return a, err
}

func (m *model) snapshot(t *Tx, volume int64) error {
	if len(m.snapshots) >= modelKept {
		return m.removeSnapshot(t)
	}
	s, err := t.AddSnapshot(Snapshot{VolumeID: volume, Name: "s"})
	m.tx = func() { m.keep(s.ID, volume) }
	return err
}

// keep notes a snapshot. One that was acknowledged is durable.
func (m *model) keep(id, volume int64) {
	v := m.volumes[volume]
	if m.told {
		settleSectors(v.sectors)
	}
	m.snapshots[id] = &modelSnapshot{volume: volume, sectors: slices.Clone(v.sectors)}
}

func (m *model) copySnapshot(t *Tx) error {
	id, ok := pick(m, m.snapshots)
	if !ok {
		return nil
	}
	s, err := t.CopySnapshot(id, Snapshot{Name: "copy"})
	m.tx = func() {
		of := m.snapshots[id]
		m.snapshots[s.ID] = &modelSnapshot{volume: of.volume, sectors: slices.Clone(of.sectors)}
	}
	return err
}

func (m *model) removeSnapshot(t *Tx) error {
	id, ok := pick(m, m.snapshots)
	if !ok {
		return nil
	}
	m.tx = func() { delete(m.snapshots, id) }
	return t.RemoveSnapshot(id)
}

func (m *model) rollback(t *Tx) error {
	id, ok := pick(m, m.snapshots)
	if !ok {
		return nil
	}
	volume := m.snapshots[id].volume
	saved := int64(0)
	if m.r.IntN(2) == 0 {
		s, err := t.AddSnapshot(Snapshot{VolumeID: volume, Name: "saved"})
		if err != nil {
			return err
		}
		saved = s.ID
	}
	m.tx = func() {
		if saved != 0 {
			m.keep(saved, volume)
		}
		v := m.volumes[volume]
		v.sectors = resized(m.snapshots[id].sectors, int64(len(v.sectors))*simSector)
	}
	return t.Rollback(id)
}

func (m *model) clone(t *Tx, volume int64) error {
	if len(m.volumes) >= modelMax {
		return nil
	}
	of, snapshot := m.volumes[volume].sectors, int64(0)
	if id, ok := pick(m, m.snapshots); ok && m.r.IntN(2) == 0 {
		volume, snapshot, of = m.snapshots[id].volume, id, m.snapshots[id].sectors
	}
	a, err := modelAccount(t)
	if err != nil {
		return err
	}
	size := m.size()
	v, err := t.AddClone(Volume{Name: "c", AccountID: a.ID, Size: size, Access: ReadWrite}, volume, snapshot)
	m.tx = func() { m.volumes[v.ID] = &modelVolume{sectors: resized(of, size)} }
	return err
}

func (m *model) copyVolume(t *Tx, volume int64) error {
	to, _ := pick(m, m.volumes)
	m.tx = func() {
		v := m.volumes[to]
		v.sectors = resized(m.volumes[volume].sectors, int64(len(v.sectors))*simSector)
	}
	return t.CopyVolume(to, volume, 0)
}

func (m *model) grow(t *Tx, volume int64) error {
	v, err := t.Volumes().Get(volume)
	if err != nil || v.Size >= 8*modelStep {
		return err
	}
	v.Size += modelStep
	m.tx = func() { m.volumes[volume].sectors = resized(m.volumes[volume].sectors, v.Size) }
	return t.PutVolume(v)
}

func (m *model) groupSnapshot(t *Tx) error {
	if id, ok := pick(m, m.groups); ok && m.r.IntN(2) == 0 {
		if _, err := t.GroupSnapshots().Get(id); err == nil {
			members := m.groups[id]
			m.tx = func() {
				delete(m.groups, id)
				for _, s := range members {
					delete(m.snapshots, s)
				}
			}
			return t.RemoveGroupSnapshot(id, false)
		}
	}
	var members []Snapshot
	for _, id := range slices.Sorted(maps.Keys(m.volumes)) {
		members = append(members, Snapshot{VolumeID: id})
	}
	g, members, err := t.AddGroupSnapshot(GroupSnapshot{Name: "g"}, members)
	m.tx = func() {
		m.groups[g.ID] = g.Members
		for _, s := range members {
			m.keep(s.ID, s.VolumeID)
		}
	}
	return err
}

func (m *model) purge(t *Tx, volume int64) error {
	m.tx = func() {
		if d := m.volumes[volume].disk; d != nil {
			if err := d.Close(); err != nil && !errors.Is(err, errDead) {
				m.t.Error(err)
			}
		}
		delete(m.volumes, volume)
		maps.DeleteFunc(m.snapshots, func(_ int64, s *modelSnapshot) bool { return s.volume == volume })
	}
	return t.RemoveVolume(volume)
}
