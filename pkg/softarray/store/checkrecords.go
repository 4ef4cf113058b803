package store

import (
	"bytes"
	"slices"
)

func (c *checker) readVolumes() error {
	each(c, c.Volumes(), func(v Volume) {
		c.volumes[v.ID] = v
		c.report.Volumes++
		c.report.ProvisionedBytes += v.Size
	})
	return nil
}

func (c *checker) checkAccounts() error {
	each(c, c.Accounts(), func(a Account) {
		if id := c.tx.Bucket(bucketAccountNames).Get([]byte(a.Username)); !bytes.Equal(id, key(a.ID)) {
			c.problemf("account %d is not found by its name %q", a.ID, a.Username)
		}
		owned := c.VolumesOf(a.ID)
		for _, id := range owned {
			if v, ok := c.volumes[id]; !ok || v.AccountID != a.ID {
				c.problemf("account %d lists volume %d, which is not its own", a.ID, id)
			}
		}
		if int64(len(owned)) != a.VolumeCount {
			c.problemf("account %d lists %d volumes and counts %d", a.ID, len(owned), a.VolumeCount)
		}
	})
	return nil
}

func (c *checker) checkGroups() error {
	each(c, c.Groups(), func(g Group) {
		for _, id := range g.Volumes {
			if v, ok := c.volumes[id]; !ok || !slices.Contains(v.Groups, g.ID) {
				c.problemf("access group %d lists volume %d, which does not know of it", g.ID, id)
			}
			if _, ok := g.LUNs[id]; !ok {
				c.problemf("access group %d has no LUN for volume %d", g.ID, id)
			}
		}
		if len(g.LUNs) != len(g.Volumes) {
			c.problemf("access group %d has %d volumes and %d LUNs", g.ID, len(g.Volumes), len(g.LUNs))
		}
		for _, id := range g.Initiators {
			if i, err := c.Initiators().Get(id); err != nil || i.GroupID != g.ID {
				c.problemf("access group %d lists initiator %d, which does not know of it", g.ID, id)
			}
		}
	})
	return nil
}

func (c *checker) checkInitiators() error {
	each(c, c.Initiators(), func(i Initiator) {
		if id := c.tx.Bucket(bucketInitiatorNames).Get([]byte(i.Name)); !bytes.Equal(id, key(i.ID)) {
			c.problemf("initiator %d is not found by its name %q", i.ID, i.Name)
		}
		if i.GroupID == 0 {
			return
		}
		if g, err := c.Groups().Get(i.GroupID); err != nil || !slices.Contains(g.Initiators, i.ID) {
			c.problemf("initiator %d is in access group %d, which does not know of it", i.ID, i.GroupID)
		}
	})
	return nil
}

func (c *checker) checkVolumes() error {
	var sum Totals
	for id, v := range c.volumes {
		sum.add(v, 1)
		c.uses[string(refKey(v.Layer, layerRef{refVolume, id}))] = true
		if l, ok := c.layers[v.Layer]; !ok || l.Size != v.Size {
			c.problemf("volume %d of %d bytes writes to layer %d, which is not there or has %d bytes", id, v.Size, v.Layer, l.Size)
		}
		if c.tx.Bucket(bucketAccountVolumes).Get(pair(v.AccountID, id)) == nil {
			c.problemf("volume %d is of account %d, which does not know of it", id, v.AccountID)
		}
		for _, group := range v.Groups {
			if g, err := c.Groups().Get(group); err != nil || !slices.Contains(g.Volumes, id) {
				c.problemf("volume %d is in access group %d, which does not know of it", id, group)
			}
		}
		if v.PolicyID != 0 {
			if _, err := c.Policies().Get(v.PolicyID); err != nil {
				c.problemf("volume %d: %v", id, err)
			}
		}
		if listed := c.tx.Bucket(bucketDeleted).Get(key(id)) != nil; listed == v.Active() {
			c.problemf("volume %d: active %v, listed as deleted %v", id, v.Active(), listed)
		}
	}
	if totals, err := c.Totals(); err != nil || totals != sum {
		c.problemf("totals are %+v, %v; the records' are %+v", totals, err, sum)
	}
	return nil
}

