package driver

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestASecondCallOnAVolumeIsAborted(t *testing.T) {
	f := newInflight()
	leave, err := f.enter("a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.enter("a"); status.Code(err) != codes.Aborted {
		t.Errorf("while the first is running: got %v, want Aborted", err)
	}
	other, err := f.enter("b")
	if err != nil {
		t.Errorf("another volume: %v", err)
	}
	other()
	leave()
	if _, err := f.enter("a"); err != nil {
		t.Errorf("after the first has left: %v", err)
	}
}
