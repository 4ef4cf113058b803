package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

// cpu is the processor time of each round, for one create.
type cpu struct{ driver, bare []time.Duration }

func (c cpu) ratio() float64 {
	var driver, bare time.Duration
	for i := range c.driver {
		driver, bare = driver+c.driver[i], bare+c.bare[i]
	}
	return float64(driver) / float64(bare)
}

// compareCPU has the driver and the bare client make volumes on the empty array
// in turns, each several at once, as a provisioner does.
func (r *report) compareCPU(ctx context.Context, b *bench) error {
	sample, err := create(ctx, b.direct, empty, "pvc-sample")
	if err != nil {
		return err
	}
	client, err := startBare(ctx, b, sample)
	if err != nil {
		return err
	}
	if err := remove(ctx, b.direct, sample); err != nil {
		return err
	}
	for n := range r.rounds + 1 {
		driver, err := r.driverRound(ctx, b, n)
		if err != nil {
			return err
		}
		bare, err := client.round(r.creates)
		if err != nil {
			return err
		}
		if n > 0 { // the first one warms both up
			r.cpu.driver, r.cpu.bare = append(r.cpu.driver, driver), append(r.cpu.bare, bare)
		}
	}
	return client.end()
}

func (r *report) driverRound(ctx context.Context, b *bench, n int) (time.Duration, error) {
	ids := make([]string, r.creates)
	before, err := b.direct.CPU()
	if err != nil {
		return 0, err
	}
	err = parallel(len(ids), func(i int) (err error) {
		ids[i], err = create(ctx, b.direct, empty, fmt.Sprintf("pvc-cpu-%d-%d", n, i))
		return err
	})
	if err != nil {
		return 0, err
	}
	after, err := b.direct.CPU()
	if err != nil {
		return 0, err
	}
	return (after - before) / time.Duration(r.creates), parallel(len(ids), func(i int) error { return remove(ctx, b.direct, ids[i]) })
}

// bare is the process of the bare client.
type bare struct {
	command *exec.Cmd
	to      *json.Encoder
	from    *json.Decoder
	close   func() error
}

// startBare starts the bare client with a volume of the driver's to copy.
func startBare(ctx context.Context, b *bench, sample string) (*bare, error) {
	h, err := san.ParseHandle(sample)
	if err != nil {
		return nil, err
	}
	a := b.arrays[empty]
	found, err := a.Client.ListVolumes(ctx, element.ListVolumesRequest{VolumeIDs: []int64{h.Volume}})
	if err != nil || len(found) != 1 {
		return nil, fmt.Errorf("the driver's volume %s: %d volumes: %w", sample, len(found), err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, self, bareCommand)
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	c := &bare{command: command, to: json.NewEncoder(in), from: json.NewDecoder(bufio.NewReader(out)), close: in.Close}
	attributes, err := json.Marshal(found[0].Attributes)
	if err != nil {
		return nil, err
	}
	return c, c.to.Encode(bareSetup{
		Endpoint: a.Endpoint(), Username: a.Username, Password: a.Password, CAFile: a.CAFile(),
		AccountID: found[0].AccountID, TotalSize: found[0].TotalSize,
		MinIOPS: found[0].QoS.MinIOPS, MaxIOPS: found[0].QoS.MaxIOPS, BurstIOPS: found[0].QoS.BurstIOPS, Attributes: attributes,
	})
}

// round has it make so many volumes, and is its processor time for each.
func (c *bare) round(creates int) (time.Duration, error) {
	if err := c.to.Encode(bareRound{creates}); err != nil {
		return 0, err
	}
	var done bareDone
	err := c.from.Decode(&done)
	return done.CPU / time.Duration(creates), err
}

func (c *bare) end() error { return errors.Join(c.close(), c.command.Wait()) }
