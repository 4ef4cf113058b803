package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/config"
	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/metrics"
	"github.com/san-csi/san-csi/pkg/placement"
	sanelement "github.com/san-csi/san-csi/pkg/san/element"
	"github.com/san-csi/san-csi/pkg/tracing"
)

// arrays keeps the fleet as the arrays' file says. It is for one caller at a
// time.
type arrays struct {
	cluster    string
	maxVolumes int
	metrics    *metrics.Metrics
	fleet      *placement.Fleet
	open       map[string]*opened // by name; also those that leave
	refused    string             // why the file as it is now is not in force, "" = it is
	rate       float64            // of each array's calls a second, 0 = no bound
	tracer     *tracing.Tracer    // nil = none
	look       chan struct{}      // the file is to be read again: an array refuses the credentials
}

// opened is an array as it is in service.
type opened struct {
	entry  config.Array
	client *element.Client
	array  *sanelement.Array
}

// openArrays is the fleet of that file. No array is called yet: one that is
// down must not keep the others from being served.
func openArrays(file *config.Config, cluster string, o *options, m *metrics.Metrics, tracer *tracing.Tracer) (*arrays, error) {
	a := &arrays{
		cluster: cluster, maxVolumes: o.maxVolumes, rate: o.arrayRate, metrics: m, tracer: tracer,
		fleet: placement.NewFleet(cluster, nil), open: map[string]*opened{}, look: make(chan struct{}, 1),
	}
	if err := a.apply(file); err != nil {
		return nil, err
	}
	m.Loaded()
	return a, nil
}

// reload takes over what was read of the file. One that is wrong changes
// nothing: the former goes on.
func (a *arrays) reload(file *config.Config, err error) {
	if err == nil && a.inForce(file) && a.refused == "" {
		return
	}
	if err == nil {
		err = a.apply(file)
	}
	switch {
	case err == nil:
		klog.InfoS("the arrays' file was changed and is in force", "arrays", len(file.Arrays))
		a.refused = ""
	case err.Error() == a.refused:
		return // told already
	default:
		klog.ErrorS(err, "the arrays' file was changed and is refused: what it said before goes on")
		a.refused = err.Error()
	}
	a.metrics.Reloaded(err)
}

// close drops the connections that nothing is asked by.
func (a *arrays) close() {
	for _, o := range a.open {
		o.client.Close()
	}
}

// inForce tells whether the file says what is in force.
func (a *arrays) inForce(file *config.Config) bool {
	staying := slices.DeleteFunc(slices.Clone(a.fleet.Members()), func(m placement.Member) bool { return m.Leaving })
	return slices.EqualFunc(file.Arrays, staying, func(entry config.Array, m placement.Member) bool {
		return entry.Name == m.Name && entry.Same(a.open[m.Name].entry)
	})
}

// apply checks the whole file before it changes anything.
func (a *arrays) apply(file *config.Config) error {
	next := map[string]*opened{}
	for _, entry := range file.Arrays {
		o, err := a.prepare(entry)
		if err != nil {
			return fmt.Errorf("array %q: %w", entry.Name, err)
		}
		next[entry.Name] = o
	}
	var members []placement.Member
	for _, entry := range file.Arrays {
		o := next[entry.Name]
		if now := a.open[entry.Name]; now != nil && now.array == o.array && now.client != o.client {
			now.client.Adopt(o.client)
			now.array.Recheck()
			o.client = now.client
		}
		o.array.SetCHAP(chapOf(entry))
		members = append(members, placement.Member{
			Name: entry.Name, Labels: entry.Labels, Topology: entry.Topology, Array: o.array,
			Budget: placement.Budget{CapacityIOPS: entry.CapacityIOPS, IOPSOvercommit: entry.IOPSOvercommit, BytesOvercommit: entry.BytesOvercommit},
		})
	}
	for _, name := range a.fleet.Replace(members) {
		klog.InfoS("array is not in the arrays' file any more: it takes no new volumes, and stays in service until it has none of ours", "array", name)
		next[name] = a.open[name]
	}
	a.open = next
	return nil
}

// prepare is the entry as it would be in service: with the array that is there,
// if there is one of that name, but a client of its own where it was changed.
func (a *arrays) prepare(entry config.Array) (*opened, error) {
	now := a.inService(entry.Name)
	if now != nil && entry.Same(now.entry) {
		return now, nil
	}
	client, err := a.connect(entry)
	if err != nil {
		return nil, err
	}
	if now == nil {
		array, err := a.openArray(entry, client)
		return &opened{entry, client, array}, err
	}
	for _, fixed := range []struct{ key, was, is string }{
		{"account", now.entry.Account, entry.Account}, {"clusterID", now.entry.ClusterID, entry.ClusterID},
	} {
		if fixed.is != fixed.was {
			return nil, fmt.Errorf("%s: cannot go from %q to %q while the array is in service: restart the controller for that, or give another array a name of its own",
				fixed.key, fixed.was, fixed.is)
		}
	}
	return &opened{entry, client, now.array}, nil
}

// inService is the array of that name, nil where there is none.
func (a *arrays) inService(name string) *opened {
	if !slices.ContainsFunc(a.fleet.Members(), func(m placement.Member) bool { return m.Name == name }) {
		return nil // perhaps one that has left
	}
	return a.open[name]
}

// connect is a client of that entry's array; config has checked its family.
func (a *arrays) connect(entry config.Array) (*element.Client, error) {
	return element.New(element.Config{
		Endpoint: entry.Endpoint, Username: entry.Username, Password: entry.Password, CAFile: entry.CAFile,
		Rate: a.rate, Refused: a.lookAgain, Trace: traceArray(a.tracer, entry.Name),
		Observe: func(method string, err error, took time.Duration) {
			a.metrics.ArrayCall(entry.Name, method, element.Label(err), took)
		},
	})
}

// lookAgain has the file read again: once, however many calls were refused.
func (a *arrays) lookAgain() {
	select {
	case a.look <- struct{}{}:
	default:
	}
}

func (a *arrays) openArray(entry config.Array, client *element.Client) (*sanelement.Array, error) {
	return sanelement.New(sanelement.Config{
		Client: client, ClusterID: entry.ClusterID, Account: entry.Account, Cluster: a.cluster,
		Incarnation:       uuid.NewString(),
		MaxVolumesPerNode: a.maxVolumes,
		// Disk images with partition tables of 512-byte sectors work on a raw LUN.
		Enable512e: true,
		CHAP:       chapOf(entry),
	})
}

func chapOf(entry config.Array) sanelement.CHAP {
	return sanelement.CHAP{
		Required: entry.CHAP != config.CHAPNone,
		Mutual:   entry.CHAP == config.CHAPNodeMutual,
		Rotation: entry.Rotation(),
	}
}
