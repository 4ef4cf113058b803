package api

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// The faults that the array raises. They are as old as the last check; clients
// of the real array see them late as well.
const (
	iopsOverProvisioned  = "clusterIOPSAreOverProvisioned"
	blocksFull           = "blockClusterFull"
	provisionedSpaceFull = "provisionedSpaceTooFull"
)

// The severities of faults.
const (
	severityWarning  = "warning"
	severityError    = "error"
	severityCritical = "critical"
)

// provisionedWarning is the percentage of what may be promised from which the
// array warns; no source gives the real one's.
const provisionedWarning = 90

// faultsKept bounds the faults of the past that are remembered.
const faultsKept = 100

// conditions are the faults there are at this moment.
func (c *call) conditions(f fullness) ([]store.Fault, error) {
	totals, err := c.tx.Totals()
	if err != nil {
		return nil, err
	}
	var found []store.Fault
	if totals.MinIOPS > c.config.TotalIOPS {
		found = append(found, store.Fault{Code: iopsOverProvisioned, Severity: c.config.Dialect.floorsSeverity(), Details: fmt.Sprintf(
			"The sum of all minimum IOPS, %d, is greater than the expected IOPS of the cluster, %d.", totals.MinIOPS, c.config.TotalIOPS)})
	}
	if limit := f.maxOverProvisionable(); totals.Provisioned >= limit/100*provisionedWarning {
		severity := severityWarning
		if totals.Provisioned >= limit {
			severity = severityError
		}
		found = append(found, store.Fault{Code: provisionedSpaceFull, Severity: severity, Details: fmt.Sprintf(
			"%d bytes are provisioned of %d that may be.", totals.Provisioned, limit)})
	}
	severity := map[int]string{stageLow: severityWarning, stageCritical: severityError, stageConsumed: severityCritical}
	if s := severity[f.stage()]; s != "" {
		found = append(found, store.Fault{Code: blocksFull, Severity: s, Details: fmt.Sprintf(
			"The block space is at %s: %d of %d bytes are used.", stageName(f.stage()), f.used, f.max)})
	}
	return found, nil
}

// faultChanges are the records that change where the conditions are these:
// faults that are over, that read differently, and new ones without an id.
func (c *call) faultChanges(conditions []store.Fault) ([]store.Fault, error) {
	var changes []store.Fault
	for f, err := range c.tx.Faults().From(0) {
		if err != nil {
			return nil, err
		}
		if !f.Open() {
			continue
		}
		same := func(o store.Fault) bool { return o.Code == f.Code && o.Severity == f.Severity }
		at := slices.IndexFunc(conditions, same)
		if at < 0 {
			f.Resolved = c.config.Clock.Now().UTC()
			changes = append(changes, f)
			continue
		}
		if details := conditions[at].Details; details != f.Details {
			f.Details = details
			changes = append(changes, f)
		}
		conditions = slices.Delete(conditions, at, at+1)
	}
	for _, f := range conditions {
		f.Raised = c.config.Clock.Now().UTC()
		changes = append(changes, f)
	}
	return changes, nil
}

// CheckFaults raises and resolves faults, and tells the data side how full the
// array is.
func (s *Server) CheckFaults(ctx context.Context) error {
	c := s.newCall(ctx)
	space, err := c.fullness()
	if err != nil {
		return err
	}
	s.config.Data.Squeeze(space.squeeze())
	s.config.Data.SetFull(space.stage() == stageConsumed)
	var changes []store.Fault
	compare := func(tx *store.Tx) error {
		c.tx = tx
		conditions, err := c.conditions(space)
		if err != nil {
			return err
		}
		changes, err = c.faultChanges(conditions)
		return err
	}
	if err := s.config.Store.View(compare); err != nil || len(changes) == 0 {
		return err
	}
	return s.config.Store.Update(func(tx *store.Tx) error {
		if err := compare(tx); err != nil {
			return err
		}
		return c.putFaults(changes)
	})
}

func (c *call) putFaults(changes []store.Fault) error {
	for _, f := range changes {
		klog.FromContext(c.ctx).Info("Cluster fault", "code", f.Code, "severity", f.Severity, "resolved", !f.Open(), "details", f.Details)
		if err := c.tx.PutFault(f); err != nil {
			return err
		}
	}
	return c.forgetFaults()
}

// forgetFaults keeps the past from growing.
func (c *call) forgetFaults() error {
	var past []int64
	for f, err := range c.tx.Faults().From(0) {
		if err != nil {
			return err
		}
		if !f.Open() {
			past = append(past, f.ID)
		}
	}
	for _, id := range past[:max(0, len(past)-faultsKept)] {
		if err := c.tx.RemoveFault(id); err != nil {
			return err
		}
	}
	return nil
}
