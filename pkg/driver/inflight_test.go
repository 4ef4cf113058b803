package driver

import (
	"errors"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestASecondCallOnAVolumeIsAborted(t *testing.T) {
	f := newInflight()
	nothing := func() error { return nil }
	first := errors.New("what the work itself says")
	err := f.do("a", func() error {
		if err := f.do("a", nothing); status.Code(err) != codes.Aborted {
			t.Errorf("while the first is running: got %v, want Aborted", err)
		}
		if err := f.do("a", nothing); status.Code(err) != codes.Aborted {
			t.Errorf("a third one: got %v, want Aborted", err)
		}
		if err := f.do("b", nothing); err != nil {
			t.Errorf("another volume: %v", err)
		}
		return first
	})
	if !errors.Is(err, first) {
		t.Errorf("got %v", err)
	}
	if err := f.do("a", nothing); err != nil {
		t.Errorf("after the first has left: %v", err)
	}
}
