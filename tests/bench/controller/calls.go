package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"

	"github.com/san-csi/san-csi/pkg/san"
	"github.com/san-csi/san-csi/tests/controller"
)

// The operations, in the order of a volume's life.
const (
	opCreate    = "create"
	opModify    = "modify"
	opPublish   = "publish"
	opUnpublish = "unpublish"
	opDelete    = "delete"
)

var operations = []string{opCreate, opModify, opPublish, opUnpublish, opDelete}

// counted is what operations cost in calls of the array.
type counted struct {
	alone   map[string]map[string]int // operation -> method -> calls, of one volume alone
	atOnce  map[string]float64        // operation -> calls for each of several at once
	volumes int                       // that many
}

func sum(calls map[string]int) int {
	n := 0
	for _, c := range calls {
		n += c
	}
	return n
}

func methods(calls map[string]int) string {
	var parts []string
	for _, m := range slices.Sorted(maps.Keys(calls)) {
		parts = append(parts, fmt.Sprintf("%d %s", calls[m], m))
	}
	return strings.Join(parts, ", ")
}

// life is one volume that operations are counted of.
type life struct {
	d      *controller.Driver
	array  string
	name   string
	node   string
	volume string
}

func (l *life) do(ctx context.Context, op string) (err error) {
	c := csi.NewControllerClient(l.d.Conn)
	switch op {
	case opCreate:
		l.volume, err = create(ctx, l.d, l.array, l.name)
	case opModify:
		_, err = c.ControllerModifyVolume(ctx, &csi.ControllerModifyVolumeRequest{VolumeId: l.volume, MutableParameters: map[string]string{"minIOPS": "200"}})
	case opPublish:
		_, err = c.ControllerPublishVolume(ctx, &csi.ControllerPublishVolumeRequest{VolumeId: l.volume, NodeId: l.node, VolumeCapability: capability()})
	case opUnpublish:
		_, err = c.ControllerUnpublishVolume(ctx, &csi.ControllerUnpublishVolumeRequest{VolumeId: l.volume, NodeId: l.node})
	case opDelete:
		err = remove(ctx, l.d, l.volume)
	}
	return err
}

// atOnce is how many volumes go through their lives together.
const atOnce = 32

// countCalls takes volumes through their lives on both arrays, by the proxies.
// The node has another volume all the while, as nodes in use do. The driver has
// just been started, with its first sweep: the others come after what is counted.
func (r *report) countCalls(ctx context.Context, b *bench) error {
	r.calls = map[string]counted{}
	if err := b.startCounted(ctx); err != nil {
		return err
	}
	node, err := san.NewNode("iqn.2026-01.io.san-csi.bench:node", "node")
	if err != nil {
		return err
	}
	for _, array := range []string{empty, full} {
		other := &life{d: b.counted, array: array, name: "pvc-other", node: node.String()}
		for _, op := range []string{opCreate, opPublish} {
			if err := other.do(ctx, op); err != nil {
				return fmt.Errorf("%s: %w", op, err)
			}
		}
		if err := quiet(ctx, b.proxies[array]); err != nil {
			return err
		}
		c := counted{alone: map[string]map[string]int{}, atOnce: map[string]float64{}, volumes: atOnce}
		if err := c.count(ctx, b.proxies[array], other); err != nil {
			return err
		}
		for _, op := range []string{opUnpublish, opDelete} {
			if err := other.do(ctx, op); err != nil {
				return fmt.Errorf("%s: %w", op, err)
			}
		}
		r.calls[array] = c
	}
	return nil
}

func (c *counted) count(ctx context.Context, p *controller.Proxy, like *life) error {
	alone := *like
	alone.name = "pvc-alone"
	for _, op := range operations {
		before := p.Calls()
		if err := alone.do(ctx, op); err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
		c.alone[op] = since(before, p.Calls())
	}
	lives := make([]life, c.volumes)
	for i := range lives {
		lives[i] = *like
		lives[i].name = fmt.Sprintf("pvc-%d", i)
	}
	for _, op := range operations {
		before := p.Calls()
		var living sync.WaitGroup
		errs := make([]error, len(lives))
		for i := range lives {
			living.Go(func() { errs[i] = lives[i].do(ctx, op) })
		}
		living.Wait()
		for _, err := range errs {
			if err != nil {
				return fmt.Errorf("%s, %d at once: %w", op, len(lives), err)
			}
		}
		c.atOnce[op] = float64(sum(since(before, p.Calls()))) / float64(len(lives))
	}
	return nil
}

func since(before, after map[string]int) map[string]int {
	made := map[string]int{}
	for method, n := range after {
		if n > before[method] {
			made[method] = n - before[method]
		}
	}
	return made
}

// quiet waits until the driver calls the array no more unasked.
func quiet(ctx context.Context, p *controller.Proxy) error {
	for before := p.Calls(); ; before = p.Calls() {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
		if maps.Equal(before, p.Calls()) {
			return nil
		}
	}
}
