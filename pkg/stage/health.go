package stage

import (
	"context"
	"fmt"
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
	m, err := s.iscsi.Mapping(ctx, r.Target.IQN)
	if err != nil {
		return nil, failed("health of", volumeID, err)
	}
	switch {
	case m.Sessions == 0:
		return []Condition{{Reason: "SessionMissing", Message: "no iSCSI session to " + r.Target.IQN}}, nil
	case len(m.Devices) == 0:
		return []Condition{{Reason: "DeviceMissing", Message: "no device of " + r.Target.IQN}}, nil
	case m.Recovering == m.Sessions:
		return []Condition{{Reason: "SessionInRecovery", Message: "the iSCSI session to " + r.Target.IQN + " is not logged in"}}, nil
	}
	return s.mountHealth(ctx, r)
}

// mountHealth finds a filesystem that is gone, or that the kernel made
// read-only after an error.
func (s *Stager) mountHealth(ctx context.Context, r *record) ([]Condition, error) {
	if r.Block {
		return nil, nil
	}
	m, err := s.mountAt(ctx, r.StagingPath)
	if err != nil {
		return nil, failed("health of", r.VolumeID, err)
	}
	switch {
	case m == nil:
		return []Condition{{Reason: "NotMounted", Message: "nothing is mounted at " + r.StagingPath}}, nil
	case m.ReadOnly && !r.readOnly():
		return []Condition{{Reason: "RemountedReadOnly", Message: r.FSType + " at " + r.StagingPath + " is read-only since an error", Usable: true}}, nil
	}
	return nil, nil
}

// NodeHealth tells what is wrong with the node's iSCSI.
func (s *Stager) NodeHealth(ctx context.Context) []Condition {
	if err := s.iscsi.Daemon(ctx); err != nil {
		return []Condition{{Reason: "DaemonDown", Message: err.Error(), Usable: true}}
	}
	return nil
}
