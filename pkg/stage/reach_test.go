package stage

import (
	"net"
	"testing"
)

func TestDial(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := dial(t.Context(), l.Addr().String()); err != nil {
		t.Errorf("a portal that listens: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := dial(t.Context(), l.Addr().String()); err == nil {
		t.Error("a portal that is gone took a connection")
	}
}
