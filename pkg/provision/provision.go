// Package provision holds the controller's flows: what becomes of a class's
// parameters on the arrays. It keeps no state of its own; truth is on the array.
package provision

import (
	"context"
	"fmt"

	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

// The keys of a volume's context, from the class to the node.
const (
	ContextMkfsOptions = "mkfsOptions"
	ContextFsck        = "fsck"
)

// defaultSizeBytes is for requests that leave the size to the driver.
const defaultSizeBytes = 1 << 30

// Fleet is the arrays there are.
type Fleet interface {
	Members() []placement.Member
	Match(placement.Wish) ([]placement.Member, error)
	ByID(ctx context.Context, id string) (placement.Member, error)
}

// Flows are the controller's flows. Callers hold a lock for each volume.
type Flows struct {
	fleet   Fleet
	cluster string
	claims  Claims // nil without Kubernetes

	known      known
	conditions conditions
}

// New are the flows on that fleet for the Kubernetes cluster of that name.
func New(fleet Fleet, cluster string, options ...Option) *Flows {
	f := &Flows{fleet: fleet, cluster: cluster}
	for _, o := range options {
		o(f)
	}
	return f
}

// Size is what a request says of a volume's size, bytes; 0 = not said.
type Size struct {
	Required, Limit int64
}

// check finds sizes that no array can take.
func (s Size) check() error {
	switch {
	case s.Required < 0:
		return fmt.Errorf("required_bytes %d: must not be negative: %w", s.Required, san.ErrInvalid)
	case s.Limit < 0:
		return fmt.Errorf("limit_bytes %d: must not be negative: %w", s.Limit, san.ErrInvalid)
	case s.Limit > 0 && s.Required > s.Limit:
		return fmt.Errorf("required_bytes %d: more than limit_bytes %d: %w", s.Required, s.Limit, san.ErrInvalid)
	}
	return nil
}

// orDefault is the size to ask the array for.
func (s Size) orDefault() int64 {
	switch {
	case s.Required > 0:
		return s.Required
	case s.Limit > 0:
		return min(s.Limit, defaultSizeBytes)
	}
	return defaultSizeBytes
}

// resolve is the array and the handle that a volume's id names.
func (f *Flows) resolve(ctx context.Context, id string) (san.Array, san.Handle, error) {
	m, h, err := f.member(ctx, id)
	return m.Array, h, err
}

// member is resolve with what the array has promised.
func (f *Flows) member(ctx context.Context, id string) (placement.Member, san.Handle, error) {
	h, err := san.ParseHandle(id)
	if err != nil {
		return placement.Member{}, san.Handle{}, err
	}
	m, err := f.fleet.ByID(ctx, h.Array)
	if err != nil {
		return placement.Member{}, san.Handle{}, fmt.Errorf("volume %s: %w", id, err)
	}
	return m, h, nil
}

// values are what to set on an array with those limits for a volume of that
// size.
func values(r qos.Request, sizeBytes int64, l san.Limits) (san.QoS, error) {
	if r.Policy != "" {
		return san.QoS{Policy: r.Policy}, nil
	}
	v, err := r.Resolve(sizeBytes, l.QoS)
	return san.QoS{Values: v}, err
}
