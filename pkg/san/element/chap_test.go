package element

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	testingclock "k8s.io/utils/clock/testing"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

// proving is a bench with nodes that have keys, and a clock to move.
type proving struct {
	*bench
	array *Array
	clock *testingclock.FakeClock
	made  int
}

func newProving(t *testing.T, c CHAP) *proving {
	b := newBench(t)
	p := &proving{bench: b, array: b.open(t, "east", "process-1"), clock: testingclock.NewFakeClock(time.UnixMilli(1_000_000))}
	p.array.clock = p.clock
	p.array.SetCHAP(c)
	return p
}

func keyed(t *testing.T, name string) san.Node {
	t.Helper()
	n, err := san.NewNode("iqn.1993-08.org.debian:01:"+name, name)
	must(t, err)
	n, err = n.WithKey(strings.Repeat("k", 43))
	must(t, err)
	return n
}

// create makes another volume.
func (p *proving) create(t *testing.T) san.Volume {
	t.Helper()
	p.made++
	v, err := p.array.Create(t.Context(), san.CreateRequest{Name: fmt.Sprintf("pvc-%d", p.made), SizeBytes: 1 << 30})
	must(t, err)
	return *v
}

func (p *proving) grant(t *testing.T, v san.Volume, n san.Node) *san.CHAP {
	t.Helper()
	g, err := p.array.Grant(t.Context(), v.Handle, n, san.Mode{})
	must(t, err)
	return g.CHAP
}

func (p *proving) initiator(t *testing.T, n san.Node) api.Initiator {
	t.Helper()
	for _, g := range p.groups(t) {
		if len(g.InitiatorIDs) == 1 && g.Initiators[0] == n.IQN {
			found, err := p.client.ListInitiators(t.Context(), g.InitiatorIDs[0])
			must(t, err)
			return found[0]
		}
	}
	t.Fatalf("%s is in no group", n.IQN)
	return api.Initiator{}
}

// TestSecretsArePerNode: made at the first grant, the same at the next, another
// node's are others, and the array asks for exactly them.
func TestSecretsArePerNode(t *testing.T) {
	for _, mutual := range []bool{false, true} {
		t.Run(fmt.Sprintf("mutual %t", mutual), func(t *testing.T) {
			p := newProving(t, CHAP{Required: true, Mutual: mutual})
			a, b := keyed(t, "node-a"), keyed(t, "node-b")
			v := p.create(t)
			first := p.grant(t, v, a)
			if again := p.grant(t, v, a); *again != *first {
				t.Errorf("granted again: %v, was %v", again, first)
			}
			if second := p.grant(t, p.create(t), a); *second != *first {
				t.Errorf("of another volume: %v, was %v", second, first)
			}
			i := p.initiator(t, a)
			if !i.RequireCHAP || i.CHAPUsername != first.Username || string(i.InitiatorSecret) != string(first.Secret) {
				t.Errorf("the array asks for %+v, the node has %+v", i, first)
			}
			if len(first.Secret) != 16 || i.InitiatorSecret == i.TargetSecret || (string(i.TargetSecret) == string(first.Target)) != mutual || (first.Target == "") == mutual {
				t.Errorf("secrets of %d characters; mutual: %t", len(first.Secret), first.Target != "")
			}
			if other := p.grant(t, p.create(t), b); other.Secret == first.Secret || other.Username == first.Username {
				t.Errorf("node b has node a's: %v", other)
			}
			next := p.open(t, "east", "process-2")
			next.SetCHAP(CHAP{Required: true, Mutual: mutual})
			g, err := next.Grant(t.Context(), v.Handle, a, san.Mode{})
			must(t, err)
			if *g.CHAP != *first {
				t.Errorf("of the next process: %v, was %v", g.CHAP, first)
			}
		})
	}
}

// TestRotation: an old secret is replaced where a new grant takes the new one to
// the node, and nowhere else.
func TestRotation(t *testing.T) {
	p := newProving(t, CHAP{Required: true, Rotation: time.Hour})
	n, v := keyed(t, "node-a"), p.create(t)
	first := p.grant(t, v, n)
	p.clock.Step(time.Hour - time.Millisecond)
	if got := p.grant(t, p.create(t), n); *got != *first {
		t.Errorf("before it is due: %v, was %v", got, first)
	}
	p.clock.Step(time.Millisecond)
	if got := p.grant(t, v, n); *got != *first {
		t.Errorf("a repeated grant: %v, was %v", got, first)
	}
	second := p.grant(t, p.create(t), n)
	if second.Secret == first.Secret || second.Generation <= first.Generation || second.Username != first.Username {
		t.Errorf("when it is due: %+v, was %+v", second, first)
	}
	if i := p.initiator(t, n); string(i.InitiatorSecret) != string(second.Secret) {
		t.Error("the array was not told")
	}
	if got := p.grant(t, v, n); *got != *second {
		t.Errorf("the first volume, granted again: %v, want %v", got, second)
	}
	// A clock that went back must not make an older generation.
	p.clock.SetTime(time.UnixMilli(1000))
	p.array.SetCHAP(CHAP{Required: true, Rotation: 1})
	must(t, p.client.ModifyInitiator(t.Context(), api.ModifyInitiatorRequest{ID: p.initiator(t, n).ID,
		Attributes: api.Attributes{keySecret: quote("1")}}))
	if third := p.grant(t, p.create(t), n); third.Secret == second.Secret || third.Generation < 2 {
		t.Errorf("after the clock went back: %+v", third)
	}
}

