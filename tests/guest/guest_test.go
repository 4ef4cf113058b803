//go:build guest

package guest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/san-csi/san-csi/tests/guest"
)

func TestMain(m *testing.M) {
	guest.Isolate()
	if role := os.Getenv(childVariable); role != "" {
		os.Unsetenv(childVariable)
		os.Exit(children[role]())
	}
	os.Exit(m.Run())
}

// bootGuest boots a guest that is switched off at the test's end.
func bootGuest(t *testing.T, config guest.Config) *guest.VM {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	start := time.Now()
	vm, err := guest.Boot(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %.1f s to the first command", vm.Name, time.Since(start).Seconds())
	t.Cleanup(func() {
		if !vm.Running() {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := vm.PowerOff(ctx); err != nil {
			t.Error(err)
		}
	})
	return vm
}

// mustRun runs a command that has to succeed.
func mustRun(t *testing.T, vm *guest.VM, shell string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := vm.Run(ctx, shell)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func TestGuest(t *testing.T) {
	payload := t.TempDir()
	if err := os.WriteFile(payload+"/greeting", []byte("from the payload"), 0o644); err != nil {
		t.Fatal(err)
	}
	disk, err := guest.Payload(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	vm := bootGuest(t, guest.Config{Name: "alpha", Disks: []string{disk}})

	t.Run("identity", func(t *testing.T) {
		if got := mustRun(t, vm, "hostname; cat /etc/iscsi/initiatorname.iscsi; ip -4 -o address show eth0 | awk '{print $4}'"); got !=
			"alpha\nInitiatorName=iqn.2026-01.io.san-csi.guest:alpha\n"+vm.IP+"/24" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("payload", func(t *testing.T) {
		if got := mustRun(t, vm, "cat /payload/greeting; ! touch /payload/x 2>/dev/null"); got != "from the payload" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("programs start", func(t *testing.T) {
		mustRun(t, vm, "fio --version && mkfs.xfs -V && mkfs.btrfs --version && mkfs.ext4 -V 2>&1 && sg_inq --version 2>&1 && iscsiadm --version && ps --version")
	})
	t.Run("multipathd is not started", func(t *testing.T) {
		if got := mustRun(t, vm, "command -v multipathd; pgrep multipathd || echo none"); !strings.HasSuffix(got, "multipathd\nnone") {
			t.Errorf("got %q", got)
		}
	})
	t.Run("network", func(t *testing.T) {
		mustRun(t, vm, "ping -c 1 -W 10 "+guest.HostIP)
	})
	t.Run("failure has code and stderr", func(t *testing.T) {
		out, err := vm.Run(t.Context(), "echo out; echo reason >&2; exit 7")
		failure, ok := errors.AsType[*guest.CommandError](err)
		if !ok || failure.Code != 7 || failure.Stderr != "reason\n" || out != "out\n" {
			t.Errorf("got %q, %#v", out, err)
		}
	})
	t.Run("end of context kills the command", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := vm.Start(ctx, "until pgrep -x sleep; do :; done; echo seen >/tmp/seen", "/var/log/watch.log"); err != nil {
			t.Fatal(err)
		}
		go func() {
			mustRun(t, vm, "until [ -e /tmp/seen ]; do :; done")
			cancel()
		}()
		if _, err := vm.Run(ctx, "sleep 3000; true"); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		mustRun(t, vm, "while pgrep -x sleep; do :; done")
	})
	t.Run("no zombies", func(t *testing.T) {
		mustRun(t, vm, "(sh -c 'exit 3' &) ; (sh -c 'kill -9 $$' &); exit 0")
		mustRun(t, vm, "while ps -eo stat= | grep -q ^Z; do :; done")
	})
}

func TestGuestFilesAndSockets(t *testing.T) {
	vm := bootGuest(t, guest.Config{})
	content := []byte(strings.Repeat("0123456789abcdef", 3<<16)) // 3 MiB, several chunks
	if err := vm.Put(t.Context(), "/srv/sub/file", content, 0o750); err != nil {
		t.Fatal(err)
	}
	back, err := vm.Get(t.Context(), "/srv/sub/file")
	if err != nil || string(back) != string(content) {
		t.Errorf("got %d bytes back of %d: %v", len(back), len(content), err)
	}
	if got := mustRun(t, vm, "stat -c %a,%s /srv/sub/file"); got != fmt.Sprintf("750,%d", len(content)) {
		t.Errorf("got %s", got)
	}
	if _, err := vm.Get(t.Context(), "/srv/absent"); err == nil {
		t.Error("got a file that does not exist")
	}

	if _, err := vm.Dial(t.Context(), "/run/echo.sock"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("dial of an absent socket: %v", err)
	}

	program := buildEcho(t)
	if err := vm.Put(t.Context(), "/root/echo", program, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := vm.Start(t.Context(), "/root/echo /run/echo.sock", "/var/log/echo.log"); err != nil {
		t.Fatal(err)
	}
	mustRun(t, vm, "until [ -S /run/echo.sock ]; do :; done")
	conn, err := vm.Dial(t.Context(), "/run/echo.sock")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "hello "); err != nil {
		t.Fatal(err)
	}
	if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(conn); err != nil || string(answer) != "hello end" {
		t.Errorf("got %q, %v", answer, err)
	}
}

// buildEcho returns a program for the guest.
func buildEcho(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "echo")
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", path, "./testdata/echo")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return program
}
