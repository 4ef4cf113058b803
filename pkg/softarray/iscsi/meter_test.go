package iscsi

import (
	"testing"
	"time"
)

// counter is a Meter that keeps what it is told.
type counter struct{ served chan served }

type served struct {
	write bool
	bytes int
	took  time.Duration
}

func (c *counter) Served(write bool, n int, arrived, ended time.Time) {
	c.served <- served{write, n, ended.Sub(arrived)}
}

// A command is counted once it ended well, before its response is sent, and
// took as long as its initiator waited: for the throttle too.
func TestCommandsAreCounted(t *testing.T) {
	p := serve(t, Options{})
	g := &gate{open: make(chan struct{}), waiting: make(chan struct{}, 4)}
	c := &counter{served: make(chan served, 4)}
	p.directory.admission.Throttle, p.directory.admission.Meter = g, c
	i := p.dial(t).login()
	i.command(flagWrite, 1024, pattern(1024), write10(0, 2)...)
	<-g.waiting
	waiting := time.Now()
	if got := p.server.Sessions()[0].Outstanding; got != 1 {
		t.Errorf("%d commands outstanding, want 1", got)
	}
	least := time.Since(waiting)
	close(g.open)
	i.receive(opSCSIResponse)
	if got := <-c.served; !got.write || got.bytes != 1024 || got.took < least {
		t.Errorf("counted %+v, want a write of 1024 bytes in more than %v", got, least)
	}
	i.command(0, 0, nil, 0x00) // TEST UNIT READY
	i.receive(opSCSIResponse)
	i.command(flagWrite, 512, pattern(512), 0x2a, 0, 0x40, 0, 0, 0, 0, 0, 1) // WRITE(10) out of range
	i.receive(opSCSIResponse)
	if len(c.served) != 0 {
		t.Errorf("counted %+v", <-c.served)
	}
}
