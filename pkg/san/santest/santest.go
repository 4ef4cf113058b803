// Package santest is the conformance suite that every san.Array passes. Only
// tests import it.
package santest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

// GiB is the size that the suite makes volumes of.
const GiB = 1 << 30

// Subject is one empty array under test and what the suite does behind its back.
type Subject struct {
	// Array is the array as the first controller process sees it.
	Array san.Array
	// Restart is the array as the next process sees it: same owner, nothing
	// remembered.
	Restart func(t *testing.T) san.Array
	// Policy is the name of a QoS policy on the array and what it says.
	Policy       string
	PolicyValues qos.Values
	// Login opens a session of the node's initiator on a volume, past any access
	// control, and keeps it until the array or the returned function ends it.
	Login func(t *testing.T, v san.Volume, n san.Node) (logout func())
	// Sessions counts the open sessions.
	Sessions func() int
	// DelayCreate makes the next creation of a volume fail for its caller, and
	// the array carry it out only when Land is called.
	DelayCreate func(t *testing.T) Held
	// DelaySnapshot, DelayGroup and DelayClone do the same to the next creation of
	// a snapshot, a group of snapshots and a volume with a source.
	DelaySnapshot, DelayGroup, DelayClone func(t *testing.T) Held
	// Snapshots counts the snapshots of every owner, members of groups too.
	Snapshots func(t *testing.T) int
	// Volumes counts the volumes of every owner and state, also deleted ones.
	Volumes func(t *testing.T) int
	// Doors counts the objects on the array that let initiators in.
	Doors func(t *testing.T) int
	// AddAccess lets a node reach a volume as a grant would that landed after it
	// was given up: without a record of it.
	AddAccess func(t *testing.T, v san.Volume, n san.Node)
}

// Held is a creation on its way.
type Held interface {
	// Land has the array carry it out, and returns when that is done.
	Land(t *testing.T)
}

// Run runs the suite; make gives each test a subject of its own.
func Run(t *testing.T, make func(t *testing.T) Subject) {
	for _, group := range []map[string]func(*testing.T, Subject){
		createTests(), volumeTests(), grantTests(), revokeTests(), fenceTests(), sweepTests(), promiseTests(),
		snapshotTests(), groupTests(), cloneTests(),
	} {
		for name, test := range group {
			t.Run(name, func(t *testing.T) { test(t, make(t)) })
		}
	}
}

// node is the n-th node of the suite.
func node(t *testing.T, n int) san.Node {
	t.Helper()
	made, err := san.NewNode(fmt.Sprintf("iqn.1993-08.org.debian:01:node-%d", n), fmt.Sprintf("node-%d", n))
	must(t, err)
	return made
}

func request(name string) san.CreateRequest {
	return san.CreateRequest{
		Name: name, SizeBytes: GiB,
		QoS:   san.QoS{Values: qos.Values{Min: 100, Max: 1000, Burst: 2000}},
		Owner: san.Owner{PVC: "default/data", PV: name, StorageClass: "gold"},
	}
}

func create(t *testing.T, a san.Array, name string) san.Volume {
	t.Helper()
	v, err := a.Create(t.Context(), request(name))
	must(t, err)
	return *v
}

// createKept makes a volume that stays in the recycle bin.
func createKept(t *testing.T, a san.Array, name string) san.Volume {
	t.Helper()
	r := request(name)
	r.Keep = true
	v, err := a.Create(t.Context(), r)
	must(t, err)
	return *v
}

func remove(t *testing.T, a san.Array, h san.Handle) {
	t.Helper()
	_, err := a.Delete(t.Context(), h)
	must(t, err)
}

// keepsVolume checks that a deletion is refused as busy.
func keepsVolume(t *testing.T, a san.Array, h san.Handle, words ...string) {
	t.Helper()
	_, err := a.Delete(t.Context(), h)
	wants(t, err, san.ErrBusy, words...)
}

func grant(t *testing.T, a san.Array, v san.Volume, n san.Node, m san.Mode) san.Grant {
	t.Helper()
	g, err := a.Grant(t.Context(), v.Handle, n, m)
	must(t, err)
	return *g
}

func get(t *testing.T, a san.Array, h san.Handle) san.Volume {
	t.Helper()
	v, err := a.Get(t.Context(), h)
	must(t, err)
	return *v
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wants checks that err is the sentinel and that its message names each word.
func wants(t *testing.T, err, sentinel error, words ...string) {
	t.Helper()
	if !errors.Is(err, sentinel) {
		t.Fatalf("error %v; want one that is %q", err, sentinel)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not name %q", err, word)
		}
	}
}

func counts(t *testing.T, what string, got, want int) {
	t.Helper()
	if got != want {
		t.Errorf("%d %s; want %d", got, what, want)
	}
}

// briefly is a context for a call that cannot succeed before it ends.
func briefly(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits for what the array does by itself.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
