// Package controller runs what a controller works on as processes of the host:
// san-array, the driver in its controller mode, and a proxy between the two
// that counts the calls and makes some of them go wrong. No Kubernetes, no iSCSI.
package controller

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
)

// Account is the tenant account of the driver's volumes.
const Account = "k8s"

// APIPath is the version of the API that is spoken.
const APIPath = "/json-rpc/12.5"

// Build builds the driver and the array into a directory.
func Build(ctx context.Context, dir string) error {
	build := exec.CommandContext(ctx, "go", "build", "-o", dir+string(filepath.Separator),
		"github.com/san-csi/san-csi/cmd/san-csi", "github.com/san-csi/san-csi/cmd/san-array")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the driver and the array: %w: %s", err, out)
	}
	return nil
}

// freeAddress is a loopback address that nobody listens on. It is taken once
// and kept over restarts, so that clients need not look for it anew.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
