// Package element is san.Array on Element arrays: one volume = one target =
// one LUN, one volume access group per initiator.
//
// The controller keeps no state of its own. What it must know again after it
// was killed is in the volumes' attributes (see record) and in those of its
// access groups, and is written before what it speaks of is done.
package element

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

const (
	iscsiPort = "3260"
	sizeStep  = 1 << 20 // Element rounds sizes up to it
	// refresh is how long what seldom changes on an array is taken as known.
	refresh = time.Minute
)

// Config says which array, and for whom.
type Config struct {
	Client      *api.Client
	ClusterID   string   // the array's uniqueID; "" = the one that answers first
	Account     string   // tenant account; made where it is missing
	Cluster     string   // the Kubernetes cluster: owner of what is made
	Incarnation string   // of this controller process: differs at each start
	Portals     []string // host:port; empty = the array's storage address
	// MaxVolumesPerNode bounds the grants of one node; 0 = the array's own bound.
	MaxVolumesPerNode int
	Enable512e        bool        // logical blocks of 512 bytes instead of 4096
	CHAP              CHAP        // see SetCHAP
	Clock             clock.Clock // for waiting; nil = the real one
}

// batchPatience is how long what is wanted of many volumes waits for a call under
// way: longer than an array takes, and short beside any caller's deadline.
const batchPatience = 250 * time.Millisecond

// Array is one Element array. It is safe for concurrent use by one process; a
// second process must not write with the same Cluster at the same time.
type Array struct {
	config      Config
	client      *api.Client
	clock       clock.Clock
	names       keyLocks[nameKey]
	volumes     keyLocks[int64]
	initiators  keyLocks[string]
	groups      groupCache
	recent      recent
	latest      latest
	snapshotted snapshotted
	doomed      noted // volumes that this process began to remove, never handed out
	repeated    noted // volumes of which a change was
	filling     noted // clones that outlasted their call, seen without their content
	access      int   // see accessLength
	chap        atomic.Pointer[CHAP]

	joins, parts batcher[san.Node, int64, none] // volumes into and out of a node's group
	listing      batcher[none, none, []api.Session]

	snapshotNames        keyLocks[string]
	snapshotGroupNames   keyLocks[string]
	doomedSnapshots      noted
	doomedSnapshotGroups noted

	looks     batcher[none, int64, *api.Volume] // nil = there is none of that id
	deletions batcher[none, int64, api.Volume]
	purges    batcher[none, int64, none]

	uniqueID atomic.Pointer[string] // the array that answered first

	info     cached[api.ClusterInfo]
	limits   cached[api.Limits]
	defaults cached[api.QoS]
	policies cached[[]api.QoSPolicy]
	accounts index
}

var _ san.Array = (*Array)(nil)

var clusterPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// New checks the configuration; it does not call the array.
func New(c Config) (*Array, error) {
	if c.Client == nil {
		return nil, errors.New("element array: no client")
	}
	for _, f := range []struct{ name, value string }{{"cluster", c.Cluster}, {"account", c.Account}, {"incarnation", c.Incarnation}} {
		if !clusterPattern.MatchString(f.value) {
			return nil, fmt.Errorf("element array: %s %q: must be 1 to 64 letters, digits, '_', '.', '-': %w", f.name, f.value, san.ErrInvalid)
		}
	}
	for _, p := range c.Portals {
		if _, _, err := net.SplitHostPort(p); err != nil {
			return nil, fmt.Errorf("element array: portal %q: must be host:port: %w", p, san.ErrInvalid)
		}
	}
	c.Portals = slices.Clone(c.Portals)
	if c.Clock == nil {
		c.Clock = clock.RealClock{}
	}
	a := &Array{config: c, client: c.Client, clock: c.Clock, access: accessLength(), latest: latest{by: shortHash(c.Incarnation)[:markDigits], began: c.Clock.Now()}}
	a.joins.call, a.parts.call, a.listing.call = a.admit, a.expel, a.listSessions
	a.looks.call, a.deletions.call, a.purges.call = a.lookAll, a.deleteAll, a.purgeAll
	a.listing.patience, a.looks.patience, a.deletions.patience, a.purges.patience = batchPatience, batchPatience, batchPatience, batchPatience
	a.SetCHAP(c.CHAP)
	return a, nil
}

