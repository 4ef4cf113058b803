package api

// admitted runs a change and, where the array is strict, gives it up if it
// would raise the sum of the floors over what the array can do. The real one is
// not strict: it serves such volumes and raises a fault. Deleted volumes count
// until they are purged, so that a restore cannot be refused.
func (c *call) admitted(change func() error) error {
	if !c.config.StrictAdmission {
		return change()
	}
	before, err := c.tx.Totals()
	if err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	after, err := c.tx.Totals()
	if err != nil {
		return err
	}
	if after.MinIOPS > before.MinIOPS && after.MinIOPS > c.config.TotalIOPS {
		return failf(exceededLimit, "the sum of all minIOPS would be %d, %d more than now: the array can do %d",
			after.MinIOPS, after.MinIOPS-before.MinIOPS, c.config.TotalIOPS)
	}
	return nil
}
