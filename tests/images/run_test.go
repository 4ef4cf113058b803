//go:build images

package images

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// name is what buildah knows the builder's own image of the target as.
func name(target string) string { return "oci:" + filepath.Join(*out, target) + ":" + target }

func TestVersion(t *testing.T) {
	for target, program := range map[string]string{driver: "/usr/local/bin/san-csi", array: "/san-array"} {
		out, err := store.runIn(t.Context(), name(target), nil, program, "--version")
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.TrimPrefix(program[strings.LastIndex(program, "/"):], "/") + " " + *version; out != want {
			t.Errorf("%s --version: %q, want %q", program, out, want)
		}
	}
}

// TestFilesystems: the image's programs make, find, check and grow what the driver
// asks of them.
func TestFilesystems(t *testing.T) {
	for fs, c := range map[string]struct{ make, check string }{
		"ext4":  {"mkfs.ext4 -q -F", "e2fsck -f -p"},
		"xfs":   {"mkfs.xfs -q", "xfs_repair -n"},
		"btrfs": {"mkfs.btrfs -q", "btrfs check -q"},
	} {
		t.Run(fs, func(t *testing.T) {
			dir := t.TempDir()
			disk, err := os.Create(filepath.Join(dir, "disk"))
			if err != nil {
				t.Fatal(err)
			}
			defer disk.Close()
			if err := disk.Truncate(512 << 20); err != nil {
				t.Fatal(err)
			}
			script := "set -e; " + c.make + " /disk/disk >&2; blkid -p -s TYPE -o value /disk/disk; " + c.check + " /disk/disk >&2"
			out, err := store.runIn(t.Context(), name(driver), []string{"--user=0:0", "--volume=" + dir + ":/disk"}, "/bin/sh", "-c", script)
			if err != nil {
				t.Fatal(err)
			}
			if out != fs {
				t.Errorf("blkid finds %q", out)
			}
		})
	}
}

// TestHostsPrograms: the driver's way to the host's iscsiadm finds it by PATH in
// the host's root.
func TestHostsPrograms(t *testing.T) {
	host := t.TempDir()
	shell := built[driver][runtime.GOARCH].Files["bin/busybox"].Content
	script := []byte("#!/bin/busybox sh\necho the host was asked: \"$@\"\n")
	for name, content := range map[string][]byte{"bin/busybox": shell, "usr/sbin/iscsiadm": script} {
		name = filepath.Join(host, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	options := []string{"--user=0:0", "--volume=" + host + ":/host:ro"}
	out, err := store.runIn(t.Context(), name(driver), options, "chroot", "/host", "iscsiadm", "-m", "node")
	if err != nil {
		t.Fatal(err)
	}
	if want := "the host was asked: -m node"; out != want {
		t.Errorf("%q, want %q", out, want)
	}
}

// TestChartsTest: the script of helm test runs in the image, as its user.
func TestChartsTest(t *testing.T) {
	template, err := os.ReadFile("../../charts/san-csi/templates/tests/volume.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, lines, found := strings.Cut(string(template), "args:\n        - |\n")
	script, _, ended := strings.Cut(lines, "\n      securityContext:")
	if !found || !ended {
		t.Fatal("the script is not where it was")
	}
	volume := t.TempDir()
	if err := os.Chmod(volume, 0o777); err != nil {
		t.Fatal(err)
	}
	out, err := store.runIn(t.Context(), name(driver), []string{"--volume=" + volume + ":/volume"}, "/bin/sh", "-ec", script)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(volume, "data")); err != nil || len(data) != 4<<20 || !strings.Contains(out, "written and read") {
		t.Errorf("%d bytes written, %v; it says %q", len(data), err, out)
	}
}

// TestReproducible: the same sources in another directory, written at another
// time, compiled again from nothing, give the same images.
func TestReproducible(t *testing.T) {
	source := filepath.Join(t.TempDir(), "elsewhere")
	for _, part := range []string{"cmd", "pkg", "hack"} {
		if err := os.CopyFS(filepath.Join(source, part), os.DirFS(filepath.Join("../..", part))); err != nil {
			t.Fatal(err)
		}
	}
	for _, part := range []string{"Dockerfile", ".dockerignore", "LICENSE", "go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join("../..", part))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(source, part), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, target := range both {
		options := []string{"--no-cache", "--build-arg=VERSION=" + *version, "--build-arg=REVISION=" + *revision}
		if target == driver { // the array is then linked from what that compiled
			options = append(options, "--build-arg=GOFLAGS=-a")
		}
		layout := filepath.Join(t.TempDir(), target+"-again")
		if err := store.build(t.Context(), source, target, layout, []string{"linux/" + runtime.GOARCH}, options...); err != nil {
			t.Fatal(err)
		}
		again, err := readLayout(layout)
		if err != nil {
			t.Fatal(err)
		}
		first, second := built[target][runtime.GOARCH], again[runtime.GOARCH]
		if !slices.Equal(first.Layers, second.Layers) {
			t.Errorf("%s: layers %v, then %v", target, first.Layers, second.Layers)
		}
		if first.RawConfig != second.RawConfig {
			t.Errorf("%s: configuration\n%s\nthen\n%s", target, first.RawConfig, second.RawConfig)
		}
	}
}
