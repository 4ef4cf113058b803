package docs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/san-csi/san-csi/tests/controller"
)

const patience = time.Minute

// TestRun runs the commands of the pages that need no Kubernetes, with places
// of this test's in the stead of theirs: the array, calls of its API, the
// controller on it with the README's arrays' file.
func TestRun(t *testing.T) {
	bin, dir := t.TempDir(), t.TempDir()
	if err := controller.Build(t.Context(), bin); err != nil {
		t.Fatal(err)
	}
	api, data := freeAddress(t), filepath.Join(dir, "array")
	array := documented(t, "docs/software-array.md", "san-array")
	start(t, bin, array, map[string]string{"--data-dir": data, "--api-address": api, "--iscsi-address": freeAddress(t)}, func() error {
		conn, err := net.Dial("tcp", api)
		return errors.Join(err, closed(conn))
	})
	var credentials struct{ Username, Password string }
	raw, err := os.ReadFile(filepath.Join(data, "credentials.yaml"))
	if err == nil {
		err = yaml.Unmarshal(raw, &credentials)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range all(t, "docs/import.md", "curl") {
		ask(t, call, api, filepath.Join(data, "ca.pem"), credentials.Username, credentials.Password)
	}

	file := filepath.Join(dir, "arrays.yaml")
	text := strings.NewReplacer("https://mvip", "https://"+api, "/etc/san-csi", dir, "3eeu", clusterID(t, api, filepath.Join(data, "ca.pem"), credentials.Username, credentials.Password)).Replace(arraysFile(t))
	ca, err := os.ReadFile(filepath.Join(data, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"arrays.yaml": text, "username": credentials.Username, "password": credentials.Password, "ca.pem": string(ca)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	socket := filepath.Join(dir, "csi.sock")
	start(t, bin, documented(t, "README.md", "san-csi"), map[string]string{"--endpoint": "unix://" + socket, "--arrays": file}, func() error {
		conn, err := net.Dial("unix", socket)
		return errors.Join(err, closed(conn))
	})
}

func closed(conn net.Conn) error {
	if conn == nil {
		return nil
	}
	return conn.Close()
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// all are the commands of that program in the page's blocks.
func all(t *testing.T, name, program string) (found [][]string) {
	t.Helper()
	p, err := read(root, filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range p.blocks {
		if b.lang == "yaml" || b.lang == "text" {
			continue
		}
		lines, err := commands(b.text)
		if err != nil && b.lang != "" {
			t.Fatal(err)
		}
		for _, words := range lines {
			if words[0] == program {
				found = append(found, words)
			}
		}
	}
	if len(found) == 0 {
		t.Fatalf("%s has no command of %s", name, program)
	}
	return found
}

// documented is the page's first command of that program.
func documented(t *testing.T, page, program string) []string {
	t.Helper()
	return all(t, page, program)[0]
}

// start runs a command with other values of some of its flags, until the end of
// the test, and returns when it is up.
func start(t *testing.T, bin string, words []string, places map[string]string, up func() error) {
	t.Helper()
	args := slices.Clone(words[1:])
	for name, value := range places {
		at := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, name+"=") })
		if at < 0 {
			t.Fatalf("%q has no %s", words, name)
		}
		args[at] = name + "=" + value
	}
	cmd := exec.Command(filepath.Join(bin, words[0]), args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for up() != nil {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%q ended: %v\n%s", words, err, said.String())
		case <-ctx.Done():
			t.Fatalf("%q is not up: %v", words, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// ask makes the call that a curl command describes.
func ask(t *testing.T, curl []string, api, caFile, user, password string) json.RawMessage {
	t.Helper()
	_, flags, names := parse(curl, []string{"--cacert", "-u", "-d"})
	i := slices.IndexFunc(flags, func(f flag) bool { return f.name == "-d" })
	if i < 0 || len(names) != 1 {
		t.Fatalf("%q: no body or no address", curl)
	}
	answer, err := call(t.Context(), strings.Replace(names[0], "https://mvip/", "https://"+api+"/", 1), flags[i].value, caFile, user, password)
	if err != nil {
		t.Errorf("%q: %v", curl, err)
	}
	return answer
}

func call(ctx context.Context, url, body, caFile, user, password string) (json.RawMessage, error) {
	ca, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth(user, password)
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct{ Result, Error json.RawMessage }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if answer.Result == nil {
		return nil, fmt.Errorf("no result: %s", answer.Error)
	}
	return answer.Result, nil
}

// clusterID is the array's own, which the arrays' file may name.
func clusterID(t *testing.T, api, caFile, user, password string) string {
	t.Helper()
	raw, err := call(t.Context(), "https://"+api+controller.APIPath, `{"method": "GetClusterInfo", "id": 1}`, caFile, user, password)
	if err != nil {
		t.Fatal(err)
	}
	var info struct {
		ClusterInfo struct{ UniqueID string } `json:"clusterInfo"`
	}
	if err := json.Unmarshal(raw, &info); err != nil {
		t.Fatal(err)
	}
	return info.ClusterInfo.UniqueID
}

// arraysFile is the README's.
func arraysFile(t *testing.T) string {
	t.Helper()
	p, err := read(root, filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range p.blocks {
		if b.lang == "yaml" && strings.HasPrefix(b.text, "arrays:") {
			return b.text
		}
	}
	t.Fatal("the README has no arrays' file")
	return ""
}
