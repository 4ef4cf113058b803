package store

import "time"

// Fault is something wrong with the array, now or in the past.
type Fault struct {
	ID       int64
	Code     string
	Severity string
	Details  string
	Raised   time.Time
	Resolved time.Time // zero = it is there
}

// Open tells a fault that is there from one of the past.
func (f Fault) Open() bool { return f.Resolved.IsZero() }

// Faults is the table of faults.
func (t *Tx) Faults() Table[Fault] { return table[Fault](t, bucketFaults, "fault") }

// PutFault replaces a fault, or stores a new one under a new id where it has none.
func (t *Tx) PutFault(f Fault) error {
	if f.ID == 0 {
		var err error
		if f.ID, err = t.Faults().next(); err != nil {
			return err
		}
	}
	return t.Faults().put(f.ID, f)
}

// RemoveFault forgets a fault.
func (t *Tx) RemoveFault(id int64) error { return t.Faults().remove(id) }
