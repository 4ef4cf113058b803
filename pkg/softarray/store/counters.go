package store

// Counters are a volume's I/O since it was made. They only go up.
type Counters struct {
	ReadOps, WriteOps               int64
	ReadBytes, WriteBytes           int64
	ReadMicros, WriteMicros         int64 // from their arrival to their end
	UnalignedReads, UnalignedWrites int64 // not a multiple of 4 KiB
	Cost                            int64 // by the curve: 100 = one I/O of 4 KiB
}

// Sub is what was counted since before.
func (c Counters) Sub(before Counters) Counters {
	return Counters{
		ReadOps: c.ReadOps - before.ReadOps, WriteOps: c.WriteOps - before.WriteOps,
		ReadBytes: c.ReadBytes - before.ReadBytes, WriteBytes: c.WriteBytes - before.WriteBytes,
		ReadMicros: c.ReadMicros - before.ReadMicros, WriteMicros: c.WriteMicros - before.WriteMicros,
		UnalignedReads: c.UnalignedReads - before.UnalignedReads, UnalignedWrites: c.UnalignedWrites - before.UnalignedWrites,
		Cost: c.Cost - before.Cost,
	}
}

// Add is the sum of both.
func (c Counters) Add(o Counters) Counters { return c.Sub(Counters{}.Sub(o)) }

// Counters are the totals by volume, as last saved.
func (t *Tx) Counters() Table[Counters] {
	return table[Counters](t, bucketCounters, "counters of volume")
}

// PutCounters saves a volume's totals; those of a volume that is gone are dropped.
func (t *Tx) PutCounters(volume int64, c Counters) error {
	if t.tx.Bucket(bucketVolumes).Get(key(volume)) == nil {
		return nil
	}
	return t.Counters().put(volume, c)
}
