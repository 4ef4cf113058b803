package provision

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/san"
)

// Condition is what an array said of itself when it was last asked.
type Condition struct {
	Array string // its name in the configuration
	san.Health
}

// conditions are those of all arrays, by unique id.
type conditions struct {
	mu sync.Mutex
	of map[string]Condition
}

// Ailment is one thing that is wrong with a volume.
type Ailment struct {
	Usable  bool   // yet it does not do as it should
	Reason  string // CamelCase
	Message string
}

// healthTimeout bounds asking one array.
const healthTimeout = 30 * time.Second

// Tend asks every array for its health at once and then at each interval, until
// the context ends. A fault that is new goes to tell.
func (f *Flows) Tend(ctx context.Context, interval time.Duration, tell func(array string, fault san.Fault)) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		var asking sync.WaitGroup
		for _, m := range f.fleet.Members() {
			asking.Go(func() {
				if err := f.examine(ctx, m, tell); err != nil && ctx.Err() == nil {
					klog.FromContext(ctx).Error(err, "the array's health is not known", "array", m.Name)
				}
			})
		}
		asking.Wait()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (f *Flows) examine(ctx context.Context, m placement.Member, tell func(array string, fault san.Fault)) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	id, err := m.Array.Identity(ctx)
	if err != nil {
		return err
	}
	h, err := m.Array.Health(ctx)
	if err != nil {
		return err
	}
	for _, fault := range f.conditions.put(id.UniqueID, Condition{m.Name, h}) {
		tell(m.Name, fault)
	}
	return nil
}

// put takes over a condition and returns the faults that the former had not.
func (c *conditions) put(id string, now Condition) []san.Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.of[id].Faults
	if c.of == nil {
		c.of = map[string]Condition{}
	}
	c.of[id] = now
	return slices.DeleteFunc(slices.Clone(now.Faults), func(f san.Fault) bool {
		return slices.ContainsFunc(before, func(old san.Fault) bool { return old.Code == f.Code && old.Severity == f.Severity })
	})
}

// Conditions are those of the arrays that were asked and are still there.
func (f *Flows) Conditions() []Condition {
	f.conditions.mu.Lock()
	defer f.conditions.mu.Unlock()
	var all []Condition
	for _, c := range f.conditions.of {
		if slices.ContainsFunc(f.fleet.Members(), func(m placement.Member) bool { return m.Name == c.Array }) {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b Condition) int { return strings.Compare(a.Array, b.Array) })
	return all
}

// Ailments are what is wrong with the volume, just read: what keeps it itself from
// being used, and what its array's faults do to all volumes there.
func (f *Flows) Ailments(v *san.Volume) []Ailment {
	var all []Ailment
	if v.Fault != "" {
		all = append(all, Ailment{Reason: "NoAccess", Message: v.Fault})
	}
	f.conditions.mu.Lock()
	defer f.conditions.mu.Unlock()
	c := f.conditions.of[v.Handle.Array]
	for _, fault := range c.Faults {
		if fault.Volumes == san.EffectNone {
			continue
		}
		a := Ailment{
			Usable: fault.Volumes == san.EffectDegraded, Reason: camel(fault.Code),
			Message: fmt.Sprintf("array %q, %s since %s: %s", c.Array, fault.Severity, fault.Since.Format(time.RFC3339), fault.Details),
		}
		if !slices.ContainsFunc(all, func(b Ailment) bool { return b.Usable == a.Usable && b.Reason == a.Reason }) {
			all = append(all, a)
		}
	}
	return all
}

// camel is the array's word for a fault as CSI wants a reason.
func camel(code string) string {
	if code == "" {
		return "ArrayFault"
	}
	return strings.ToUpper(code[:1]) + code[1:]
}
