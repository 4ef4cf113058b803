package softarray

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// running is an array that serves on loopback.
type running struct {
	t      *testing.T
	array  *Array
	url    string
	client *http.Client
	stop   func()
}

func startArray(t *testing.T, dir string) *running {
	t.Helper()
	return startWith(t, Config{DataDir: dir, Username: "admin", Password: "secret"})
}

func startWith(t *testing.T, c Config) *running {
	t.Helper()
	a, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	apiListener, portal := loopback(t), loopback(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx, apiListener, portal) }()
	pem, err := os.ReadFile(a.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatalf("%s has no certificate", a.CAFile())
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	r := &running{t: t, array: a, url: "https://" + apiListener.Addr().String() + "/json-rpc/12.5", client: &http.Client{Transport: transport}}
	stopped := false
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		transport.CloseIdleConnections()
		if err := errors.Join(<-done, a.Close()); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(r.stop)
	return r
}

func loopback(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// call is an API call that must succeed.
func (r *running) call(method, params string) map[string]any {
	r.t.Helper()
	body := fmt.Sprintf(`{"method":%q,"params":%s,"id":1}`, method, params)
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.url, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.SetBasicAuth("admin", "secret")
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	var out struct{ Result map[string]any }
	if err := json.Unmarshal(data, &out); err != nil || out.Result == nil {
		r.t.Fatalf("%s: %v: %s", method, err, data)
	}
	return out.Result
}

func (r *running) directory() *directory {
	return &directory{store: r.array.store, volumes: r.array.volumes}
}

func (r *running) iqn(volume int64) string {
	r.t.Helper()
	var iqn string
	err := r.array.store.View(func(tx *store.Tx) error {
		v, err := tx.Volumes().Get(volume)
		if err != nil {
			return err
		}
		c, err := tx.Cluster()
		iqn = v.IQN(c)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return iqn
}

func TestStateSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	r := startArray(t, dir)
	r.call("AddAccount", `{"username":"a"}`)
	r.call("CreateVolume", `{"name":"v","accountID":1,"totalSize":1000000000,"qos":{"maxIOPS":700}}`)
	r.call("CreateVolumeAccessGroup", `{"name":"g","volumes":[1],"initiators":["iqn.2001-01.com.example:a"]}`)
	iqn, ca := r.iqn(1), r.array.CAFile()
	before, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	admission, err := r.directory().Admit("iqn.2001-01.com.example:a", iqn)
	if err != nil {
		t.Fatal(err)
	}
	live, _ := r.array.volumes.get(admission.VolumeID)
	data := bytes.Repeat([]byte{7}, 8192)
	if _, err := live.meter.WriteAt(data, 4096); err != nil {
		t.Fatal(err)
	}
	live.meter.Served(true, len(data), time.Now(), time.Now())
	r.stop()

	r = startArray(t, dir)
	if got := r.iqn(1); got != iqn {
		t.Errorf("IQN %s, was %s", got, iqn)
	}
	if after, err := os.ReadFile(ca); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the CA changed: %v", err)
	}
	stats := r.call("GetVolumeStats", `{"volumeID":1}`)["volumeStats"].(map[string]any)
	if stats["writeOps"] != 1.0 || stats["writeBytes"] != 8192.0 || stats["nonZeroBlocks"].(float64) < 2 {
		t.Errorf("statistics %v", stats)
	}
	if _, err := r.directory().Admit("iqn.2001-01.com.example:a", iqn); err != nil {
		t.Fatal(err)
	}
	live, _ = r.array.volumes.get(1)
	got := make([]byte, len(data))
	if _, err := live.meter.ReadAt(got, 4096); err != nil || !bytes.Equal(got, data) {
		t.Errorf("read back % x..., %v", got[:4], err)
	}
}

func TestSecondArrayOnADirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	startArray(t, dir)
	_, err := Open(Config{DataDir: dir, Username: "admin", Password: "secret"})
	if !errors.Is(err, store.ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %v", err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := Config{DataDir: t.TempDir(), Username: "admin", Password: "secret"}
	for name, spoil := range map[string]func(*Config){
		"no directory":            func(c *Config) { c.DataDir = "" },
		"no password":             func(c *Config) { c.Password = "" },
		"certificate without key": func(c *Config) { c.CertFile = "x.pem" },
		"negative IOPS":           func(c *Config) { c.TotalIOPS = -1 },
		"certificate not there":   func(c *Config) { c.CertFile, c.KeyFile = "/nonexistent/c.pem", "/nonexistent/k.pem" },
	} {
		c := good
		spoil(&c)
		if a, err := Open(c); err == nil {
			t.Errorf("%s: accepted", name)
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestWildcardPortalNeedsAnAdvertisedHost(t *testing.T) {
	a, err := Open(Config{DataDir: t.TempDir(), Username: "admin", Password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := a.Run(t.Context(), loopback(t), l); err == nil || !strings.Contains(err.Error(), "wildcard") {
		t.Errorf("error %v", err)
	}
}

func TestRedirectionNeedsPortalsToGoTo(t *testing.T) {
	a, err := Open(Config{DataDir: t.TempDir(), Username: "admin", Password: "secret", Redirect: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	wildcard, err := new(net.ListenConfig).Listen(t.Context(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	cluster, node := loopback(t), loopback(t)
	for want, portals := range map[string][]net.Listener{
		"":              {cluster, node},
		"there are 1":   {cluster},
		"is a wildcard": {cluster, wildcard},
	} {
		host, err := a.redirect(portals)
		if want == "" && (err != nil || host != "127.0.0.1") || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%d portals: %q, %v, want %q", len(portals), host, err, want)
		}
	}
}

func TestChangesReachTheVolumeInUse(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Now())
	r := startWith(t, Config{DataDir: t.TempDir(), Username: "admin", Password: "secret", Clock: clock})
	r.call("AddAccount", `{"username":"a"}`)
	r.call("CreateVolume", `{"name":"v","accountID":1,"totalSize":1000000000,"qos":{"maxIOPS":100}}`)
	admission, err := r.directory().Admit("iqn.2001-01.com.example:a", r.iqn(1))
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.directory().Admit("iqn.2001-01.com.example:b", r.iqn(1))
	if err != nil || again.LUN != admission.LUN || again.Throttle != admission.Throttle {
		t.Errorf("a second session has a LUN or a ceiling of its own: %v", err)
	}
	live, _ := r.array.volumes.get(1)
	r.call("ModifyVolume", `{"volumeID":1,"totalSize":2000000000,"qos":{"maxIOPS":200000}}`)
	clock.Step(50 * time.Millisecond) // 5 I/Os of the old ceiling, 10000 of the new
	for range 1000 {
		if !live.qos.TryAdmit(4096) {
			t.Fatal("the old ceiling is in force")
		}
	}
	if got := live.disk.Size(); got != 2000683008 {
		t.Errorf("size %d", got)
	}
	r.call("DeleteVolume", `{"volumeID":1}`)
	r.call("PurgeDeletedVolume", `{"volumeID":1}`)
	if _, ok := r.array.volumes.get(1); ok {
		t.Error("a purged volume is still open")
	}
	if _, err := live.disk.ReadAt(make([]byte, 512), 0); !errors.Is(err, os.ErrClosed) {
		t.Errorf("read of a purged volume: %v", err)
	}
}
