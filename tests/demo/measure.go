package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/container-storage-interface/spec/lib/go/csi"
)

// depth is how many reads are under way at a time, so that the ceiling and not
// the latency holds them back.
const depth = 16

func (d *demo) measureCeiling(ctx context.Context) error {
	d.step("random reads of 4 KiB at queue depth %d, against the ceiling of 100 IOPS", depth)
	return d.measure(ctx, 100)
}

func (d *demo) modify(ctx context.Context) error {
	d.step("ControllerModifyVolume: maxIOPS=200, burstIOPS=200, while the volume is mounted")
	if _, err := d.controller().ControllerModifyVolume(ctx, &csi.ControllerModifyVolumeRequest{
		VolumeId: d.volume.GetVolumeId(), MutableParameters: map[string]string{"maxIOPS": "200", "burstIOPS": "200"},
	}); err != nil {
		return err
	}
	if err := d.showLUN(ctx); err != nil {
		return err
	}
	return d.measure(ctx, 200)
}

// measure runs fio in the guest and holds what it reaches against the ceiling.
func (d *demo) measure(ctx context.Context, ceiling int) error {
	out, err := d.node.VM.Run(ctx, fmt.Sprintf("fio --name=reads --filename=%s/data --size=4m --rw=randread --bs=4k --direct=1 "+
		"--ioengine=libaio --iodepth=%d --time_based --ramp_time=2 --runtime=8 --output-format=json", target, depth))
	if err != nil {
		return err
	}
	var report struct {
		Jobs []struct {
			Read struct {
				IOPS float64 `json:"iops"`
			} `json:"read"`
		} `json:"jobs"`
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || len(report.Jobs) != 1 {
		return fmt.Errorf("fio's report: %w: %.200s", err, out)
	}
	got := report.Jobs[0].Read.IOPS
	figure := fmt.Sprintf("%.1f IOPS, %.1f %% of the ceiling", got, 100*got/float64(ceiling))
	d.show("achieved " + figure)
	d.result(fmt.Sprintf("random reads, maxIOPS=%d", ceiling), figure)
	return nil
}
