// Command failpoint is the driver's node, built of the driver's own packages,
// with a failpoint at each step that it takes: a caller names the step of a call
// at which the process kills itself. The driver itself has no such thing in it.
//
// Steps are what the stage asks of the rooms below it, before and after, each
// command that these run, before, once it has started, and after, and the answer
// to the caller. What the stage writes to its records lies between two of them.
package main

import (
	"context"
	"flag"
	"os"

	utilexec "k8s.io/utils/exec"

	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/driver"
	"github.com/san-csi/san-csi/pkg/filesystem"
	"github.com/san-csi/san-csi/pkg/initiator"
	"github.com/san-csi/san-csi/pkg/san"
	"github.com/san-csi/san-csi/pkg/stage"
)

func main() {
	klog.InitFlags(nil)
	socket := flag.String("socket", "/run/failpoint.sock", "where to serve")
	records := flag.String("records-dir", "/var/lib/san-csi/records", "stage records")
	flag.Parse()
	if err := serve(context.Background(), *socket, *records); err != nil {
		klog.ErrorS(err, "failpoint ends")
		klog.FlushAndExit(klog.ExitFlushTimeout, 1)
	}
}

func serve(ctx context.Context, socket, records string) error {
	d, err := wire(records, socket+".taken")
	if err != nil {
		return err
	}
	l, err := driver.Listen(socket)
	if err != nil {
		return err
	}
	return d.Serve(ctx, l)
}

// wire is what cmd/san-csi does for a node, with steps between the rooms.
func wire(records, taken string) (*driver.Driver, error) {
	commands := stepping{utilexec.New()}
	iscsi := initiator.New(initiator.Options{Exec: commands})
	iqn, err := iscsi.Name()
	if err != nil {
		return nil, err
	}
	name, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	node, err := san.NewNode(iqn, name)
	if err != nil {
		return nil, err
	}
	fs := filesystem.New(filesystem.Options{Exec: commands})
	stager, err := stage.New(stage.Options{
		Iscsi: iscsiSteps{iscsi}, Daemons: iscsi, Disks: diskSteps{fs}, Mounts: mountSteps{fs}, RecordsDir: records,
	})
	if err != nil {
		return nil, err
	}
	return driver.New(driver.Options{Node: driver.NewNode(driver.NodeOptions{Stager: walks{Stager: stager, taken: taken}, Node: node})})
}
