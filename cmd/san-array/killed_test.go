package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// argsEnv makes the test binary be the daemon, with arguments one a line.
const argsEnv = "SAN_CSI_ARRAY_ARGS"

func TestMain(m *testing.M) {
	args := os.Getenv(argsEnv)
	if args == "" {
		os.Exit(m.Run())
	}
	if err := run(context.Background(), strings.Split(args, "\n"), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// process is a san-array that can be killed, and a client of its API.
type process struct {
	t        *testing.T
	command  *exec.Cmd
	client   *http.Client
	url      string
	password string
}

func startProcess(t *testing.T, dir string) *process {
	t.Helper()
	args := []string{"--data-dir", dir, "--api-address", "127.0.0.1:0", "--iscsi-address", "127.0.0.1:0", "--fault-injection"}
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), argsEnv+"="+strings.Join(args, "\n"))
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, command: command}
	scanner := bufio.NewScanner(out)
	for scanner.Scan() {
		if rest, ready := strings.CutPrefix(scanner.Text(), "ready api="); ready {
			address, _, _ := strings.Cut(rest, " ")
			p.connect(dir, address+"/json-rpc/12.5")
			return p
		}
	}
	t.Fatalf("not ready: %v", command.Wait())
	return nil
}

func (p *process) connect(dir, url string) {
	p.t.Helper()
	c, err := readCredentials(filepath.Join(dir, "credentials.yaml"))
	if err != nil {
		p.t.Fatal(err)
	}
	pem, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		p.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	p.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	p.url, p.password = url, c.Password
}

// kill is what no process can prepare for.
func (p *process) kill() {
	p.t.Helper()
	p.client.CloseIdleConnections()
	if err := p.command.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	if err := p.command.Wait(); err == nil {
		p.t.Fatal("the killed process ended well")
	}
}

// call is an API call that must succeed.
func (p *process) call(method, params string) map[string]any {
	p.t.Helper()
	body := fmt.Sprintf(`{"method":%q,"params":%s,"id":1}`, method, params)
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url, bytes.NewBufferString(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.SetBasicAuth("admin", p.password)
	resp, err := p.client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	var out struct{ Result, Error map[string]any }
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || out.Result == nil {
		p.t.Fatalf("%s: %v, %v", method, err, out.Error)
	}
	return out.Result
}

// TestJobsOfAKilledArrayAreFinished: clones whose jobs a kill cut off are usable
// after the next start, and their async handles tell so.
func TestJobsOfAKilledArrayAreFinished(t *testing.T) {
	dir := t.TempDir()
	p := startProcess(t, dir)
	p.call("AddAccount", `{"username":"a"}`)
	p.call("CreateVolume", `{"name":"v","accountID":1,"totalSize":1000000000}`)
	p.call("CreateVolume", `{"name":"w","accountID":1,"totalSize":1000000000}`)
	p.call("SanArrayInjectFault", `{"method":"SanArrayCloneJob","count":-1,"delayMS":600000}`)
	p.call("CloneVolume", `{"volumeID":1,"name":"c"}`)
	p.call("CloneMultipleVolumes", `{"volumes":[{"volumeID":1,"name":"d"},{"volumeID":2,"name":"e"}]}`)
	p.call("CopyVolume", `{"volumeID":2,"dstVolumeID":1}`)
	for handle := 1; handle <= 3; handle++ {
		if got := p.call("GetAsyncResult", fmt.Sprintf(`{"asyncHandle":%d}`, handle)); got["status"] != "running" {
			t.Fatalf("job %d before the kill: %v", handle, got)
		}
	}
	p.kill()

	p = startProcess(t, dir)
	for handle := 1; handle <= 3; handle++ {
		result := map[string]any{}
		for result["status"] != "complete" {
			result = p.call("GetAsyncResult", fmt.Sprintf(`{"asyncHandle":%d,"keepResult":true}`, handle))
		}
		if result["error"] != nil || result["result"] == nil {
			t.Errorf("job %d: %v", handle, result)
		}
	}
	volumes := p.call("ListVolumes", `{}`)["volumes"].([]any)
	if len(volumes) != 5 {
		t.Errorf("%d volumes", len(volumes))
	}
	for _, v := range volumes {
		if status := v.(map[string]any)["status"]; status != "active" {
			t.Errorf("volume %v is %v", v.(map[string]any)["volumeID"], status)
		}
	}
	p.kill()
	var out strings.Builder
	if err := run(t.Context(), []string{"check", dir}, &out); err != nil {
		t.Errorf("check: %v\n%s", err, out.String())
	}
}
