package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"

	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
	"github.com/san-csi/san-csi/tests/controller"
)

// The arrays' names in the driver's configuration.
const (
	empty = "empty"
	full  = "full"
)

// seldom keeps what the driver does unasked out of a measurement.
const seldom = "1h"

// bench is two arrays and two drivers: one that reaches them directly, and one
// by proxies that count.
type bench struct {
	arrays  map[string]*controller.Array
	proxies map[string]*controller.Proxy

	direct, counted *controller.Driver
	startCounted    func(context.Context) error
}

func open(ctx context.Context, o options, dir string) (*bench, error) {
	b := &bench{arrays: map[string]*controller.Array{}, proxies: map[string]*controller.Proxy{}}
	var direct, counted []controller.Reached
	for _, name := range []string{empty, full} {
		a, err := controller.StartArray(ctx, o.bin, filepath.Join(dir, name), 10_000_000)
		if err != nil {
			return nil, errors.Join(err, b.close())
		}
		b.arrays[name] = a
		p, err := controller.StartProxy(a, filepath.Join(dir, name))
		if err != nil {
			return nil, errors.Join(err, b.close())
		}
		b.proxies[name] = p
		entry := controller.Reached{Name: name, Endpoint: a.Endpoint(), Username: a.Username, Password: a.Password, CAFile: a.CAFile()}
		direct = append(direct, entry)
		entry.Endpoint, entry.CAFile = p.Endpoint()
		counted = append(counted, entry)
	}
	var err error
	if b.direct, err = startDriver(ctx, o, dir, "direct", direct); err != nil {
		return nil, errors.Join(err, b.close())
	}
	b.startCounted = func(ctx context.Context) (err error) {
		b.counted, err = startDriver(ctx, o, dir, "counted", counted)
		return err
	}
	if err := b.fill(ctx, o.volumes); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// startDriver starts a driver as the controller of a cluster of its own: no two
// may share one.
func startDriver(ctx context.Context, o options, dir, cluster string, arrays []controller.Reached) (*controller.Driver, error) {
	own := filepath.Join(dir, "driver-"+cluster)
	if err := os.Mkdir(own, 0o700); err != nil {
		return nil, err
	}
	return controller.StartDriver(ctx, o.bin, own, arrays, "--cluster="+cluster, "--v=0", "--sweep-interval="+seldom, "--resync-interval="+seldom)
}

func (b *bench) close() error {
	var all []error
	for _, d := range []*controller.Driver{b.direct, b.counted} {
		if d != nil {
			all = append(all, d.Kill())
		}
	}
	for _, p := range b.proxies {
		p.Close()
	}
	for _, a := range b.arrays {
		all = append(all, a.Kill())
	}
	return errors.Join(all...)
}

// room is for the volumes that the run makes beside those that are there.
const room = atOnce + 8

// perAccount is how many volumes Element takes of one account, less room for
// those that are made and deleted again.
const perAccount = 1900

// fill puts volumes on the full array: of the driver's own account and further
// ones, with the attributes of one that the driver made.
func (b *bench) fill(ctx context.Context, volumes int) error {
	sample, err := create(ctx, b.direct, full, "pvc-sample")
	if err != nil {
		return err
	}
	client := b.arrays[full].Client
	h, err := san.ParseHandle(sample)
	if err != nil {
		return err
	}
	found, err := client.ListVolumes(ctx, element.ListVolumesRequest{VolumeIDs: []int64{h.Volume}})
	if err != nil || len(found) != 1 {
		return fmt.Errorf("the driver's volume %s: %d volumes: %w", sample, len(found), err)
	}
	accounts := []int64{found[0].AccountID}
	for len(accounts)*perAccount < volumes {
		id, err := client.AddAccount(ctx, fmt.Sprintf("tenant-%d", len(accounts)))
		if err != nil {
			return err
		}
		accounts = append(accounts, id)
	}
	began := time.Now()
	if err := parallel(volumes-1, func(n int) error {
		_, err := client.CreateVolume(ctx, element.CreateVolumeRequest{
			Name: fmt.Sprintf("pvc-fill-%d", n), AccountID: accounts[n/perAccount], TotalSize: found[0].TotalSize,
			QoS: &found[0].QoS, Attributes: found[0].Attributes,
		})
		return err
	}); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d volumes made in %.0f s\n", volumes, time.Since(began).Seconds())
	return nil
}

// workers is how many things are done at a time.
const workers = 8

// parallel does n things.
func parallel(n int, do func(int) error) error {
	var working sync.WaitGroup
	errs := make([]error, n)
	next := make(chan int)
	for range workers {
		working.Go(func() {
			for i := range next {
				errs[i] = do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	working.Wait()
	return errors.Join(errs...)
}

func capability() *csi.VolumeCapability {
	return &csi.VolumeCapability{
		AccessMode: &csi.VolumeCapability_AccessMode{Mode: csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER},
		AccessType: &csi.VolumeCapability_Mount{Mount: &csi.VolumeCapability_MountVolume{FsType: "ext4"}},
	}
}

func create(ctx context.Context, d *controller.Driver, array, name string) (string, error) {
	resp, err := csi.NewControllerClient(d.Conn).CreateVolume(ctx, &csi.CreateVolumeRequest{
		Name: name, CapacityRange: &csi.CapacityRange{RequiredBytes: 1 << 30},
		VolumeCapabilities: []*csi.VolumeCapability{capability()},
		Parameters: map[string]string{
			"array": array, "minIOPS": "100", "maxIOPS": "5000",
			"csi.storage.k8s.io/pvc/name": name, "csi.storage.k8s.io/pvc/namespace": "default", "csi.storage.k8s.io/pv/name": name,
		},
	})
	return resp.GetVolume().GetVolumeId(), err
}

func remove(ctx context.Context, d *controller.Driver, id string) error {
	_, err := csi.NewControllerClient(d.Conn).DeleteVolume(ctx, &csi.DeleteVolumeRequest{VolumeId: id})
	return err
}
