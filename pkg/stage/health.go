package stage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/san-csi/san-csi/pkg/initiator"
)

// Condition is what is wrong with a volume on this node, or with the node's
// iSCSI.
type Condition struct {
	Reason  string // CamelCase, for machines
	Message string
	Usable  bool // it serves, but not as it should
}

// Health tells what is wrong with a staged volume; nothing where it serves as it
// should. ErrNotFound where it is not staged here.
func (s *Stager) Health(ctx context.Context, volumeID string) ([]Condition, error) {
	if err := needed("volume id", volumeID); err != nil {
		return nil, err
	}
	r, err := s.records.load(volumeID)
	if err == nil && r == nil {
		err = fmt.Errorf("not staged on this node: %w", ErrNotFound)
	}
	if err != nil {
		return nil, failed("health of", volumeID, err)
	}
	live, err := s.iscsi.Mapping(ctx, r.Target.IQN)
	if err != nil {
		return nil, failed("health of", volumeID, err)
	}
	if c := unreached(r, live); c != nil {
		return []Condition{*c}, nil
	}
	all := missingPaths(r, live)
	c, err := s.mountHealth(ctx, r, live)
	if err != nil {
		return nil, failed("health of", volumeID, err)
	}
	return append(all, c...), nil
}

// unreached tells why no I/O goes through, nil where some does.
func unreached(r *record, live initiator.Mapping) *Condition {
	switch {
	case live.Sessions == 0:
		return &Condition{Reason: "SessionMissing", Message: "no iSCSI session to " + r.Target.IQN}
	case len(live.Devices) == 0:
		return &Condition{Reason: "DeviceMissing", Message: "no device of " + r.Target.IQN}
	case live.Recovering == live.Sessions:
		return &Condition{Reason: "SessionInRecovery", Message: "the iSCSI session to " + r.Target.IQN + " is not logged in"}
	}
	return nil
}

// paths counts those that serve and those that should. Without a map one path
// is all that a volume has.
func paths(r *record, live initiator.Mapping) (up, want int) {
	up, want = live.Sessions-live.Recovering, live.Sessions
	if mapped(live) {
		want = max(want, len(r.Target.Portals))
	}
	return up, want
}

// missingPaths tells of paths that do not serve beside those that do.
func missingPaths(r *record, live initiator.Mapping) []Condition {
	up, want := paths(r, live)
	if up >= want {
		return nil
	}
	return []Condition{{Reason: "PathsMissing", Message: fmt.Sprintf("%d of %d paths to %s serve", up, want, r.Target.IQN), Usable: true}}
}

// mapped reports whether the target's disks are paths of a multipath map.
func mapped(live initiator.Mapping) bool {
	return slices.ContainsFunc(live.Devices, func(d initiator.Device) bool { return strings.HasPrefix(d.Name, "dm-") })
}

// mountHealth finds what was staged gone, of a device that is gone, or made
// read-only by the kernel after an error.
func (s *Stager) mountHealth(ctx context.Context, r *record, live initiator.Mapping) ([]Condition, error) {
	path := seat(r.StagingPath, r.Block)
	m, err := s.mountAt(ctx, path)
	if err != nil {
		return nil, err
	}
	switch {
	case m == nil:
		return []Condition{{Reason: "NotMounted", Message: "nothing is mounted at " + path}}, nil
	case !slices.ContainsFunc(live.Devices, func(d initiator.Device) bool { return d.Number == m.Device }):
		return []Condition{{Reason: "DeviceReplaced", Message: "what is mounted at " + path + " is of a device that is gone; restart the pods that use it"}}, nil
	case m.ReadOnly && !r.readOnly():
		return []Condition{{Reason: "RemountedReadOnly", Message: r.FSType + " at " + path + " is read-only since an error", Usable: true}}, nil
	}
	return nil, nil
}

// NodeHealth tells what is wrong with the node's daemons.
func (s *Stager) NodeHealth(ctx context.Context) []Condition {
	if err := s.daemons.Daemon(ctx); err != nil {
		return []Condition{{Reason: "DaemonDown", Message: err.Error(), Usable: true}}
	}
	return nil
}
