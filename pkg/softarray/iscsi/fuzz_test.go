package iscsi

import (
	"net"
	"testing"
)

// FuzzFullFeature sends arbitrary bytes in full feature phase: the session must
// end with its connection, whatever they were.
func FuzzFullFeature(f *testing.F) {
	for _, opcode := range []byte{opNopOut, opSCSICommand, opTaskRequest, opTextRequest, opDataOut, opLogout} {
		h := header{0x40 | opcode, flagFinal | flagWrite}
		h.setITT(9)
		h.put32(20, 512)
		copy(h[32:], write10(0, 1))
		f.Add(h[:])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p := serve(t, Options{})
		i := p.dial(t).login()
		i.wire.conn.Write(data) // the target may hang up first
		i.wire.conn.(*net.TCPConn).CloseWrite()
		i.gone()
		for _, n := range p.server.matching(func(*session) bool { return true }) {
			<-n.ended
		}
	})
}
