//go:build conformance

package conformance

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sigs.k8s.io/yaml"
)

// array is a san-array of this test's own, with two portals.
type array struct {
	t                  *testing.T
	client             *http.Client
	endpoint           string
	portals            []string // host:port
	username, password string
	account            int64
}

// startArray builds san-array and runs it until the test ends.
func startArray(t *testing.T) *array {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "san-array")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/san-array").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	data := filepath.Join(dir, "data")
	cmd := exec.Command(binary, "--data-dir", data, "--api-address", "127.0.0.1:0",
		"--iscsi-address", "127.0.0.1:0", "--iscsi-address", "127.0.0.2:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	log := &bytes.Buffer{}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("san-array: %v", err)
		}
		if t.Failed() {
			t.Logf("san-array's log:\n%s", log)
		}
	})
	a := &array{t: t}
	a.ready(out)
	a.connect(data)
	a.call("AddAccount", map[string]any{"username": "conformance"}, &struct{ AccountID *int64 }{&a.account})
	return a
}

// ready reads where the array serves.
func (a *array) ready(out io.Reader) {
	a.t.Helper()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || words[0] != "ready" {
			continue
		}
		for _, word := range words[1:] {
			switch key, value, _ := strings.Cut(word, "="); key {
			case "api":
				a.endpoint = value + "/json-rpc/12.5"
			case "iscsi":
				a.portals = append(a.portals, value)
			}
		}
		return
	}
	a.t.Fatal("san-array ended before it was ready")
}

func (a *array) connect(data string) {
	a.t.Helper()
	raw, err := os.ReadFile(filepath.Join(data, "credentials.yaml"))
	if err != nil {
		a.t.Fatal(err)
	}
	var c struct{ Username, Password string }
	if err := yaml.Unmarshal(raw, &c); err != nil {
		a.t.Fatal(err)
	}
	a.username, a.password = c.Username, c.Password
	pem, err := os.ReadFile(filepath.Join(data, "ca.pem"))
	if err != nil {
		a.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		a.t.Fatal("ca.pem has no certificate")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	a.client = &http.Client{Transport: transport}
	a.t.Cleanup(transport.CloseIdleConnections)
}

// call is a call of the Element API that must succeed.
func (a *array) call(method string, params, result any) {
	a.t.Helper()
	body, err := json.Marshal(map[string]any{"method": method, "params": params, "id": 1})
	if err != nil {
		a.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.endpoint, bytes.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.SetBasicAuth(a.username, a.password)
	resp, err := a.client.Do(req)
	if err != nil {
		a.t.Fatalf("%s: %v", method, err)
	}
	defer resp.Body.Close()
	var answer struct {
		Result json.RawMessage
		Error  any
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Error != nil {
		a.t.Fatalf("%s: %v, %v", method, answer.Error, err)
	}
	if result == nil {
		return
	}
	if err := json.Unmarshal(answer.Result, result); err != nil {
		a.t.Fatalf("%s: %v", method, err)
	}
}

// volume is one LUN that the suite's initiators may use.
type volume struct {
	VolumeID int64
	IQN      string
}

func (a *array) createVolume(name string, enable512e bool) volume {
	a.t.Helper()
	var made struct{ Volume volume }
	a.call("CreateVolume", map[string]any{
		"name": name, "accountID": a.account, "totalSize": 1_000_000_000, "enable512e": enable512e,
		// Out of the way: the suite writes far more than the default ceiling lets pass.
		"qos": map[string]int64{"minIOPS": 100, "maxIOPS": 200_000, "burstIOPS": 200_000},
	}, &made)
	return made.Volume
}

func (v volume) get() volume { return v }

// cloneOf makes a clone of what the volume holds when it is called.
func (a *array) cloneOf(v volume) func() volume {
	return func() volume {
		var clone struct{ VolumeID int64 }
		a.call("CloneVolume", map[string]any{"volumeID": v.VolumeID, "name": fmt.Sprintf("clone-%d", v.VolumeID)}, &clone)
		for { // until its data can be used
			var list struct {
				Volumes []struct{ Status, IQN string }
			}
			a.call("ListVolumes", map[string]any{"volumeIDs": []int64{clone.VolumeID}}, &list)
			if len(list.Volumes) != 1 {
				a.t.Fatalf("clone %d of volume %d: %d volumes", clone.VolumeID, v.VolumeID, len(list.Volumes))
			}
			if list.Volumes[0].Status == "active" {
				return volume{VolumeID: clone.VolumeID, IQN: list.Volumes[0].IQN}
			}
		}
	}
}

// admit gives the suite's two initiators access to one volume, and to no other.
func (a *array) admit(v volume) {
	a.t.Helper()
	var groups struct {
		VolumeAccessGroups []struct{ VolumeAccessGroupID int64 }
	}
	a.call("ListVolumeAccessGroups", map[string]any{}, &groups)
	for _, g := range groups.VolumeAccessGroups {
		a.call("DeleteVolumeAccessGroup", map[string]any{"volumeAccessGroupID": g.VolumeAccessGroupID}, nil)
	}
	a.call("CreateVolumeAccessGroup", map[string]any{
		"name": "conformance", "initiators": []string{initiator1, initiator2}, "volumes": []int64{v.VolumeID},
	}, nil)
}

// urls are the volume's LUN by each portal.
func (a *array) urls(v volume) []string {
	var urls []string
	for _, portal := range a.portals {
		urls = append(urls, "iscsi://"+portal+"/"+v.IQN+"/0")
	}
	return urls
}
