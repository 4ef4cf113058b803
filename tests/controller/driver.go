package controller

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"sigs.k8s.io/yaml"
)

// Driver is the driver in its controller mode, with the arrays of its file.
type Driver struct {
	process
	socket  string
	metrics string

	Conn *grpc.ClientConn // goes on with the next process after a kill
}

// Reached is an array as the arrays' file tells it.
type Reached struct {
	Name, Endpoint     string
	Username, Password string
	CAFile             string
	CapacityIOPS       int64 // 0 = what the array says
}

// StartDriver starts the driver with its files in a directory.
func StartDriver(ctx context.Context, bin, dir string, arrays []Reached, args ...string) (*Driver, error) {
	file, err := writeArrays(dir, arrays)
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	d := &Driver{socket: filepath.Join(dir, "csi.sock"), metrics: "http://" + address + "/metrics"}
	d.process = process{
		log: filepath.Join(dir, "san-csi.log"), path: filepath.Join(bin, "san-csi"),
		args: append([]string{"--mode=controller", "--endpoint=unix://" + d.socket, "--arrays=" + file,
			"--cluster=test", "--metrics-address=" + address, "--v=4"}, args...),
	}
	quickly := backoff.Config{BaseDelay: 5 * time.Millisecond, Multiplier: 1.5, MaxDelay: 50 * time.Millisecond}
	d.Conn, err = grpc.NewClient("unix://"+d.socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: quickly, MinConnectTimeout: time.Second}))
	if err != nil {
		return nil, err
	}
	return d, d.Start(ctx)
}

func writeArrays(dir string, arrays []Reached) (string, error) {
	// In a directory of its own, as a Secret is, and the authorities with it: the
	// driver watches them.
	own := filepath.Join(dir, "config")
	if err := os.Mkdir(own, 0o700); err != nil {
		return "", err
	}
	var entries []map[string]any
	for _, a := range arrays {
		authority, err := os.ReadFile(a.CAFile)
		if err != nil {
			return "", err
		}
		ca := filepath.Join(own, a.Name+"-ca.pem")
		if err := os.WriteFile(ca, authority, 0o600); err != nil {
			return "", err
		}
		entries = append(entries, map[string]any{
			"name": a.Name, "driver": "element", "endpoint": a.Endpoint, "username": a.Username, "password": a.Password,
			"caFile": ca, "account": Account, "capacityIOPS": a.CapacityIOPS,
		})
	}
	text, err := yaml.Marshal(map[string]any{"arrays": entries})
	if err != nil {
		return "", err
	}
	file := filepath.Join(own, "arrays.yaml")
	return file, os.WriteFile(file, text, 0o600)
}

// Start starts the driver and returns when it serves.
func (d *Driver) Start(ctx context.Context) error {
	// A killed process leaves its socket: this start must not be taken for it.
	if err := os.Remove(d.socket); err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := d.start(ctx); err != nil {
		return err
	}
	return d.await(ctx, func(context.Context) bool {
		d.Conn.Connect()
		return d.Conn.GetState() == connectivity.Ready
	})
}

// Metric is the value of the one series that begins with those words.
func (d *Driver) Metric(ctx context.Context, series string) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.metrics, nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), series+" "); ok {
			value, err := strconv.ParseFloat(rest, 64)
			return int64(value), err
		}
	}
	return 0, fmt.Errorf("the driver has no metric %q", series)
}
