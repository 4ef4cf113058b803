package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/san-csi/san-csi/tests/chart/helm"
	"github.com/san-csi/san-csi/tests/guest"
)

// The variables by which the program tells the isolated one what it prepared.
const (
	filesVariable    = "SAN_CSI_CLUSTER_FILES"
	listenerVariable = "SAN_CSI_CLUSTER_LISTENER"
)

// Isolate is [guest.Isolate] for programs that open a cluster: before it, where
// Debian's archive and the Go module proxy can still be reached, it builds
// Kubernetes and the product, and opens the port of the host's loopback by
// which the cluster is reached from outside.
func Isolate() { isolate(false) }

// isolate prepares Kubernetes' own tests too, where they are asked for.
func isolate(withSuite bool) {
	if !guest.Isolated() {
		if err := prepare(withSuite); err != nil {
			fmt.Fprintf(os.Stderr, "cluster: %v\n", err)
			os.Exit(1)
		}
	}
	guest.Isolate()
}

func prepare(withSuite bool) error {
	if os.Geteuid() != 0 {
		return errors.New("root is needed: the host is one of the cluster's nodes")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	f, err := prepareFiles(ctx, withSuite)
	if err != nil {
		return err
	}
	encoded, err := json.Marshal(f)
	if err != nil {
		return err
	}
	listener, err := inheritableListener()
	if err != nil {
		return err
	}
	return errors.Join(
		os.Setenv(filesVariable, string(encoded)),
		os.Setenv(listenerVariable, strconv.Itoa(listener)),
	)
}

// prepareFiles builds and unpacks what a cluster is made of.
func prepareFiles(ctx context.Context, withSuite bool) (*files, error) {
	helmPath, root, err := helm.Tool(ctx, "helm", "helm.sh/helm/v4/cmd/helm")
	if err != nil {
		return nil, err
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	cache := filepath.Join(base, "san-csi", "kubernetes")
	f := &files{
		Product: builtIn(root), Chart: filepath.Join(root, helm.Chart),
		Examples: filepath.Join(root, "examples"), Helm: helmPath,
	}
	if err := buildProduct(ctx, root, f.Product); err != nil {
		return nil, err
	}
	if f.Previous, err = previousSource(ctx, root, cache); err != nil {
		return nil, err
	}
	if err := f.trees(ctx, cache); err != nil {
		return nil, err
	}
	if f.Definitions, err = snapshotDefinitions(ctx, root); err != nil {
		return nil, err
	}
	if f.Programs, err = kubernetes.build(ctx, root, cache); err != nil {
		return nil, err
	}
	if f.Sidecars, err = sidecars.build(ctx, root, cache); err != nil || !withSuite {
		return f, err
	}
	f.Suite, err = suite.build(ctx, root, cache)
	return f, err
}

// builtIn is where a source tree has what is built of it: in the tree, so that another
// one at the same time builds its own.
func builtIn(root string) string { return filepath.Join(root, "bin", "cluster") }

// buildProduct builds what the images have of this repository.
func buildProduct(ctx context.Context, root, dir string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", dir+"/",
		"./cmd/san-csi", "./cmd/san-array", "./tests/cluster/pause", "./tests/cluster/reads")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the driver and the array: %w: %s", err, lastBytes(string(out), 2000))
	}
	return nil
}

// preparedFiles are those of the outer program.
func preparedFiles() (files, error) {
	var f files
	encoded := os.Getenv(filesVariable)
	if encoded == "" {
		return f, errors.New("cluster.Isolate was not called first thing in this program")
	}
	return f, json.Unmarshal([]byte(encoded), &f)
}

// inheritableListener listens on the loopback of the network namespace this is
// called in, with a descriptor that the isolated program inherits: a socket
// stays in the namespace it was made in.
func inheritableListener() (descriptor int, err error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		return 0, err
	}
	defer file.Close()
	return unix.Dup(int(file.Fd())) // without close-on-exec
}

// inheritedListener is the outer program's listener.
func inheritedListener() (net.Listener, error) {
	descriptor, err := strconv.Atoi(os.Getenv(listenerVariable))
	if err != nil {
		return nil, fmt.Errorf("inherited listener: %w", err)
	}
	file := os.NewFile(uintptr(descriptor), "listener")
	defer file.Close()
	return net.FileListener(file)
}

// forward connects each who connects to the listener with address, until the
// listener is closed.
func forward(listener net.Listener, address string) {
	for {
		outside, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer outside.Close()
			inside, err := net.Dial("tcp4", address)
			if err != nil {
				return // the client sees the end of the connection
			}
			defer inside.Close()
			join(outside, inside)
		}()
	}
}

func join(a, b net.Conn) {
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(a, b); a.(*net.TCPConn).CloseWrite() })
	both.Go(func() { _, _ = io.Copy(b, a); b.(*net.TCPConn).CloseWrite() })
	both.Wait()
}
