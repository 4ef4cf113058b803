package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/san-csi/san-csi/pkg/config"
	"github.com/san-csi/san-csi/pkg/driver"
	"github.com/san-csi/san-csi/pkg/kube"
	"github.com/san-csi/san-csi/pkg/metrics"
	"github.com/san-csi/san-csi/pkg/provision"
)

const (
	// leastAge: a volume that is just being made has no object yet.
	leastAge = time.Hour
	// deleteTimeout bounds one deletion.
	deleteTimeout = 2 * time.Minute
)

// gcOptions are the flags of the subcommand gc.
type gcOptions struct {
	options

	dryRun    bool
	confirm   string
	olderThan time.Duration
}

func parseGC(args []string, out io.Writer) (*gcOptions, error) {
	o := &gcOptions{}
	f := flag.NewFlagSet("san-csi gc", flag.ContinueOnError)
	f.SetOutput(out)
	f.StringVar(&o.arrays, "arrays", "/etc/san-csi/arrays.yaml", "the arrays' file")
	f.StringVar(&o.cluster, "cluster", "", "this Kubernetes cluster's name on the arrays, as the controller has it; by default the UID of its namespace kube-system")
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "how to reach the Kubernetes API, by default as a pod of the cluster")
	f.StringVar(&o.endpoint, "endpoint", "unix:///csi/csi.sock", "the CSI socket of the controller that leads: it deletes")
	f.BoolVar(&o.dryRun, "dry-run", false, "list what no object of the cluster names, and delete nothing")
	f.StringVar(&o.confirm, "confirm", "", "the cluster's name, as a dry run tells it: delete what it listed as to go")
	f.DurationVar(&o.olderThan, "older-than", 24*time.Hour, "leave alone what is younger")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("%q: no argument is known, only flags", f.Arg(0))
	case o.dryRun == (o.confirm != ""):
		return nil, errors.New("one of --dry-run and --confirm=<cluster> is needed, and not both")
	case o.olderThan < leastAge:
		return nil, fmt.Errorf("--older-than %s: must be at least %s: what is just being made has no object yet", o.olderThan, leastAge)
	case !strings.HasPrefix(o.endpoint, "unix:///"):
		return nil, fmt.Errorf("--endpoint %q: must be unix:///path/to/csi.sock", o.endpoint)
	}
	return o, nil
}

// collector finds and deletes what nobody names any more.
type collector struct {
	o       *gcOptions
	client  kubernetes.Interface
	objects dynamic.Interface
	out     io.Writer
}

// collectGarbage is the subcommand gc. It reads the arrays itself, and has the
// controller that leads delete, so that one process alone changes them.
func collectGarbage(ctx context.Context, args []string, out io.Writer) error {
	o, err := parseGC(args, out)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	g := &collector{o: o, out: out}
	server := kube.Server{Kubeconfig: o.kubeconfig, UserAgent: driver.Name + "/" + version + " gc"}
	if g.client, err = server.Connect(); err != nil {
		return err
	}
	if g.objects, err = server.ConnectDynamic(); err != nil {
		return err
	}
	return g.run(ctx)
}

func (g *collector) run(ctx context.Context) error {
	cluster, err := clusterName(ctx, g.client, &g.o.options)
	if err != nil {
		return err
	}
	if g.o.confirm != "" && g.o.confirm != cluster {
		return fmt.Errorf("--confirm %q: this cluster's name on the arrays is %q", g.o.confirm, cluster)
	}
	orphans, failed := g.find(ctx, cluster)
	if err := g.list(cluster, orphans); err != nil {
		return errors.Join(failed, err)
	}
	if g.o.dryRun {
		return failed
	}
	return errors.Join(failed, g.delete(ctx, orphans))
}

func (g *collector) find(ctx context.Context, cluster string) ([]provision.Orphan, error) {
	file, err := config.Load(g.o.arrays)
	if err != nil {
		return nil, err
	}
	arrays, err := openArrays(file, cluster, &g.o.options, metrics.New(version, true), nil)
	if err != nil {
		return nil, err
	}
	defer arrays.close()
	return provision.New(arrays.fleet, cluster).Orphans(ctx, g.named, g.o.olderThan, time.Now())
}

func (g *collector) named(ctx context.Context) (provision.Named, error) {
	h, err := kube.ReadHandles(ctx, g.client, g.objects, driver.Name)
	switch {
	case err != nil:
	case h.Snapshots == nil:
		fmt.Fprintln(g.out, "This cluster has no VolumeSnapshotContents: snapshots are left alone.")
	case h.Groups == nil:
		fmt.Fprintln(g.out, "This cluster has no VolumeGroupSnapshotContents: groups of snapshots are left alone.")
	}
	return provision.Named(h), err
}

// delete has the controller delete what may go; what it refuses does not keep the
// rest.
func (g *collector) delete(ctx context.Context, orphans []provision.Orphan) error {
	conn, err := grpc.NewClient(g.o.endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("controller at %s: %w", g.o.endpoint, err)
	}
	defer conn.Close()
	var failures []error
	for _, o := range orphans {
		if o.Kept != "" {
			continue
		}
		if err := deleteOrphan(ctx, conn, o); err != nil {
			failures = append(failures, fmt.Errorf("delete %s %s: %w", o.Kind, o.ID, err))
			continue
		}
		fmt.Fprintf(g.out, "deleted %s %s\n", o.Kind, o.ID)
	}
	return errors.Join(failures...)
}

func deleteOrphan(ctx context.Context, conn *grpc.ClientConn, o provision.Orphan) (err error) {
	ctx, cancel := context.WithTimeout(ctx, deleteTimeout)
	defer cancel()
	switch o.Kind {
	case provision.OrphanSnapshot:
		_, err = csi.NewControllerClient(conn).DeleteSnapshot(ctx, &csi.DeleteSnapshotRequest{SnapshotId: o.ID})
	case provision.OrphanGroup:
		_, err = csi.NewGroupControllerClient(conn).DeleteVolumeGroupSnapshot(ctx, &csi.DeleteVolumeGroupSnapshotRequest{GroupSnapshotId: o.ID, SnapshotIds: o.Members})
	default:
		_, err = csi.NewControllerClient(conn).DeleteVolume(ctx, &csi.DeleteVolumeRequest{VolumeId: o.ID})
	}
	return err
}
