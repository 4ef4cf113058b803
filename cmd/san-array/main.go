// Command san-array is a software SAN: Element API and iSCSI targets on one
// data directory. It is what the demonstration, the tests and an evaluation
// run on.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/softarray"
)

// version is set by the linker.
var version = "unknown"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		err = nil
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "san-array:", err)
	}
	klog.Flush()
	if err != nil {
		os.Exit(1)
	}
}

// run is the daemon from its arguments to its clean end, when ctx ends. It
// tells on out what clients need, and one line that begins with "ready" when
// it serves.
func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 && args[0] == "check" {
		return check(args[1:], out)
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.version {
		_, err := fmt.Fprintln(out, "san-array", version)
		return err
	}
	credentials, err := o.credentials()
	if err != nil {
		return err
	}
	array, err := softarray.Open(softarray.Config{
		DataDir: o.dataDir, Username: credentials.Username, Password: credentials.Password,
		Advertise: o.advertise, Redirect: o.redirect, TotalIOPS: o.totalIOPS, Capacity: o.capacity,
		Dialect: o.dialect, StrictAdmission: o.strictAdmission, FaultInjection: o.faultInjection,
		CertFile: o.tlsCert, KeyFile: o.tlsKey, ServerNames: o.tlsSAN,
	})
	if err != nil {
		return err
	}
	return errors.Join(serve(ctx, o, array, out), array.Close())
}

func serve(ctx context.Context, o *options, array *softarray.Array, out io.Writer) error {
	listeners, err := listen(ctx, append([]string{o.apiAddress}, o.iscsiAddresses...))
	if err != nil {
		return err
	}
	if err := announce(out, o, array, listeners); err != nil {
		return errors.Join(err, closeAll(listeners))
	}
	// What is announced is bound already: a client that connects now is
	// accepted as soon as Run gets to it.
	return errors.Join(array.Run(ctx, listeners[0], listeners[1:]...), closeAll(listeners))
}

func announce(out io.Writer, o *options, array *softarray.Array, listeners []net.Listener) error {
	var b strings.Builder
	fmt.Fprintln(&b, "credentials", o.credentialsFile)
	if ca := array.CAFile(); ca != "" {
		fmt.Fprintln(&b, "ca", ca)
	}
	fmt.Fprintf(&b, "ready api=https://%s", listeners[0].Addr())
	for _, l := range listeners[1:] {
		fmt.Fprintf(&b, " iscsi=%s", l.Addr())
	}
	fmt.Fprintln(&b)
	_, err := io.WriteString(out, b.String())
	return err
}

// listen binds every address or none.
func listen(ctx context.Context, addresses []string) ([]net.Listener, error) {
	var listeners []net.Listener
	for _, address := range addresses {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("listen on %s: %w", address, err), closeAll(listeners))
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

// closeAll closes what is not closed yet.
func closeAll(listeners []net.Listener) error {
	var errs []error
	for _, l := range listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
