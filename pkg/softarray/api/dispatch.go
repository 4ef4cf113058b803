package api

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// call is one API call: its transaction, and what is to happen on the data
// side once that is committed.
type call struct {
	*Server
	ctx     context.Context
	tx      *store.Tx
	now     time.Time // of the call, UTC, in whole seconds
	effects []func(Data)
}

func (s *Server) newCall(ctx context.Context) *call {
	return &call{Server: s, ctx: ctx, now: s.config.Clock.Now().UTC().Truncate(time.Second)}
}

// after asks for an effect on the data side; it happens only if the call succeeds.
func (c *call) after(effect func(Data)) { c.effects = append(c.effects, effect) }

// result is the members of a result object.
type result map[string]any

// none are the parameters of a method that takes none.
type none struct{}

// method is one entry of the API: a typed handler behind its decoder.
type method struct {
	changes bool
	run     func(c *call, params json.RawMessage) (any, error)
}

// query is a method that only looks; required names the parameters it cannot do without.
func query[P any](f func(*call, P) (any, error), required ...string) method {
	return method{run: func(c *call, raw json.RawMessage) (any, error) {
		p, err := decode[P](raw, required)
		if err != nil {
			return nil, err
		}
		return f(c, p)
	}}
}

// change is a method whose changes are committed all together if it succeeds.
func change[P any](f func(*call, P) (any, error), required ...string) method {
	m := query(f, required...)
	m.changes = true
	return m
}

// methodTable is every method of the API by name.
func methodTable() map[string]method {
	table := map[string]method{}
	for _, part := range []map[string]method{
		clusterMethods(), faultMethods(), hardwareMethods(), sessionMethods(), accountMethods(), volumeMethods(), deletionMethods(), listMethods(),
		statsMethods(), qosMethods(), policyMethods(), groupMethods(), membershipMethods(), lunMethods(), initiatorMethods(),
		snapshotMethods(), groupSnapshotMethods(), cloneMethods(), asyncMethods(),
	} {
		maps.Copy(table, part)
	}
	return table
}

func (s *Server) methodNames() []string { return slices.Sorted(maps.Keys(s.methods)) }

// perform is invoke with the faults that are injected into the method.
func (s *Server) perform(ctx context.Context, name string, params json.RawMessage) (any, error) {
	if !s.config.FaultInjection || injects(name) {
		return s.invoke(ctx, name, params)
	}
	injected := s.injections.next(name)
	if err := s.strike(ctx, injected, beforeEffect); err != nil {
		return nil, err
	}
	out, err := s.invoke(ctx, name, params)
	if err != nil {
		return nil, err
	}
	return out, s.strike(ctx, injected, afterEffect)
}

// invoke runs one method in one transaction.
func (s *Server) invoke(ctx context.Context, name string, params json.RawMessage) (any, error) {
	m, ok := s.methods[name]
	if !ok {
		return nil, failf(unknownAPIMethod, "xUnknownAPIMethod  method=<%s>", name)
	}
	var out any
	run := func(c *call) error {
		var err error
		out, err = m.run(c, params)
		return err
	}
	transact := s.view
	if m.changes {
		transact = s.transact
	}
	if err := transact(ctx, run); err != nil {
		return nil, err
	}
	klog.FromContext(ctx).V(4).Info("API call", "method", name)
	return out, nil
}

func (s *Server) view(ctx context.Context, run func(*call) error) error {
	c := s.newCall(ctx)
	return s.config.Store.View(func(tx *store.Tx) error {
		c.tx = tx
		return run(c)
	})
}

// transact commits what run does and then asks for its effects, or does neither.
func (s *Server) transact(ctx context.Context, run func(*call) error) error {
	c := s.newCall(ctx)
	err := s.config.Store.Update(func(tx *store.Tx) error {
		c.tx = tx
		return c.admitted(func() error { return run(c) })
	})
	if err != nil {
		return err
	}
	for _, effect := range c.effects {
		effect(s.config.Data)
	}
	return nil
}
