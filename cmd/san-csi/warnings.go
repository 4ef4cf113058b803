package main

import (
	"context"
	"fmt"

	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/driver"
	"github.com/san-csi/san-csi/pkg/kube"
	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/san"
)

// warnings tells of what concerns the driver as a whole, in events about the Lease
// if one is held.
func (s *service) warnings(ctx context.Context) func(reason, message string) {
	if s.election == nil {
		return func(string, string) {}
	}
	events, err := kube.NewEvents(ctx, s.client, s.o.lease.namespace, s.o.lease.name, driver.Name)
	if err != nil {
		klog.ErrorS(err, "no events will be told")
		return func(string, string) {}
	}
	return events.Warn
}

// overruns warns of arrays that have promised more than their budget.
func overruns(warn func(reason, message string)) func(placement.Standing) {
	return func(over placement.Standing) {
		warn("BudgetOverrun", fmt.Sprintf("array %q: floors of %d IOPS are promised, the budget is %d; %d bytes are provisioned, the bound is %d",
			over.Array, over.Promised.IOPS, over.Bound.IOPS, over.Promised.Bytes, over.Bound.Bytes))
	}
}

// faults warns of what an array says is wrong with it.
func faults(warn func(reason, message string)) func(string, san.Fault) {
	return func(array string, f san.Fault) {
		klog.InfoS("array has a fault", "array", array, "code", f.Code, "severity", f.Severity, "details", f.Details)
		warn("ArrayFault", fmt.Sprintf("array %q: %s (%s): %.300s", array, f.Code, f.Severity, f.Details))
	}
}
