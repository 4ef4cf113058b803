package lab

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/san-csi/san-csi/tests/guest"
)

const targetsIP = "192.0.2.200"

// LUN is what a target serves at its portals.
type LUN struct {
	IQN     string
	Portals []string // host:port
	Number  int
	NAA     string // 32 lower-case hex digits
	Bytes   int64
}

// Target is an iSCSI target that is not ours.
type Target interface {
	// Portals are where it serves.
	Portals() []Portal
	// Serve makes a LUN of zeroes for one initiator.
	Serve(ctx context.Context, name string, bytes int64, initiator string) (LUN, error)
	// Grow makes it larger while it is in use.
	Grow(ctx context.Context, iqn string, bytes int64) error
	// Restart ends all sessions without a word, and serves the same LUNs again.
	Restart(ctx context.Context) error
	// Remove takes the LUN away, with its data.
	Remove(ctx context.Context, iqn string) error
}

// Portal is one way to LUNs: an address, and how it is cut off.
type Portal struct {
	Address   string // host:port
	cut, mend func(ctx context.Context, ip string) error
}

// Cut loses all that is sent from the portal; its initiators are not told.
func (p Portal) Cut(ctx context.Context) error { return p.cut(ctx, p.ip()) }

// Mend undoes Cut.
func (p Portal) Mend(ctx context.Context) error { return p.mend(ctx, p.ip()) }

func (p Portal) ip() string { return strings.TrimSuffix(p.Address, port) }

const port = ":3260"

// TwoPortals are arguments for [Open]: a second node's portal. Logins to the
// first two of [Lab.Portals] are not redirected.
const TwoPortals = "--iscsi-address=" + guest.SecondIP + port

// Portals are the array's, of an array opened with [TwoPortals].
func (l *Lab) Portals() []Portal {
	return []Portal{
		{Address: l.Array.NodePortal(), cut: guest.Cut, mend: guest.Mend},
		{Address: net.JoinHostPort(guest.SecondIP, "3260"), cut: guest.Cut, mend: guest.Mend},
	}
}

// Targets is a guest with the kernel's target, LIO, and tgtd, at two portals
// each.
type Targets struct {
	VM   *guest.VM
	LIO  *LIO
	Tgtd *Tgtd
}

// BootTargets starts that guest.
func BootTargets(ctx context.Context) (*Targets, error) {
	vm, err := guest.Boot(ctx, guest.Config{Name: "targets", IP: targetsIP})
	if err != nil {
		return nil, err
	}
	if _, err := vm.Run(ctx, "for last in 201 202 203 204; do ip address add 192.0.2.$last/24 dev eth0; done"); err != nil {
		return nil, err
	}
	t := &Targets{
		VM:   vm,
		LIO:  &LIO{vm: vm, portals: portals(vm, "192.0.2.201", "192.0.2.202"), shelf: shelf{owner: "lio"}},
		Tgtd: &Tgtd{vm: vm, portals: portals(vm, "192.0.2.203", "192.0.2.204"), shelf: shelf{owner: "tgtd"}},
	}
	if err := t.LIO.start(ctx); err != nil {
		return nil, err
	}
	return t, t.Tgtd.start(ctx)
}

func portals(vm *guest.VM, ips ...string) (all []Portal) {
	for _, ip := range ips {
		all = append(all, Portal{Address: ip + port, cut: vm.Cut, mend: vm.Mend})
	}
	return all
}

// disk is a LUN and the file behind it in the guest.
type disk struct {
	LUN
	owner     string // the target's name
	id        int    // of the file; never used twice
	initiator string
}

func (d disk) file() string { return fmt.Sprintf("/var/tmp/%s-%d", d.owner, d.id) }

// words are a script's variables.
func (d disk) words() string {
	return fmt.Sprintf("id=%d iqn=%s bytes=%d initiator=%s file=%s portals='%s'\n",
		d.id, d.IQN, d.Bytes, d.initiator, d.file(), strings.Join(d.Portals, " "))
}

// shelf are the disks of one target.
type shelf struct {
	owner string
	disks []*disk
	last  int // id that was given
}

func (s *shelf) add(name string, bytes int64, initiator string, portals []Portal) *disk {
	s.last++
	d := &disk{owner: s.owner, id: s.last, initiator: initiator, LUN: LUN{IQN: "iqn.2026-01.io.san-csi." + s.owner + ":" + name, Bytes: bytes}}
	for _, p := range portals {
		d.Portals = append(d.Portals, p.Address)
	}
	s.disks = append(s.disks, d)
	return d
}

func (s *shelf) find(iqn string) (*disk, error) {
	at := slices.IndexFunc(s.disks, func(d *disk) bool { return d.IQN == iqn })
	if at < 0 {
		return nil, fmt.Errorf("no LUN behind %s", iqn)
	}
	return s.disks[at], nil
}

func (s *shelf) drop(d *disk) {
	s.disks = slices.DeleteFunc(s.disks, func(o *disk) bool { return o == d })
}