func (c *checker) checkSnapshots() error {
	each(c, c.Snapshots(), func(s Snapshot) {
		c.report.Snapshots++
		c.uses[string(refKey(s.Layer, layerRef{refSnapshot, s.ID}))] = true
		if _, ok := c.volumes[s.VolumeID]; !ok {
			c.problemf("snapshot %d is of volume %d, which is not there", s.ID, s.VolumeID)
		}
		if _, ok := c.layers[s.Layer]; !ok {
			c.problemf("snapshot %d shows layer %d, which is not there", s.ID, s.Layer)
		}
		if c.tx.Bucket(bucketVolumeSnapshots).Get(pair(s.VolumeID, s.ID)) == nil {
			c.problemf("snapshot %d is not listed for volume %d", s.ID, s.VolumeID)
		}
		if s.GroupID == 0 {
			return
		}
		if g, err := c.GroupSnapshots().Get(s.GroupID); err != nil || !slices.Contains(g.Members, s.ID) {
			c.problemf("snapshot %d is in group snapshot %d, which does not know of it", s.ID, s.GroupID)
		}
	})
	return nil
}

func (c *checker) checkGroupSnapshots() error {
	each(c, c.GroupSnapshots(), func(g GroupSnapshot) {
		c.report.GroupSnapshots++
		if len(g.Members) == 0 {
			c.problemf("group snapshot %d has no members", g.ID)
		}
		for _, id := range g.Members {
			if s, err := c.Snapshots().Get(id); err != nil || s.GroupID != g.ID {
				c.problemf("group snapshot %d lists snapshot %d, which does not know of it", g.ID, id)
			}
		}
	})
	return nil
}

// checkIndices looks for entries of what is not there; that nothing is missing
// the records' own checks say.
func (c *checker) checkIndices() error {
	c.entries(bucketAccountNames, func(k, v []byte) bool {
		a, err := c.Accounts().Get(idOf(v))
		return err == nil && a.Username == string(k)
	})
	c.entries(bucketInitiatorNames, func(k, v []byte) bool {
		i, err := c.Initiators().Get(idOf(v))
		return err == nil && i.Name == string(k)
	})
	names := 0
	c.entries(bucketVolumeNames, func(k, _ []byte) bool {
		names++
		v, ok := c.volumes[idOf(k[max(0, len(k)-8):])]
		return ok && bytes.Equal(k, nameKey(v))
	})
	if names != len(c.volumes) {
		c.problemf("%d volumes have %d entries by name", len(c.volumes), names)
	}
	c.entries(bucketDeleted, func(k, _ []byte) bool { _, ok := c.volumes[idOf(k)]; return ok })
	c.entries(bucketAccountVolumes, func(k, _ []byte) bool { _, err := c.Accounts().Get(idOf(k)); return err == nil })
	c.entries(bucketCounters, func(k, _ []byte) bool { _, ok := c.volumes[idOf(k)]; return ok })
	c.entries(bucketReservations, func(k, _ []byte) bool { _, ok := c.volumes[idOf(k)]; return ok })
	c.entries(bucketVolumeSnapshots, func(k, _ []byte) bool {
		s, err := c.Snapshots().Get(idOf(k[8:]))
		return err == nil && s.VolumeID == idOf(k)
	})
	return nil
}

func (c *checker) entries(bucket []byte, good func(k, v []byte) bool) {
	cursor := c.tx.Bucket(bucket).Cursor()
	for k, v := cursor.First(); k != nil; k, v = cursor.Next() {
		if !good(k, v) {
			c.problemf("%s: entry %q is of nothing that is there", bucket, k)
		}
	}
}

// checkSequences holds ids against the counters, which must never give one again.
func (c *checker) checkSequences() error {
	for _, name := range [][]byte{
		bucketAccounts, bucketVolumes, bucketGroups, bucketInitiators, bucketPolicies,
		bucketSnapshots, bucketGroupSnapshots, bucketLayers, bucketJobs,
	} {
		b := c.tx.Bucket(name)
		if k, _ := b.Cursor().Last(); k != nil && uint64(idOf(k)) > b.Sequence() {
			c.problemf("%s: id %d is there, and the next would be %d", name, idOf(k), b.Sequence()+1)
		}
	}
	return nil
}
