package iscsi

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/san-csi/san-csi/pkg/softarray/scsi"
)

// ends says when, from now on, the target hangs up on a peer that does nothing
// but read.
func (i *initiator) ends() time.Duration {
	start := time.Now()
	i.gone()
	return time.Since(start)
}

func TestPeersThatDoNotGoOnAreLetGo(t *testing.T) {
	o := Options{LoginTimeout: 15 * time.Second, NopInterval: 30 * time.Second, NopTimeout: 30 * time.Second, StallTimeout: 30 * time.Second}
	for _, tt := range []struct {
		name string
		peer func(i *initiator)
		want time.Duration
	}{
		{"silent before the login", func(*initiator) {}, 15 * time.Second},
		{"half a login", func(i *initiator) { i.wire.conn.Write(make([]byte, 20)) }, 15 * time.Second},
		{"a login stage a second", func(i *initiator) {
			i.step(0x03, named(pair{"AuthMethod", "None"})...)
			for n := range 14 {
				time.Sleep(time.Second)
				i.step(0x00, pair{fmt.Sprintf("X-%d", n), "1"})
			}
		}, time.Second},
		{"pings are not answered", func(i *initiator) { i.login() }, time.Minute},
		{"half a PDU", func(i *initiator) { i.login().wire.conn.Write(make([]byte, 20)) }, time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := newPortal(o).pipe(t)
				tt.peer(i)
				if got := i.ends(); got != tt.want {
					t.Errorf("hung up after %s, want %s", got, tt.want)
				}
			})
		})
	}
}

// A peer that answers pings is there, however little it has to say.
func TestPingsKeepASessionUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newPortal(Options{}).pipe(t).login()
		start := time.Now()
		for time.Since(start) < time.Hour {
			ping, _ := i.receive(opNopIn)
			i.request(opNopOut, 0, noTag, ping.ttt(), nil)
		}
		i.answered(i.command(0, 0, nil, 0x00), 0)
	})
}

// One that answers them and never sends the data of its write keeps memory, and
// is let go.
func TestOwedDataEndsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPortal(Options{})
		i := p.pipe(t).login()
		start := time.Now()
		i.command(flagWrite, 512, nil, write10(0, 1)...)
		i.receive(opR2T)
		for {
			var h header
			if i.wire.readHeader(&h) != nil {
				break
			}
			i.request(opNopOut, 0, noTag, h.ttt(), nil)
		}
		if got := time.Since(start); got < time.Minute || got > 2*time.Minute {
			t.Errorf("hung up after %s", got)
		}
		synctest.Wait()
		if used := p.server.buffers.used.Load(); used != 0 {
			t.Errorf("%d bytes are still in use", used)
		}
	})
}

// A peer that does not read what it asked for cannot hold the session for ever.
func TestSlowReaderIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPortal(Options{StallTimeout: 20 * time.Second})
		i := p.pipe(t).login()
		start := time.Now()
		i.command(flagRead, 1<<20, nil, 0x28, 0, 0, 0, 0, 0, 0, 0x08, 0)
		n := p.server.matching(func(*session) bool { return true })[0]
		<-n.ended
		if got := time.Since(start); got != 20*time.Second {
			t.Errorf("session ended after %s, want 20 s", got)
		}
		if used := p.server.buffers.used.Load(); used != 0 {
			t.Errorf("%d bytes are still in use", used)
		}
	})
}

// A session that is logged out by force is told, and does not wait long for a
// peer that does not listen.
func TestDrop(t *testing.T) {
	all := func(Session) bool { return true }
	t.Run("tells", func(t *testing.T) {
		p := serve(t, Options{})
		i := p.dial(t).login()
		p.server.Drop(all)
		if h, _ := i.receive(opAsync); h[36] != asyncDropAll {
			t.Errorf("async event %d, want %d", h[36], asyncDropAll)
		}
		i.gone()
	})
	t.Run("does not wait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newPortal(Options{})
			p.pipe(t).login()
			n := p.server.matching(func(*session) bool { return true })[0]
			start := time.Now()
			p.server.Drop(all)
			<-n.ended
			if got := time.Since(start); got != farewellTime {
				t.Errorf("ended after %s, want %s", got, farewellTime)
			}
		})
	})
}

