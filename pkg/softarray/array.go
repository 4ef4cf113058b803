// Package softarray is a software SAN in one process: the Element API on its
// control side, iSCSI targets with hard quality of service on its data side, and
// one directory that keeps both across crashes.
package softarray

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"

	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/san-csi/san-csi/pkg/softarray/api"
	"github.com/san-csi/san-csi/pkg/softarray/iscsi"
	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// DefaultTotalIOPS is what an array declares it can do if nothing is said,
// IOPS of 4 KiB.
const DefaultTotalIOPS = 100_000

// Config is what an array needs; DataDir, Username and Password are required.
type Config struct {
	DataDir            string
	Username, Password string // of the API's administrator

	// Advertise is the host told to clients as MVIP and SVIP, without port.
	// "" = that of the first iSCSI listener, which then must not be a wildcard.
	Advertise string
	// TotalIOPS is the declared capability, which all volumes share; 0 = DefaultTotalIOPS.
	TotalIOPS int64
	// Capacity is the room for volumes in bytes; 0 = all that the file system has.
	Capacity int64
	// StrictAdmission refuses floors whose sum exceeds TotalIOPS, which
	// Element's own arrays do not.
	StrictAdmission bool
	// Dialect is how the API behaves where its documentation leaves it open.
	Dialect Dialect
	// FaultInjection serves the API methods that inject faults, for tests.
	FaultInjection bool
	// CertFile and KeyFile are the API's certificate in PEM. "" = one made at
	// start for Advertise, this machine's own names and addresses and ServerNames,
	// signed by a CA of the array's own, see CAFile.
	CertFile, KeyFile string
	ServerNames       []string
	// Redirect makes the first iSCSI listener the cluster's (SVIP), whose logins
	// are redirected to the others, the nodes' (SIP).
	Redirect bool
	// ISCSI are the target's limits; zero values are defaults.
	ISCSI iscsi.Options
	// Clock is for tests; nil = the real one.
	Clock clock.WithTicker
}

// Dialect is how the API behaves where its documentation leaves it open.
type Dialect = api.Dialect

func (c Config) validate() error {
	switch {
	case c.DataDir == "":
		return errors.New("no data directory is given")
	case c.Username == "" || c.Password == "":
		return errors.New("no user name or password of the API's administrator is given")
	case (c.CertFile == "") != (c.KeyFile == ""):
		return errors.New("a certificate and its key must be given together")
	case c.TotalIOPS < 0:
		return fmt.Errorf("total IOPS %d: must not be negative", c.TotalIOPS)
	case c.Capacity < 0:
		return fmt.Errorf("capacity of %d bytes: must not be negative", c.Capacity)
	}
	return nil
}

// Array is an open software array.
type Array struct {
	config      Config
	store       *store.Store
	volumes     *volumes
	targets     *iscsi.Server
	certificate func(host string) (tls.Certificate, error)
}

// Open opens the array in a data directory, which it makes and locks; it
// serves from Run on. The caller closes it.
func Open(c Config) (*Array, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if c.Clock == nil {
		c.Clock = clock.RealClock{}
	}
	if c.TotalIOPS == 0 {
		c.TotalIOPS = DefaultTotalIOPS
	}
	s, err := store.Open(c.DataDir, c.Clock.Now())
	if err != nil {
		return nil, err
	}
	a := &Array{config: c, store: s}
	if err := a.prepare(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return a, nil
}

func (a *Array) prepare() error {
	var err error
	if a.certificate, err = a.certificates(); err != nil {
		return err
	}
	if a.volumes, err = newVolumes(a.store, a.config.Clock, a.config.TotalIOPS); err != nil {
		return err
	}
	a.targets = iscsi.NewServer(&directory{store: a.store, volumes: a.volumes}, a.config.ISCSI)
	return nil
}

// CAFile is the PEM file of the CA that signed the API's certificate, "" where
// the certificate was given.
func (a *Array) CAFile() string {
	if a.config.CertFile != "" {
		return ""
	}
	return filepath.Join(a.config.DataDir, caFile)
}

// Close closes every volume and the store. Run must have returned.
func (a *Array) Close() error {
	return errors.Join(a.volumes.save(), a.volumes.close(), a.store.Close())
}

// address is the host told to clients.
func (a *Array) address(portals []net.Listener) (string, error) {
	if a.config.Advertise != "" {
		return a.config.Advertise, nil
	}
	if len(portals) == 0 {
		return "", errors.New("no iSCSI listener")
	}
	host, _, err := net.SplitHostPort(portals[0].Addr().String())
	if err != nil {
		return "", fmt.Errorf("iSCSI listener: %w", err)
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		return "", fmt.Errorf("the iSCSI listener %s is a wildcard: the host to advertise must be given", portals[0].Addr())
	}
	return host, nil
}

// redirect tells the target which portals are the cluster's and the nodes', and
// returns the first node's host, "" without redirection. An initiator must be
// able to reach what it is redirected to.
func (a *Array) redirect(portals []net.Listener) (node string, err error) {
	if !a.config.Redirect {
		return "", nil
	}
	if len(portals) < 2 {
		return "", fmt.Errorf("redirection needs the cluster's iSCSI listener and a node's, there are %d", len(portals))
	}
	var addresses []net.Addr
	for _, portal := range portals {
		if at, ok := portal.Addr().(*net.TCPAddr); ok && at.IP.IsUnspecified() {
			return "", fmt.Errorf("redirection: the iSCSI listener %s is a wildcard", portal.Addr())
		}
		addresses = append(addresses, portal.Addr())
	}
	a.targets.Redirect(addresses[0], addresses[1:]...)
	node, _, err = net.SplitHostPort(addresses[1].String())
	return node, err
}

// dataSide is the data side as the API needs it.
type dataSide struct {
	*volumes
	targets *iscsi.Server
}

// Sessions are the iSCSI sessions of volumes.
func (d dataSide) Sessions() []iscsi.Session { return d.targets.Sessions() }

// Drop ends sessions without waiting.
func (d dataSide) Drop(match func(iscsi.Session) bool) {
	d.targets.Drop(func(s iscsi.Session) bool {
		if !match(s) {
			return false
		}
		klog.InfoS("Dropping an iSCSI session", "volumeID", s.VolumeID, "initiator", s.InitiatorName, "session", s.ID)
		return true
	})
}

func (a *Array) logStart(ctx context.Context, address string) error {
	return a.store.View(func(tx *store.Tx) error {
		c, err := tx.Cluster()
		klog.FromContext(ctx).Info("Array serves", "uniqueID", c.UniqueID, "address", address, "dataDir", a.config.DataDir)
		return err
	})
}
