// Command registrar stands in for node-driver-registrar and livenessprobe in
// this repository's test clusters, and nowhere else: it takes the arguments the
// chart gives them and does what a test cluster needs of them. As registrar it
// tells the kubelet the driver's name and socket; with --probe, as liveness
// probe, it answers /healthz by asking the driver's Probe.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

type options struct {
	probe                                  bool
	csiAddress, kubeletPath, registrations string
	healthPort                             string
	httpEndpoint                           string
	timeout                                time.Duration
}

func main() {
	var o options
	flag.BoolVar(&o.probe, "probe", false, "be the liveness probe")
	flag.StringVar(&o.csiAddress, "csi-address", "/run/csi/socket", "the driver's socket")
	flag.StringVar(&o.kubeletPath, "kubelet-registration-path", "", "the driver's socket as the kubelet sees it")
	flag.StringVar(&o.registrations, "plugin-registration-path", "/registration", "the kubelet's directory of registrations")
	flag.StringVar(&o.healthPort, "health-port", "9808", "port of /healthz")
	flag.StringVar(&o.httpEndpoint, "http-endpoint", "", "address of /healthz, instead of the port")
	flag.DurationVar(&o.timeout, "timeout", time.Second, "of a call to the driver")
	flag.DurationVar(&o.timeout, "probe-timeout", time.Second, "the same")
	flag.Int("v", 0, "taken, and of no effect")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, o); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, o options) error {
	conn, err := grpc.NewClient("unix://"+strings.TrimPrefix(o.csiAddress, "unix://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	identity := csi.NewIdentityClient(conn)
	if o.probe {
		return serveHealth(ctx, o, identity)
	}
	info, err := identity.GetPluginInfo(ctx, &csi.GetPluginInfoRequest{}, grpc.WaitForReady(true))
	if err != nil {
		return fmt.Errorf("ask the driver for its name: %w", err)
	}
	return register(ctx, filepath.Join(o.registrations, info.GetName()+"-reg.sock"), &registrar{name: info.GetName(), endpoint: o.kubeletPath})
}

// register serves the kubelet, which finds the socket by watching its directory.
func register(ctx context.Context, socket string, r *registrar) error {
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	registration.RegisterRegistrationServer(server, r)
	context.AfterFunc(ctx, server.Stop)
	return server.Serve(listener)
}

type registrar struct {
	registration.UnimplementedRegistrationServer
	name, endpoint string
}

func (r *registrar) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type: registration.CSIPlugin, Name: r.name, Endpoint: r.endpoint, SupportedVersions: []string{"1.0.0"},
	}, nil
}

// NotifyRegistrationStatus ends the program where the kubelet refuses: it is
// restarted, and so tries again.
func (r *registrar) NotifyRegistrationStatus(_ context.Context, status *registration.RegistrationStatus) (*registration.RegistrationStatusResponse, error) {
	if !status.GetPluginRegistered() {
		log.Fatalf("the kubelet refuses the driver: %s", status.GetError())
	}
	log.Printf("%s is registered", r.name)
	return &registration.RegistrationStatusResponse{}, nil
}

// serveHealth answers 200 while the driver's Probe does.
func serveHealth(ctx context.Context, o options, identity csi.IdentityClient) error {
	address := o.httpEndpoint
	if address == "" {
		address = net.JoinHostPort("", o.healthPort)
	}
	server := &http.Server{Addr: address, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), o.timeout)
		defer cancel()
		if _, err := identity.Probe(ctx, &csi.ProbeRequest{}); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})}
	context.AfterFunc(ctx, func() { server.Close() })
	return server.ListenAndServe()
}
