package iscsi

import (
	"fmt"
	"slices"
	"testing"
)

// ask sends a Text Request and returns the response.
func (i *initiator) ask(b1 byte, ttt uint32, data []byte) (*header, []byte) {
	i.t.Helper()
	h := &header{0x40 | opTextRequest, b1}
	h.setITT(5)
	h.setTTT(ttt)
	h.put32(24, i.cmdSN)
	i.send(h, data)
	return i.receive(opTextResponse)
}

func TestTextKeys(t *testing.T) {
	p := serve(t, Options{})
	self := []pair{{"TargetName", testTarget}, {"TargetAddress", p.address + ",1"}}
	for _, tt := range []struct {
		name      string
		discovery bool
		key       pair
		want      []pair
	}{
		{"all targets", true, pair{"SendTargets", "All"}, self},
		{"one target", true, pair{"SendTargets", testTarget}, self},
		{"no such target", true, pair{"SendTargets", "iqn.2010-01.com.solidfire:none"}, nil},
		{"the session's own", false, pair{"SendTargets", ""}, self},
		{"all, but not for discovery", false, pair{"SendTargets", "All"}, []pair{{"SendTargets", "Reject"}}},
		{"key of the login", false, pair{"HeaderDigest", "None"}, []pair{{"HeaderDigest", "Reject"}}},
		{"unknown key", false, pair{"X-com.example", "1"}, []pair{{"X-com.example", "NotUnderstood"}}},
		{"segment that is too short", false, pair{"MaxRecvDataSegmentLength", "511"}, []pair{{"MaxRecvDataSegmentLength", "Reject"}}},
	} {
		i := p.dial(t)
		if tt.discovery {
			i.discover()
		} else {
			i.login()
		}
		h, data := i.ask(flagFinal, noTag, formatText([]pair{tt.key}))
		if pairs, err := parseText(data); err != nil || !h.final() || h.ttt() != noTag || !slices.Equal(pairs, tt.want) {
			t.Errorf("%s: %v, %v, flags %#02x; want %v", tt.name, pairs, err, h[1], tt.want)
		}
		i.wire.conn.Close()
	}
	if len(p.server.Sessions()) > 0 {
		for _, n := range p.server.matching(func(*session) bool { return true }) {
			<-n.ended
		}
	}
}

// A request in two parts, and an answer in as many as the initiator's segments
// need.
func TestTextInParts(t *testing.T) {
	p := serve(t, Options{})
	for n := range 20 {
		p.directory.more = append(p.directory.more, fmt.Sprintf("%s%d", testTarget, n))
	}
	i := p.dial(t).discover()
	i.ask(flagFinal, noTag, formatText([]pair{{"MaxRecvDataSegmentLength", "512"}}))
	h, _ := i.ask(flagContinue, noTag, []byte("SendTar"))
	if h.final() || h.continues() || h.ttt() == noTag {
		t.Fatalf("flags %#02x, tag %#x after a part", h[1], h.ttt())
	}
	h, all := i.ask(flagFinal, h.ttt(), []byte("gets=All\x00"))
	for parts := 1; h.continues(); parts++ {
		if h.final() || h.ttt() == noTag || h.dataLen() > 512 {
			t.Fatalf("part %d: flags %#02x, tag %#x, %d bytes", parts, h[1], h.ttt(), h.dataLen())
		}
		var data []byte
		h, data = i.ask(flagFinal, h.ttt(), nil)
		all = append(all, data...)
	}
	if pairs, err := parseText(all); err != nil || len(pairs) != 42 || !h.final() {
		t.Errorf("%d keys, %v, want 42", len(pairs), err)
	}
}

// The target does not end an exchange that the initiator keeps open.
func TestExchangeIsTheInitiatorsToEnd(t *testing.T) {
	i := serve(t, Options{}).dial(t).discover()
	h, data := i.ask(0, noTag, formatText([]pair{{"SendTargets", "All"}}))
	if h.final() || h.continues() || h.ttt() == noTag || len(data) == 0 {
		t.Fatalf("flags %#02x, tag %#x", h[1], h.ttt())
	}
	if h, _ = i.ask(flagFinal, h.ttt(), nil); !h.final() || h.ttt() != noTag {
		t.Errorf("flags %#02x, tag %#x", h[1], h.ttt())
	}
}

func TestWrongTextIsRejected(t *testing.T) {
	i := serve(t, Options{}).dial(t).discover()
	for name, tt := range map[string]struct {
		ttt    uint32
		text   string
		reason byte
	}{
		"no exchange":   {77, "SendTargets=All\x00", rejectInvalidField},
		"no text":       {noTag, "SendTargets\x00", rejectProtocol},
		"a key twice":   {noTag, "SendTargets=All\x00SendTargets=All\x00", rejectProtocol},
		"too many keys": {noTag, manyKeys(), rejectProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			i.request(opTextRequest, 0, 5, tt.ttt, []byte(tt.text))
			i.rejected(tt.reason)
		})
	}
}

func manyKeys() (text string) {
	for n := range maxKeys + 1 {
		text += fmt.Sprintf("X-%d=1\x00", n)
	}
	return text
}