// Recheck forgets what is known of the array: its address or the credentials
// have changed.
func (a *Array) Recheck() {
	a.info.drop()
	a.limits.drop()
	a.defaults.drop()
	a.policies.drop()
}

// Identity names the array; ErrUnavailable where another one answers than is
// configured, or than answered before.
func (a *Array) Identity(ctx context.Context) (san.Identity, error) {
	info, err := a.clusterInfo(ctx)
	if err != nil {
		return san.Identity{}, err
	}
	return san.Identity{UniqueID: info.UniqueID, Name: info.Name}, nil
}

func (a *Array) clusterInfo(ctx context.Context) (api.ClusterInfo, error) {
	info, err := a.info.get(ctx, a.clock, a.client.GetClusterInfo)
	if err != nil {
		return info, fail("identify array", a.client.Endpoint(), err)
	}
	want := a.config.ClusterID
	if want == "" {
		a.uniqueID.CompareAndSwap(nil, &info.UniqueID)
		want = *a.uniqueID.Load()
	}
	if info.UniqueID != want {
		return info, fmt.Errorf("identify array %s: it is %q (%s), expected is %q: %w",
			a.client.Endpoint(), info.UniqueID, info.Name, want, san.ErrUnavailable)
	}
	return info, nil
}

func (a *Array) wireLimits(ctx context.Context) (api.Limits, error) {
	l, err := a.limits.get(ctx, a.clock, a.client.GetLimits)
	if err != nil {
		return l, fail("read limits of array", a.client.Endpoint(), err)
	}
	return l, nil
}

func (a *Array) portals(info api.ClusterInfo) []string {
	if len(a.config.Portals) > 0 {
		return slices.Clone(a.config.Portals)
	}
	return []string{net.JoinHostPort(info.SVIP, iscsiPort)}
}

// Limits are the array's own bounds.
func (a *Array) Limits(ctx context.Context) (san.Limits, error) {
	l, err := a.wireLimits(ctx)
	if err != nil {
		return san.Limits{}, err
	}
	return san.Limits{
		MinSizeBytes: l.VolumeSizeMin, MaxSizeBytes: l.VolumeSizeMax, SizeStep: sizeStep,
		NameLength: maxNameBytes,
		QoS: qos.Limits{
			Min:   qos.Range{Low: l.VolumeMinIOPSMin, High: l.VolumeMinIOPSMax},
			Max:   qos.Range{Low: l.VolumeMaxIOPSMin, High: l.VolumeMaxIOPSMax},
			Burst: qos.Range{Low: l.VolumeBurstIOPSMin, High: l.VolumeBurstIOPSMax},
		},
	}, nil
}

// Capacity is what the array says of itself.
func (a *Array) Capacity(ctx context.Context) (san.Capacity, error) {
	c, err := a.client.GetClusterCapacity(ctx)
	if err != nil {
		return san.Capacity{}, fail("read capacity of array", a.client.Endpoint(), err)
	}
	return san.Capacity{BoundBytes: c.MaxOverProvisionableSpace, BlockBytes: c.MaxUsedSpace, UsedBytes: c.UsedSpace, MaxIOPS: c.MaxIOPS}, nil
}

// account is the id of a tenant; the configured one is made where it is
// missing, one that a class names must be there.
func (a *Array) account(ctx context.Context, name string) (int64, error) {
	name = cmp.Or(name, a.config.Account)
	if id, ok := a.accounts.get(name); ok {
		return id, nil
	}
	found, err := a.client.GetAccountByName(ctx, name)
	if api.IsName(err, api.XUnknownAccount) {
		if name != a.config.Account {
			return 0, fmt.Errorf("find account %q: the array has no account of that name: %w", name, san.ErrInvalid)
		}
		found.AccountID, err = a.client.AddAccount(ctx, name)
		if api.IsName(err, api.XDuplicateUsername) {
			found, err = a.client.GetAccountByName(ctx, name)
		}
	}
	if err != nil {
		return 0, fail("find account", name, err)
	}
	a.accounts.put(name, found.AccountID)
	return found.AccountID, nil
}
