package lab

import (
	"context"
	"fmt"
	"net"
	"path"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"sigs.k8s.io/yaml"

	"github.com/san-csi/san-csi/tests/guest"
)

const (
	// Endpoint is the driver's CSI endpoint in a guest.
	Endpoint = "unix://" + socket
	socket   = "/run/san-csi.sock"
	// Account is the tenant account of the driver's volumes.
	Account = "k8s"

	// Log is the driver's log in a guest.
	Log = "/var/log/san-csi.log"

	configDir = "/etc/san-csi"
)

// Node is a guest with the driver in it.
type Node struct {
	VM   *guest.VM
	Conn *grpc.ClientConn // to the driver; connects anew after the driver was killed

	program string
	socket  string
	args    string
	spans   string // further argument: where they go
}

// Boot starts a guest with iscsid, and with what the driver needs.
func (l *Lab) Boot(ctx context.Context, name string) (*Node, error) {
	return l.BootAs(ctx, guest.Config{Name: name})
}

// BootAs is Boot for a guest that is somehow special.
func (l *Lab) BootAs(ctx context.Context, config guest.Config) (*Node, error) {
	config.Disks = []string{l.payload}
	vm, err := guest.Boot(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := vm.StartISCSI(ctx); err != nil {
		return nil, err
	}
	if err := l.configure(ctx, vm); err != nil {
		return nil, err
	}
	n, err := connect(vm, "san-csi", socket)
	if err == nil && l.spans != nil {
		n.spans = "--tracing-endpoint=" + l.spans.Endpoint()
	}
	return n, err
}

func connect(vm *guest.VM, program, socket string) (*Node, error) {
	conn, err := grpc.NewClient("passthrough:///"+vm.Name,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return vm.Dial(ctx, socket) }))
	if err != nil {
		return nil, err
	}
	return &Node{VM: vm, Conn: conn, program: program, socket: socket}, nil
}

// FailpointSteps is where tests/failpoint writes what the last call did.
const FailpointSteps = failpointSocket + ".taken"

const failpointSocket = "/run/failpoint.sock"

// Failpoints is the guest with tests/failpoint in the driver's place; the driver
// must not serve the node at the same time.
func (n *Node) Failpoints() (*Node, error) {
	f, err := connect(n.VM, "failpoint", failpointSocket)
	if err == nil {
		f.args = "--v=4 --socket=" + f.socket
	}
	return f, err
}

// configure writes the arrays' file and the array's CA.
func (l *Lab) configure(ctx context.Context, vm *guest.VM) error {
	file, err := yaml.Marshal(map[string]any{"arrays": []map[string]any{{
		"name": "a", "driver": "element", "endpoint": l.endpoint,
		"username": l.Username, "password": l.Password,
		"caFile": path.Join(configDir, "ca.pem"), "account": Account,
	}}})
	if err != nil {
		return err
	}
	if err := vm.Put(ctx, path.Join(configDir, "ca.pem"), l.ca, 0o644); err != nil {
		return err
	}
	return vm.Put(ctx, path.Join(configDir, "arrays.yaml"), file, 0o600)
}

// StartDriver starts the driver, controller and node, and waits for its socket.
func (n *Node) StartDriver(ctx context.Context, args ...string) error {
	n.args = strings.Join(append([]string{"--mode=all", "--endpoint=" + Endpoint, "--v=4", n.spans}, args...), " ")
	return n.RestartDriver(ctx)
}

// RestartDriver kills the driver, if it runs, and starts it again.
func (n *Node) RestartDriver(ctx context.Context) error {
	if err := n.KillDriver(ctx); err != nil {
		return err
	}
	pid, err := n.VM.Start(ctx, "exec /payload/"+n.program+" "+n.args, "/var/log/"+n.program+".log")
	if err != nil {
		return err
	}
	_, err = n.VM.Run(ctx, fmt.Sprintf("until [ -S %s ]; do kill -0 %d || { tail -n 5 /var/log/%s.log >&2; exit 1; }; usleep 50000; done", n.socket, pid, n.program))
	return err
}

// KillDriver sends the driver SIGKILL and waits until it is gone; its socket
// goes with it, so that the next start is not taken for the last one.
func (n *Node) KillDriver(ctx context.Context) error {
	_, err := n.VM.Run(ctx, fmt.Sprintf("while pidof %[1]s >/dev/null; do killall -q -9 %[1]s; usleep 20000; done; rm -f %[2]s", n.program, n.socket))
	return err
}

// endDriver sends the driver SIGTERM and waits until it is gone.
func (n *Node) endDriver(ctx context.Context) error {
	_, err := n.VM.Run(ctx, fmt.Sprintf("killall -q -TERM %[1]s; while pidof %[1]s >/dev/null; do usleep 20000; done", n.program))
	return err
}

// leftoverScript prints what iSCSI, mounts, records and files a node still has.
const leftoverScript = `
for s in /sys/class/iscsi_session/*/targetname; do [ -e "$s" ] && echo "session of $(cat $s)"; done
for d in /sys/block/sd*; do [ -e "$d" ] && echo "device ${d##*/}"; done
for u in /sys/block/dm-*/dm/uuid; do case $(cat $u 2>/dev/null) in mpath-*) echo "map $(cat $u)";; esac; done
grep -E '^/dev/sd|^/dev/mapper/(3|mpath)|/run/sanity/(staging|mount)|/var/lib/kubelet' /proc/mounts | sed 's/^/mount /'
find /etc/iscsi/nodes /var/lib/iscsi/nodes -mindepth 1 -maxdepth 1 2>/dev/null | sed 's/^/node record /'
find /var/lib/san-csi -type f ! -name 'node.*' 2>/dev/null | sed 's/^/stage record /'
find /var/lib/kubelet /run/sanity/staging /run/sanity/mount -xdev -type f 2>/dev/null | sed 's/^/file /'
true`

// Leftovers is what sessions, devices, mounts and records the node has.
func (n *Node) Leftovers(ctx context.Context) ([]string, error) {
	out, err := n.VM.Run(ctx, leftoverScript)
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(out, func(r rune) bool { return r == '\n' }), nil
}
