// Command demo walks one volume through its whole life, on real parts: a class
// with minIOPS=50 and maxIOPS=100 becomes a LUN on san-array, a login by
// Debian's iscsid in a virtual machine, a mounted filesystem, and nothing again.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/san-csi/san-csi/tests/guest"
	"github.com/san-csi/san-csi/tests/lab"
)

func main() {
	bin := flag.String("bin", "bin", "the directory of the built programs")
	flag.Parse()
	guest.Isolate()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := run(ctx, *bin)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bin string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	d := &demo{started: time.Now()}
	d.step("start san-array, the software array: Element API and iSCSI on %s", guest.HostIP)
	var err error
	if d.lab, err = lab.Open(ctx, bin); err != nil {
		return err
	}
	d.step("boot a virtual machine as the node, with Debian's kernel and iscsid")
	if d.node, err = d.lab.Boot(ctx, "node-a"); err != nil {
		return err
	}
	d.step("start the driver there (--mode=all)")
	if err := d.node.StartDriver(ctx); err != nil {
		return err
	}
	for _, act := range []func(context.Context) error{
		d.create, d.publish, d.stage, d.writeAndRead, d.measureCeiling, d.modify, d.refuseSecond, d.takeBack, d.remove,
	} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	d.printTable()
	return nil
}
