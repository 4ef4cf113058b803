package driver

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/san-csi/san-csi/pkg/san"
)

// TestStandby: until it leads, a driver says who it is and that it is not ready,
// and refuses the rest.
func TestStandby(t *testing.T) {
	d, err := New(Options{Version: "1", Standby: true, Node: NewNode(NodeOptions{Node: san.Node{}})})
	if err != nil {
		t.Fatal(err)
	}
	conn := serve(t, d)
	identity, node := csi.NewIdentityClient(conn), csi.NewNodeClient(conn)
	for _, state := range []struct {
		name  string
		enter func()
		ready bool
		code  codes.Code
	}{
		{"standing by", func() {}, false, codes.Unavailable},
		{"active", d.Activate, true, codes.OK},
	} {
		state.enter()
		if info, err := identity.GetPluginInfo(t.Context(), &csi.GetPluginInfoRequest{}); err != nil || info.GetName() != Name {
			t.Errorf("%s: GetPluginInfo %v, %v", state.name, info, err)
		}
		probe, err := identity.Probe(t.Context(), &csi.ProbeRequest{})
		if err != nil || probe.GetReady().GetValue() != state.ready {
			t.Errorf("%s: Probe %v, %v; want ready %t", state.name, probe, err, state.ready)
		}
		_, err = node.NodeGetCapabilities(t.Context(), &csi.NodeGetCapabilitiesRequest{})
		if status.Code(err) != state.code {
			t.Errorf("%s: NodeGetCapabilities %v, want %s", state.name, err, state.code)
		}
	}
}

// serve serves the driver for the test's time.
func serve(t *testing.T, d *Driver) *grpc.ClientConn {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "csi.sock")
	l, err := Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Serve(ctx, l) }()
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return conn
}
