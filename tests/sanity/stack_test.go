// Package sanity runs csi-sanity and the table of bad input against the driver
// as it is wired, with san-array behind it by HTTPS and a fake initiator.
package sanity

import (
	"context"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/san-csi/san-csi/pkg/driver"
	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/provision"
	"github.com/san-csi/san-csi/pkg/san"
	sanelement "github.com/san-csi/san-csi/pkg/san/element"
	"github.com/san-csi/san-csi/pkg/softarray"
	"github.com/san-csi/san-csi/pkg/stage"
)

const (
	username = "admin"
	password = "correct-horse-battery"
	// maxVolumes is how many volumes the node takes.
	maxVolumes = 3
)

// stack is an array, the driver before it, and what its node did.
type stack struct {
	endpoint  string // of the CSI socket
	conn      *grpc.ClientConn
	array     element.Config // how the array is reached
	initiator *fakeInitiator
	disks     *fakeFilesystem
	fleet     *placement.Fleet
	stop      func() // the driver's, before the test ends
}

// startArray serves a software array on loopback and says how it is reached.
func startArray(t *testing.T) element.Config {
	t.Helper()
	array, err := softarray.Open(softarray.Config{DataDir: t.TempDir(), Username: username, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	control, data := listen(t), listen(t)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- array.Run(ctx, control, data) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("array: %v", err)
		}
		if err := array.Close(); err != nil {
			t.Errorf("array: %v", err)
		}
	})
	return element.Config{
		Endpoint: "https://" + control.Addr().String() + "/json-rpc/12.5",
		Username: username, Password: password, CAFile: array.CAFile(),
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// start is a stack of its own for one test.
func start(t *testing.T) *stack {
	t.Helper()
	return startOn(t, startArray(t))
}

// startOn is the driver on an array that is reached so.
func startOn(t *testing.T, array element.Config) *stack {
	t.Helper()
	return startWith(t, array, "test", placement.Budget{})
}

// startWith is startOn as the controller of that cluster and with that budget.
func startWith(t *testing.T, array element.Config, cluster string, b placement.Budget) *stack {
	t.Helper()
	s := &stack{
		endpoint: filepath.Join(t.TempDir(), "csi.sock"), array: array,
		initiator: newFakeInitiator(), disks: newFakeFilesystem(),
	}
	d, err := driver.New(driver.Options{Version: "test", Controller: s.controller(t, cluster, b), Node: s.node(t)})
	if err != nil {
		t.Fatal(err)
	}
	l, err := driver.Listen(s.endpoint)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Serve(ctx, l) }()
	s.stop = sync.OnceFunc(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("driver: %v", err)
		}
	})
	t.Cleanup(s.stop)
	if s.conn, err = grpc.NewClient("unix://"+s.endpoint, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.conn.Close() })
	return s
}

func (s *stack) controller(t *testing.T, cluster string, b placement.Budget) *driver.Controller {
	t.Helper()
	client, err := element.New(s.array)
	if err != nil {
		t.Fatal(err)
	}
	array, err := sanelement.New(sanelement.Config{
		Client: client, Account: "k8s", Cluster: cluster, Incarnation: uuid.NewString(), MaxVolumesPerNode: maxVolumes,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.fleet = placement.NewFleet(cluster, []placement.Member{{Name: "a", Array: array, Budget: b}})
	flows := provision.New(s.fleet, cluster)
	return driver.NewController(flows, flows)
}

func (s *stack) node(t *testing.T) *driver.Node {
	t.Helper()
	stager, err := stage.New(stage.Options{Iscsi: s.initiator, Disks: s.disks, Mounts: s.disks, RecordsDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	node, err := san.NewNode("iqn.2026-01.io.san-csi.test:node-a", "node-a")
	if err != nil {
		t.Fatal(err)
	}
	return driver.NewNode(driver.NodeOptions{Stager: stager, Node: node, MaxVolumes: maxVolumes})
}
