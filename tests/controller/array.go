package controller

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"sigs.k8s.io/yaml"

	"github.com/san-csi/san-csi/pkg/element"
)

// Array is a san-array on loopback, at an address that it keeps.
type Array struct {
	process
	dir     string
	address string

	Username, Password string
	Client             *element.Client // past the driver and the proxy
}

// StartArray starts an array of that capability with its data in a directory.
func StartArray(ctx context.Context, bin, dir string, totalIOPS int64) (*Array, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	a := &Array{dir: dir, address: address, process: process{
		log: dir + ".log", path: filepath.Join(bin, "san-array"),
		args: []string{"--data-dir=" + dir, "--api-address=" + address, "--iscsi-address=127.0.0.1:0",
			"--total-iops=" + strconv.FormatInt(totalIOPS, 10), "--fault-injection"},
	}}
	if err := a.Start(ctx); err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(filepath.Join(dir, "credentials.yaml"))
	if err != nil {
		return nil, err
	}
	var credentials struct{ Username, Password string }
	if err := yaml.Unmarshal(raw, &credentials); err != nil {
		return nil, fmt.Errorf("credentials of the array: %w", err)
	}
	a.Username, a.Password = credentials.Username, credentials.Password
	a.Client, err = element.New(element.Config{Endpoint: a.Endpoint(), Username: a.Username, Password: a.Password, CAFile: a.CAFile()})
	return a, err
}

// Start starts the array and returns when it serves.
func (a *Array) Start(ctx context.Context) error {
	if err := a.start(ctx); err != nil {
		return err
	}
	return a.await(ctx, func(ctx context.Context) bool {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", a.address)
		return err == nil && conn.Close() == nil
	})
}

// Endpoint is the URL of the API.
func (a *Array) Endpoint() string { return "https://" + a.address + APIPath }

// CAFile is the authority of the array's certificate.
func (a *Array) CAFile() string { return filepath.Join(a.dir, "ca.pem") }
