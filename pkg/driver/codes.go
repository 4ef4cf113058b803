package driver

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/san-csi/san-csi/pkg/provision"
	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
	"github.com/san-csi/san-csi/pkg/stage"
)

// codeOf maps an error of the flows to its gRPC code. The first match counts:
// a deadline that ran out is told as such, whatever it interrupted.
func codeOf(err error) codes.Code {
	var parameter *qos.ParameterError
	if errors.As(err, &parameter) {
		return codes.InvalidArgument
	}
	for _, m := range []struct {
		is   error
		code codes.Code
	}{
		{context.DeadlineExceeded, codes.DeadlineExceeded},
		{context.Canceled, codes.Canceled},
		{provision.ErrToken, codes.Aborted}, // CSI spec, ListVolumes errors
		{san.ErrUnavailable, codes.Unavailable},
		{san.ErrNotFound, codes.NotFound},
		{san.ErrExists, codes.AlreadyExists},
		{san.ErrInvalid, codes.InvalidArgument},
		{san.ErrOutOfRange, codes.OutOfRange},
		{san.ErrExhausted, codes.ResourceExhausted},
		{san.ErrBusy, codes.FailedPrecondition},
		{stage.ErrInFlight, codes.Aborted}, // CSI spec, "Error Scheme"
		{stage.ErrNotFound, codes.NotFound},
		{stage.ErrInvalid, codes.InvalidArgument},
		{stage.ErrConflict, codes.AlreadyExists},
		{stage.ErrBusy, codes.FailedPrecondition},
		{stage.ErrIdentity, codes.FailedPrecondition},
		{stage.ErrForeignData, codes.FailedPrecondition},
		{stage.ErrCorrupt, codes.FailedPrecondition},
		{stage.ErrTwin, codes.FailedPrecondition},
		{stage.ErrUnavailable, codes.Unavailable},
	} {
		if errors.Is(err, m.is) {
			return m.code
		}
	}
	return codes.Internal
}

// toStatus is the error as gRPC carries it; one that has a code keeps it.
func toStatus(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	return status.Error(codeOf(err), err.Error())
}
