package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// daemon runs the command until it is ready and returns what it said.
func daemon(t *testing.T, args ...string) (lines []string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, args, in)
		in.CloseWithError(io.EOF)
		done <- err
	}()
	scanner := bufio.NewScanner(out)
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
		if strings.HasPrefix(scanner.Text(), "ready ") {
			return lines, func() error { cancel(); return <-done }
		}
	}
	cancel()
	t.Fatalf("not ready: %v", <-done)
	return nil, nil
}

func TestDaemonSaysWhereItServes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	var password string
	for start := range 2 {
		lines, stop := daemon(t, "--data-dir", dir, "--api-address", "127.0.0.1:0",
			"--iscsi-address", "127.0.0.1:0,127.0.0.1:0", "--iscsi-address", "127.0.0.1:0")
		want := []*regexp.Regexp{
			regexp.MustCompile("^credentials " + regexp.QuoteMeta(dir) + "/credentials.yaml$"),
			regexp.MustCompile("^ca " + regexp.QuoteMeta(dir) + "/ca.pem$"),
			regexp.MustCompile(`^ready api=https://127\.0\.0\.1:\d+( iscsi=127\.0\.0\.1:\d+){3}$`),
		}
		for i, w := range want {
			if i >= len(lines) || !w.MatchString(lines[i]) {
				t.Errorf("lines %q, want %v", lines, want)
			}
		}
		if err := stop(); err != nil {
			t.Errorf("start %d ended: %v", start, err)
		}
		c, err := readCredentials(filepath.Join(dir, "credentials.yaml"))
		if err != nil || c.Username != "admin" || len(c.Password) < 20 {
			t.Fatalf("credentials of %q, %d characters, %v", c.Username, len(c.Password), err)
		}
		if start > 0 && c.Password != password {
			t.Error("the password changed")
		}
		password = c.Password
	}
	for name, mode := range map[string]os.FileMode{"credentials.yaml": 0o600, "ca-key.pem": 0o600, "metadata.db": 0o600, "ca.pem": 0o644} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestVersion(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"--version"}, &out); err != nil || out.String() != "san-array "+version+"\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestWrongFlags(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no directory":       {nil, "--data-dir"},
		"wildcard portal":    {[]string{"--data-dir", dir}, "--advertise"},
		"wildcard address":   {[]string{"--data-dir", dir, "--iscsi-address", "0.0.0.0:3260"}, "--advertise"},
		"no port":            {[]string{"--data-dir", dir, "--iscsi-address", "192.0.2.1"}, "missing port"},
		"key alone":          {[]string{"--data-dir", dir, "--advertise", "a", "--tls-key", "k"}, "--tls-cert"},
		"no IOPS":            {[]string{"--data-dir", dir, "--advertise", "a", "--total-iops", "0"}, "--total-iops 0"},
		"capacity":           {[]string{"--data-dir", dir, "--advertise", "a", "--capacity", "-1"}, "--capacity -1"},
		"redirect nowhere":   {[]string{"--data-dir", dir, "--iscsi-address", "192.0.2.1:3260", "--iscsi-redirect"}, "--iscsi-redirect"},
		"redirect anywhere":  {[]string{"--data-dir", dir, "--api-address", "127.0.0.1:0", "--iscsi-address", "127.0.0.1:0,:0", "--iscsi-redirect"}, "wildcard"},
		"dialect":            {[]string{"--data-dir", dir, "--advertise", "a", "--dialect", "strict-burst,odd"}, `"odd" is not one of`},
		"stray argument":     {[]string{"--data-dir", dir, "--advertise", "a", "now"}, `"now"`},
		"address that fails": {[]string{"--data-dir", dir, "--iscsi-address", "127.0.0.1:0", "--api-address", "127.0.0.1:99999"}, "127.0.0.1:99999"},
	} {
		if err := run(t.Context(), c.args, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestCredentialsFile(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		ok      bool
	}{
		"good":           {"username: root\npassword: hunter22\n", true},
		"no password":    {"username: root\n", false},
		"unknown member": {"username: root\npassword: hunter22\nrole: x\n", false},
		"not YAML":       {"hunter22: : :", false},
	} {
		path := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := (&options{credentialsFile: path}).credentials()
		if (err == nil) != c.ok || c.ok && got != (credentials{"root", "hunter22"}) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter22") {
			t.Errorf("%s: the error tells the password: %v", name, err)
		}
	}
}
