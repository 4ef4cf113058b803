package iscsi

import (
	"testing"
)

// waiting is a portal whose throttle lets nothing through, and a session with
// a write and a write of another session behind it.
func waiting(t *testing.T) (p *portal, mine, other *initiator, tag uint32) {
	p = serve(t, Options{})
	g := &gate{open: make(chan struct{}), waiting: make(chan struct{}, 4)}
	p.directory.admission.Throttle = g
	mine, other = p.dial(t).login(), p.dial(t)
	other.isid = 2
	other.login()
	tag = mine.command(flagWrite, 512, pattern(512), write10(0, 1)...)
	<-g.waiting
	other.command(flagWrite, 512, pattern(512), write10(0, 1)...)
	<-g.waiting
	return p, mine, other, tag
}

func (n *session) inWindow() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.inFlight
}

func TestTaskManagement(t *testing.T) {
	const unitAttention, reset = 0x06, 0x29
	for _, tt := range []struct {
		name           string
		function       byte
		want           byte
		mine, others   int  // commands left
		resets, closes bool // unit attention for all; connections end
	}{
		{name: "abort task", function: tmfAbortTask, others: 1},
		{name: "abort task set", function: tmfAbortTaskSet, others: 1},
		{name: "clear task set, each nexus has its own", function: tmfClearTaskSet, others: 1},
		{name: "logical unit reset", function: tmfLUNReset, resets: true},
		{name: "target warm reset", function: tmfWarmReset, resets: true},
		{name: "target cold reset", function: tmfColdReset, closes: true},
		{name: "clear ACA", function: 3, want: tmfNotSupported, mine: 1, others: 1},
		{name: "task reassign", function: tmfReassign, want: tmfNoReassign, mine: 1, others: 1},
		{name: "no function", function: 99, want: tmfNotSupported, mine: 1, others: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, mine, other, tag := waiting(t)
			if got := mine.manage(tt.function, tag); got != tt.want {
				t.Fatalf("response %d, want %d", got, tt.want)
			}
			if tt.closes {
				mine.gone()
				other.gone()
			}
			for _, n := range p.server.matching(func(*session) bool { return !tt.closes }) {
				want := tt.mine
				if n.info.ISID != p.server.Sessions()[0].ISID {
					want = tt.others
				}
				if got := n.inWindow(); got != want {
					t.Errorf("session %d has %d commands left, want %d", n.info.ID, got, want)
				}
			}
			if tt.resets {
				for _, i := range []*initiator{mine, other} {
					if sense := i.answered(i.command(0, 0, nil, 0x00), 2); sense[2+2] != unitAttention || sense[2+12] != reset {
						t.Errorf("sense % x, want a unit attention", sense)
					}
				}
			}
			if p.disk.b[1] != 0 {
				t.Error("an aborted write was carried out")
			}
		})
	}
}

func TestTaskManagementOfNoSuchUnit(t *testing.T) {
	i := serve(t, Options{}).dial(t).login()
	h := &header{0x40 | opTaskRequest, flagFinal | tmfLUNReset}
	h.setLUN(5 << 48)
	h.setITT(0x7000)
	h.put32(24, i.cmdSN)
	i.send(h, nil)
	if r, _ := i.receive(opTaskResponse); r[2] != tmfNoLUN {
		t.Errorf("response %d, want %d", r[2], tmfNoLUN)
	}
}

// A function is answered when what it aborts has ended, and others do not pile
// up behind it without end.
func TestFunctionsWaitForTheDiskAndAreLimited(t *testing.T) {
	p := serve(t, Options{})
	p.disk.hold = make(chan struct{})
	i := p.dial(t).login()
	i.command(0, 0, nil, 0x35) // SYNCHRONIZE CACHE
	<-p.disk.held
	for n := range uint32(maxFunctions + 1) {
		i.request(opTaskRequest, tmfAbortTaskSet, 0x7000+n, 0, nil)
	}
	i.rejected(rejectTooMany)
	close(p.disk.hold)
	for range maxFunctions {
		if r, _ := i.receive(opTaskResponse); r[2] != tmfComplete {
			t.Errorf("response %d", r[2])
		}
	}
}

func TestLogoutReasons(t *testing.T) {
	p := serve(t, Options{})
	for _, tt := range []struct {
		name   string
		reason byte
		cid    uint32
		want   byte
		stays  bool
	}{
		{"session", logoutSession, 0, logoutDone, false},
		{"connection", logoutConnection, 0, logoutDone, false},
		{"another connection", logoutConnection, 5, logoutNoCID, true},
		{"for recovery", logoutRecovery, 0, logoutNoRecovery, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i := p.dial(t).login()
			i.request(opLogout, tt.reason, 5, tt.cid<<16, nil)
			if r, _ := i.receive(opLogoutReply); r[2] != tt.want {
				t.Errorf("response %d, want %d", r[2], tt.want)
			}
			if !tt.stays {
				i.gone()
				return
			}
			i.answered(i.command(0, 0, nil, 0x00), 0)
		})
	}
	i := p.dial(t).login()
	i.request(opLogout, 9, 5, 0, nil)
	i.rejected(rejectInvalidField)
}