func TestConnectionsAndSessionsAreLimited(t *testing.T) {
	t.Run("logins of a host", func(t *testing.T) {
		p := serve(t, Options{MaxLogins: 2})
		first, second := p.dial(t), p.dial(t)
		first.step(0x03, named(pair{"AuthMethod", "None"})...)
		second.step(0x03, named(pair{"AuthMethod", "None"})...)
		p.dial(t).gone()
		first.step(0x83)
		if first.status != 0 {
			t.Fatalf("status %#04x", first.status)
		}
		first.command(0, 0, nil, 0x00)
		first.receive(opSCSIResponse)
		third := p.dial(t) // the first's place is free
		third.isid = 2
		third.login()
	})
	t.Run("connections", func(t *testing.T) {
		p := serve(t, Options{MaxConnections: 1})
		p.dial(t).login()
		p.dial(t).gone()
	})
	t.Run("sessions of an initiator", func(t *testing.T) {
		p := serve(t, Options{MaxSessions: 1})
		p.dial(t).login()
		i := p.dial(t)
		i.isid = 2
		if i.step(0x87, named()...); i.status != loginResources {
			t.Errorf("status %#04x, want %#04x", i.status, loginResources)
		}
		other := p.dial(t)
		other.name = "iqn.2001-04.com.example:other"
		other.login()
	})
}

func TestMemoryIsLimited(t *testing.T) {
	full := byte(scsi.StatusTaskSetFull)
	t.Run("writes of a session", func(t *testing.T) {
		p := serve(t, Options{MaxDataOut: 16 << 10})
		i := p.dial(t).login()
		tag := i.command(flagWrite, 16<<10, nil, write10(0, 32)...)
		r2t, _ := i.receive(opR2T)
		i.answered(i.command(flagWrite, 512, pattern(512), write10(0, 1)...), full)
		i.dataOut(tag, r2t.ttt(), 0, 0, true, pattern(16<<10))
		i.answered(tag, 0)
		i.answered(i.command(flagWrite, 512, pattern(512), write10(0, 1)...), 0)
	})
	t.Run("all sessions together", func(t *testing.T) {
		p := serve(t, Options{MaxMemory: 16 << 10})
		i, other := p.dial(t).login(), p.dial(t)
		other.isid = 2
		other.login()
		i.command(flagWrite, 16<<10, nil, write10(0, 32)...)
		i.receive(opR2T)
		other.answered(other.command(flagWrite, 512, pattern(512), write10(0, 1)...), full)
		other.answered(other.command(flagRead, 512, nil, read10(0, 1)...), full)
		i.wire.conn.Close()
		for _, n := range p.server.matching(func(n *session) bool {
			return n.info.ISID>>24 == 0 && n.wire.conn.RemoteAddr().String() == i.wire.conn.LocalAddr().String()
		}) {
			<-n.ended
		}
		other.command(flagRead, 512, nil, read10(0, 1)...)
		other.receive(opDataIn)
	})
}

func TestOversizedPDUsEndTheConnection(t *testing.T) {
	p := serve(t, Options{})
	h := &header{0x40 | opLoginRequest, 0x87}
	h.setDataLen(loginSegment + 1)
	i := p.dial(t)
	i.wire.conn.Write(h[:])
	i.gone()
	h = &header{0x40 | opNopOut, flagFinal}
	h.setDataLen(recvSegment + 1)
	i = p.dial(t).login()
	i.wire.conn.Write(h[:])
	i.gone()
	text := &header{0x40 | opLoginRequest, flagContinue}
	i = p.dial(t)
	for range maxTextLen/loginSegment + 1 {
		text[13] = i.isid
		i.send(text, make([]byte, loginSegment))
	}
	for i.status == 0 {
		r, _ := i.receive(opLoginResponse)
		i.status = uint16(r[36])<<8 | uint16(r[37])
	}
	if i.status != loginInitiatorError {
		t.Errorf("status %#04x, want %#04x", i.status, loginInitiatorError)
	}
}
