package driver

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxName is CSI's bound for a string that has none of its own, bytes (CSI
// spec, "Size Limits").
const maxName = 128

// required finds a field that is missing.
func required(fields ...field) error {
	for _, f := range fields {
		if f.value == "" {
			return status.Errorf(codes.InvalidArgument, "%s: missing", f.name)
		}
	}
	return nil
}

type field struct{ name, value string }

// checkName holds a name against CSI's bound.
func checkName(name string) error {
	if n := len(name); n > maxName {
		return status.Errorf(codes.InvalidArgument, "name: %d bytes, at most %d", n, maxName)
	}
	return nil
}
