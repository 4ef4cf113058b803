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
	flows     *provision.Flows
	stop      func() // the driver's, before the test ends
}

// startArray serves a software array on loopback and says how it is reached.
func startArray(t *testing.T) element.Config {
	t.Helper()
	reached, _ := startStoppable(t)
	return reached
}

// startStoppable is startArray with what ends it before the test does.
func startStoppable(t *testing.T) (reached element.Config, end func()) {
	t.Helper()
	reached, _, end = startAs(t, softarray.Config{})
	return reached, end
}

// startAs is startStoppable with that configuration, and where its iSCSI is.
func startAs(t *testing.T, c softarray.Config) (reached element.Config, portal string, end func()) {
	t.Helper()
	c.DataDir, c.Username, c.Password = t.TempDir(), username, password
	array, err := softarray.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	control, data := listen(t), listen(t)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- array.Run(ctx, control, data) }()
	end = sync.OnceFunc(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("array: %v", err)
		}
		if err := array.Close(); err != nil {
			t.Errorf("array: %v", err)
		}
	})
	t.Cleanup(end)
	return element.Config{
		Endpoint: "https://" + control.Addr().String() + "/json-rpc/12.5",
		Username: username, Password: password, CAFile: array.CAFile(),
	}, data.Addr().String(), end
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
	m := member(t, "a", array, cluster)
	m.Budget = b
	s := serve(t, cluster, m)
	s.array = array
	return s
}

// serve is the driver on those arrays, as the controller of that cluster.
func serve(t *testing.T, cluster string, members ...placement.Member) *stack {
	t.Helper()
	s := &stack{
		endpoint:  filepath.Join(t.TempDir(), "csi.sock"),
		initiator: newFakeInitiator(), disks: newFakeFilesystem(),
		fleet: placement.NewFleet(cluster, members),
	}
	s.flows = provision.New(s.fleet, cluster)
	d, err := driver.New(driver.Options{
		Version: "test", Controller: driver.NewController(s.flows, s.flows, s.flows), Groups: driver.NewGroupController(s.flows), Node: s.node(t),
	})
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

// member is an array of that name as a controller of the cluster reaches it.
func member(t *testing.T, name string, reached element.Config, cluster string) placement.Member {
	t.Helper()
	client, err := element.New(reached)
	if err != nil {
		t.Fatal(err)
	}
	array, err := sanelement.New(sanelement.Config{
		Client: client, Account: "k8s", Cluster: cluster, Incarnation: uuid.NewString(), MaxVolumesPerNode: maxVolumes,
	})
	if err != nil {
		t.Fatal(err)
	}
	return placement.Member{Name: name, Array: array}
}

func (s *stack) node(t *testing.T) *driver.Node {
	t.Helper()
	stager, err := stage.New(stage.Options{Iscsi: s.initiator, Daemons: s.initiator, Disks: s.disks, Mounts: s.disks, RecordsDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	node, err := san.NewNode("iqn.2026-01.io.san-csi.test:node-a", "node-a")
	if err != nil {
		t.Fatal(err)
	}
	return driver.NewNode(driver.NodeOptions{Stager: stager, Node: node, MaxVolumes: maxVolumes})
}
