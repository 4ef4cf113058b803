package store

import "time"

// The kinds of jobs.
const (
	JobClone = "clone" // new volumes become usable
	JobCopy  = "copy"  // volumes get the content of others
)

// Job is the record of work that goes on after its call was answered: what has
// ended stays until its result was read.
type Job struct {
	ID      int64
	Kind    string
	Group   bool // one call for several volumes
	Members []JobMember
	Created time.Time
	Updated time.Time
	Done    bool
	Failure string // error name, "" = none
	Message string
}

// JobMember is one volume of a job and where its content comes from.
type JobMember struct {
	Source   int64 // volume
	Snapshot int64 // of Source, 0 = the volume itself
	Volume   int64 // that is made or overwritten
}

// Jobs is the table of jobs.
func (t *Tx) Jobs() Table[Job] { return table[Job](t, bucketJobs, "job") }

// AddJob stores a new job under a new id.
func (t *Tx) AddJob(j Job) (Job, error) {
	var err error
	if j.ID, err = t.Jobs().next(); err != nil {
		return j, err
	}
	return j, t.PutJob(j)
}

// PutJob replaces a job.
func (t *Tx) PutJob(j Job) error { return t.Jobs().put(j.ID, j) }

// RemoveJob forgets a job.
func (t *Tx) RemoveJob(id int64) error { return t.Jobs().remove(id) }
