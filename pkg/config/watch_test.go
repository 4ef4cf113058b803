package config

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// secret is a directory as the kubelet mounts a Secret: files are symlinks into
// ..data, itself a symlink that an update exchanges.
type secret struct {
	dir      string
	versions int
}

func (s *secret) put(t *testing.T, files map[string]string) {
	t.Helper()
	s.versions++
	version := filepath.Join(s.dir, "..version-"+strings.Repeat("i", s.versions))
	if err := os.Mkdir(version, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		write(t, filepath.Join(version, name), content)
		if s.versions == 1 {
			if err := os.Symlink(filepath.Join("..data", name), filepath.Join(s.dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	next := filepath.Join(s.dir, "..data_tmp")
	if err := os.Symlink(filepath.Base(version), next); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(s.dir, "..data")); err != nil {
		t.Fatal(err)
	}
}

type reading struct {
	config *Config
	err    error
}

func TestWatch(t *testing.T) {
	main, passwords := &secret{dir: t.TempDir()}, &secret{dir: t.TempDir()}
	file, password := filepath.Join(main.dir, "arrays.yaml"), filepath.Join(passwords.dir, "password")
	text := strings.NewReplacer("password: s3cr3t-value", "passwordFile: "+password, "  caFile: /etc/san-csi/ca.pem\n", "").Replace(whole)
	passwords.put(t, map[string]string{"password": "one"})
	main.put(t, map[string]string{"arrays.yaml": text})
	first, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	readings, ended, now := make(chan reading, 8), make(chan error, 1), make(chan struct{})
	go func() {
		ended <- Watch(ctx, file, now, func(c *Config, err error) { readings <- reading{c, err} })
	}()
	if r := next(t, readings); r.err != nil || !r.config.Arrays[0].Same(first.Arrays[0]) {
		t.Fatalf("the reading at the start: %v, %v; want the same", r.config, r.err)
	}
	now <- struct{}{}
	if r := next(t, readings); r.err != nil || !r.config.Arrays[0].Same(first.Arrays[0]) {
		t.Fatalf("the reading that was asked for: %v, %v; want the same", r.config, r.err)
	}
	passwords.put(t, map[string]string{"password": "two"})
	if r := next(t, readings); r.err != nil || r.config.Arrays[0].Password != "two" || r.config.Arrays[0].Same(first.Arrays[0]) {
		t.Fatalf("after the password's change: %v", r.err)
	}
	main.put(t, map[string]string{"arrays.yaml": "arrays: []"})
	if r := next(t, readings); r.err == nil {
		t.Fatal("an empty list is taken")
	}
	main.put(t, map[string]string{"arrays.yaml": strings.Replace(text, "tier: fast", "tier: slow", 1)})
	if r := next(t, readings); r.err != nil || r.config.Arrays[0].Labels["tier"] != "slow" {
		t.Fatalf("after the labels' change: %v", r.err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func next(t *testing.T, readings <-chan reading) reading {
	t.Helper()
	select {
	case r := <-readings:
		return r
	case <-time.After(30 * time.Second):
		t.Fatal("the change is not seen")
		return reading{}
	}
}

func TestSameSeesTheCA(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	read := func() Array {
		c, err := Parse([]byte(strings.Replace(whole, "/etc/san-csi/ca.pem", ca, 1)))
		if err != nil {
			t.Fatal(err)
		}
		return c.Arrays[0]
	}
	write(t, ca, "one")
	first := read()
	if !read().Same(first) {
		t.Error("the same entry is another")
	}
	write(t, ca, "two")
	if read().Same(first) {
		t.Error("another CA is not seen")
	}
}
