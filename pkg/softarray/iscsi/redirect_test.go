package iscsi

import (
	"context"
	"net"
	"slices"
	"testing"
	"testing/synctest"
)

// redirecting is a cluster's portal with two nodes'.
func redirecting(t *testing.T) (p *portal, cluster string, nodes []string) {
	p = newPortal(Options{})
	var listeners []net.Listener
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, l)
		nodes = append(nodes, l.Addr().String())
	}
	p.server.Redirect(listeners[0].Addr(), listeners[1].Addr(), listeners[2].Addr())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { done <- p.server.Serve(ctx, l) }()
	}
	t.Cleanup(func() {
		cancel()
		for range listeners {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	return p, nodes[0], nodes[1:]
}

// The login goes on at the node of the volume, 320, before any secret is asked
// for; the session is the node's.
func TestLoginIsRedirectedToTheNode(t *testing.T) {
	p, cluster, nodes := redirecting(t)
	p.requireCHAP("")
	for _, flags := range []byte{0x03, 0x87} { // security stage; straight to full feature phase
		p.address = cluster
		i := p.dial(t)
		r, answers := i.step(flags, named(pair{"AuthMethod", "CHAP"})...)
		if i.status != loginMoved || r[1]&flagFinal != 0 {
			t.Fatalf("status %#04x, flags %#02x", i.status, r[1])
		}
		if want := []pair{{"TargetAddress", nodes[0]}}; !slices.Equal(answers, want) {
			t.Fatalf("answers %v, want %v", answers, want)
		}
		i.wire.conn.Close()
	}
	p.address = nodes[0]
	i := p.dial(t)
	chapLogin(i, "5", "initiator123", func(string) []pair { return nil })
	if i.status != 0 {
		t.Fatalf("status %#04x at the node", i.status)
	}
	if s := p.server.Sessions(); len(s) != 1 || s[0].TargetAddr != nodes[0] {
		t.Errorf("sessions %+v, want one at %s", s, nodes[0])
	}
}

// A redirected initiator closes the connection, and is given time to.
func TestRedirectedConnectionIsLeftToTheInitiator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPortal(Options{})
		ours, theirs := net.Pipe()
		p.server.Redirect(theirs.LocalAddr(), &net.TCPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 3260})
		go p.server.handle(t.Context(), theirs)
		i := newInitiator(t, ours)
		if i.step(0x87, named()...); i.status != loginMoved {
			t.Fatalf("status %#04x", i.status)
		}
		if got := i.ends(); got != farewellTime {
			t.Errorf("hung up after %s, want %s", got, farewellTime)
		}
	})
}

func TestRedirectionDoesNotHideRefusals(t *testing.T) {
	p, cluster, _ := redirecting(t)
	p.address = cluster
	i := p.dial(t)
	if i.step(0x87, pair{"InitiatorName", testInitiator}, pair{"TargetName", "iqn.2010-01.com.solidfire:none"}); i.status != loginNotFound {
		t.Errorf("status %#04x, want %#04x", i.status, loginNotFound)
	}
}

// Discovery is served where it comes in and tells the cluster's portal.
func TestDiscoveryTellsTheClustersPortal(t *testing.T) {
	p, cluster, nodes := redirecting(t)
	for _, at := range []string{cluster, nodes[1]} {
		p.address = at
		i := p.dial(t).discover()
		i.request(opTextRequest, 0, 5, noTag, formatText([]pair{{"SendTargets", "All"}}))
		_, data := i.receive(opTextResponse)
		pairs, _ := parseText(data)
		if want := []pair{{"TargetName", testTarget}, {"TargetAddress", cluster + ",1"}}; !slices.Equal(pairs, want) {
			t.Errorf("at %s: %v, want %v", at, pairs, want)
		}
	}
}
