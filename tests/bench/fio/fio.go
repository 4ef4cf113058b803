// Package fio runs fio's libiscsi engine.
package fio

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/san-csi/san-csi/tests/bench/target"
)

// Program is a fio that has the libiscsi engine, and the environment it needs.
type Program struct {
	Path      string
	Env       []string
	Initiator string // IQN to log in as
}

// Kinds of access.
const (
	RandomRead  = "randread"
	RandomWrite = "randwrite"
	Read        = "read"
	Write       = "write"
)

// Load is what fio does to each of some LUNs at once, one thread a LUN.
type Load struct {
	LUNs  []target.LUN
	Kind  string
	Block int // bytes
	Depth int // I/Os under way on each LUN
	// Span is how much of each LUN is used, in bytes.
	Span int64
	// Time ends the load; 0: when Span was passed over once.
	Time time.Duration
	// Since, if it is not zero, is the moment from which on Ends are told.
	Since time.Time
}

// Result is what a load reached.
type Result struct {
	Ops  int64
	IOPS float64 // of all LUNs together
	P99  time.Duration
	// Ends are, by LUN, when its I/Os ended, from the load's Since on, in
	// ascending order and to the millisecond; nil where none is given.
	Ends [][]time.Duration
}

// Run puts a load on and waits for its end.
func (p *Program) Run(ctx context.Context, l Load) (Result, error) {
	dir, err := os.MkdirTemp("", "fio-*")
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(dir)
	cmd := exec.CommandContext(ctx, p.Path, p.args(l)...)
	cmd.Dir, cmd.Env = dir, p.Env
	if out, err := cmd.CombinedOutput(); err != nil {
		return Result{}, fmt.Errorf("fio %s of %d bytes at depth %d: %w: %s", l.Kind, l.Block, l.Depth, err, out)
	}
	report, err := os.ReadFile(filepath.Join(dir, reportFile))
	if err != nil {
		return Result{}, err
	}
	r, err := parse(report)
	if err != nil || l.Since.IsZero() {
		return r, err
	}
	for i := range l.LUNs {
		ends, err := readLog(filepath.Join(dir, fmt.Sprintf("ends_iops.%d.log", i+1)), l.Since)
		if err != nil {
			return r, err
		}
		r.Ends = append(r.Ends, ends)
	}
	return r, nil
}

const reportFile = "report.json"

func (p *Program) args(l Load) []string {
	args := []string{
		"--ioengine=libiscsi", "--initiator=" + p.Initiator, "--thread", "--group_reporting", "--output-format=json", "--output=" + reportFile,
		"--rw=" + l.Kind, "--bs=" + strconv.Itoa(l.Block), "--iodepth=" + strconv.Itoa(l.Depth),
		"--size=" + strconv.FormatInt(l.Span, 10), "--norandommap", "--randrepeat=0",
	}
	if l.Time > 0 {
		args = append(args, "--time_based", "--runtime="+strconv.FormatInt(l.Time.Milliseconds(), 10)+"ms")
	}
	if !l.Since.IsZero() {
		args = append(args, "--write_iops_log=ends", "--log_unix_epoch=1")
	}
	for i, lun := range l.LUNs {
		url := fmt.Sprintf("iscsi://%s/%s/%d", lun.Portal, lun.IQN, lun.Number)
		args = append(args, "--name=lun"+strconv.Itoa(i), "--filename="+strings.ReplaceAll(url, ":", `\:`))
	}
	return args
}

// direction is what fio reports of reads or writes.
type direction struct {
	Total   int64   `json:"total_ios"`
	IOPS    float64 `json:"iops"`
	Latency struct {
		Percentile map[string]int64 `json:"percentile"` // nanoseconds
	} `json:"clat_ns"`
}

func parse(out []byte) (Result, error) {
	out = out[max(0, bytes.IndexByte(out, '{')):] // notes come before the report
	var report struct {
		Jobs []struct {
			Error int       `json:"error"`
			Read  direction `json:"read"`
			Write direction `json:"write"`
		} `json:"jobs"`
	}
	if err := json.Unmarshal(out, &report); err != nil || len(report.Jobs) != 1 {
		return Result{}, fmt.Errorf("fio's report of %d jobs: %w: %.500s", len(report.Jobs), err, out)
	}
	job := report.Jobs[0]
	d := job.Read
	if d.Total == 0 {
		d = job.Write
	}
	if job.Error != 0 || d.Total == 0 {
		return Result{}, fmt.Errorf("fio: error %d after %d I/Os", job.Error, d.Total)
	}
	return Result{Ops: d.Total, IOPS: d.IOPS, P99: time.Duration(d.Latency.Percentile["99.000000"])}, nil
}
