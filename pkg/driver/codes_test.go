package driver

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/provision"
	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
	"github.com/san-csi/san-csi/pkg/stage"
)

func TestCodes(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want codes.Code
	}{
		{san.ErrNotFound, codes.NotFound},
		{san.ErrExists, codes.AlreadyExists},
		{san.ErrInvalid, codes.InvalidArgument},
		{san.ErrOutOfRange, codes.OutOfRange},
		{san.ErrExhausted, codes.ResourceExhausted},
		{san.ErrBusy, codes.FailedPrecondition},
		{san.ErrUnavailable, codes.Unavailable},
		{placement.ErrNoArray, codes.Internal}, // alone; it comes with ErrNotFound
		{provision.ErrToken, codes.Aborted},
		{&qos.ParameterError{Key: "maxIOPS"}, codes.InvalidArgument},
		{stage.ErrNotFound, codes.NotFound},
		{stage.ErrInvalid, codes.InvalidArgument},
		{stage.ErrConflict, codes.AlreadyExists},
		{stage.ErrBusy, codes.FailedPrecondition},
		{stage.ErrIdentity, codes.FailedPrecondition},
		{stage.ErrForeignData, codes.FailedPrecondition},
		{stage.ErrCorrupt, codes.FailedPrecondition},
		{stage.ErrTwin, codes.FailedPrecondition},
		{stage.ErrInFlight, codes.Aborted},
		{stage.ErrUnavailable, codes.Unavailable},
		{context.DeadlineExceeded, codes.DeadlineExceeded},
		{context.Canceled, codes.Canceled},
		{errors.Join(san.ErrUnavailable, context.DeadlineExceeded), codes.DeadlineExceeded},
		{errors.New("anything else"), codes.Internal},
		{status.Error(codes.Aborted, "has a code"), codes.Aborted},
	} {
		t.Run(tc.err.Error(), func(t *testing.T) {
			wrapped := tc.err
			if _, ok := status.FromError(tc.err); !ok {
				wrapped = fmt.Errorf("volume 7: %w", tc.err)
			}
			if got := status.Code(toStatus(wrapped)); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
	if toStatus(nil) != nil {
		t.Error("no error became one")
	}
}