// TestCHAPIsSwitched on and off with volumes attached.
func TestCHAPIsSwitched(t *testing.T) {
	p := newProving(t, CHAP{})
	n, v := keyed(t, "node-a"), p.create(t)
	for _, required := range []bool{false, true, false, true} {
		p.array.SetCHAP(CHAP{Required: required})
		c := p.grant(t, v, n)
		if i := p.initiator(t, n); i.RequireCHAP != required || (c != nil) != required {
			t.Errorf("required: %t; the array asks: %t, the node is told: %t", required, i.RequireCHAP, c != nil)
		}
	}
	if groups := p.groups(t); len(groups) != 1 {
		t.Errorf("groups: %v", groups)
	}
}

// TestOffAsksNothing: where CHAP is off and was, a grant makes no further calls.
func TestOffAsksNothing(t *testing.T) {
	p := newProving(t, CHAP{})
	v := p.create(t)
	p.gate.hold("ListInitiators") // would fail the grant
	p.grant(t, v, keyed(t, "node-a"))
}

// TestANodeWithoutAKeyIsRefused before anything is changed, and is the same node
// once it has one.
func TestANodeWithoutAKeyIsRefused(t *testing.T) {
	p := newProving(t, CHAP{Required: true})
	n, v := keyed(t, "node-a"), p.create(t)
	_, err := p.array.Grant(t.Context(), v.Handle, n.Identity(), san.Mode{})
	if !errors.Is(err, san.ErrBusy) || !strings.Contains(err.Error(), "no public key") || len(p.groups(t)) != 0 {
		t.Fatalf("got %v, groups %v", err, p.groups(t))
	}
	p.grant(t, v, n)
	other := n
	other.Key = strings.Repeat("q", 43)
	p.grant(t, v, other)
	held, err := p.array.Get(t.Context(), v.Handle)
	must(t, err)
	if len(held.Nodes) != 1 || held.Nodes[0] != n.Identity() {
		t.Errorf("holders: %v", held.Nodes)
	}
	must(t, p.array.Revoke(t.Context(), v.Handle, n.Identity()))
	if len(p.groups(t)) != 0 {
		t.Errorf("groups: %v", p.groups(t))
	}
}

// TestCHAPSurvivesItsCaller: killed after each call to the array, the next
// process finishes.
func TestCHAPSurvivesItsCaller(t *testing.T) {
	for n := 1; ; n++ {
		p := newProving(t, CHAP{Required: true})
		node, v := keyed(t, "node-a"), p.create(t)
		ctx, die := context.WithCancel(t.Context())
		survived := p.gate.cutAfter(n, die)
		_, err := p.array.Grant(ctx, v.Handle, node, san.Mode{})
		if survived() {
			must(t, err)
			return
		}
		next := p.open(t, "east", "process-2")
		next.SetCHAP(CHAP{Required: true})
		g, err := next.Grant(t.Context(), v.Handle, node, san.Mode{})
		must(t, err)
		if i := p.initiator(t, node); !i.RequireCHAP || g.CHAP == nil || string(i.InitiatorSecret) != string(g.CHAP.Secret) {
			t.Errorf("cut after call %d: the array asks for %+v, the node has %+v", n, i, g.CHAP)
		}
	}
}

func TestArraysRefusalsDoNotShowSecrets(t *testing.T) {
	p := newProving(t, CHAP{Required: true})
	n := keyed(t, "node-a")
	p.grant(t, p.create(t), n)
	for _, secret := range []api.Secret{"short", "muchtoolongsecret"} {
		err := p.client.ModifyInitiator(t.Context(), api.ModifyInitiatorRequest{ID: p.initiator(t, n).ID, InitiatorSecret: secret})
		if err == nil || strings.Contains(err.Error(), string(secret)) {
			t.Errorf("got %v", err)
		}
	}
	if text := fmt.Sprintf("%+v %#v", p.initiator(t, n), *p.grant(t, p.create(t), n)); strings.Contains(text, string(p.initiator(t, n).InitiatorSecret)) {
		t.Errorf("printed: %s", text)
	}
}
