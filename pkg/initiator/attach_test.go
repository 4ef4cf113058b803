package initiator

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAttachFromNothing(t *testing.T) {
	k, i := newKernel(t)
	d, err := i.Attach(t.Context(), wanted())
	if err != nil {
		t.Fatal(err)
	}
	if want := (Device{Name: "sdb", Path: filepath.Join(k.root, "dev", "sdb"), Number: "8:16", SizeBytes: size}); d != want {
		t.Errorf("got %+v, want %+v", d, want)
	}
	node := "iscsiadm -m node -T " + iqn + " -p 10.0.0.1:3260 "
	want := []string{
		"subscribe", // before anything that causes an event
		node + "-o new",
		node + "-o update -n node.startup -v manual -n node.conn[0].startup -v manual -n node.session.scan -v manual" +
			" -n node.session.timeo.replacement_timeout -v 120 -n node.session.initial_login_retry_max -v 2" +
			" -n node.conn[0].timeo.login_timeout -v 10 -n node.conn[0].timeo.noop_out_interval -v 5 -n node.conn[0].timeo.noop_out_timeout -v 5",
		node + "--login",
		"host1/scan=0 0 0",
		"read",
	}
	if !slices.Equal(k.log, want) {
		t.Errorf("did\n%s\nwant\n%s", strings.Join(k.log, "\n"), strings.Join(want, "\n"))
	}
}

func TestAttachAgainOnlyLooks(t *testing.T) {
	k, i := newKernel(t)
	n := k.attach(iqn)
	for range 2 {
		if d, err := i.Attach(t.Context(), wanted()); err != nil || d.Name != "sdb" {
			t.Fatalf("got %+v, %v", d, err)
		}
	}
	if did := k.did("iscsiadm", "host"); len(did) != 0 || n != 1 {
		t.Errorf("did %v, want neither iscsiadm nor a scan", did)
	}
}

// A session of another target, with a name that begins alike, is not ours.
func TestAttachLeavesOthersAlone(t *testing.T) {
	k, i := newKernel(t)
	other := k.attach(iqn + "7")
	if _, err := i.Attach(t.Context(), wanted()); err != nil {
		t.Fatal(err)
	}
	if err := i.Detach(t.Context(), iqn, naa); err != nil {
		t.Fatal(err)
	}
	if !exists(k.lun(other)) {
		t.Error("the other target's device is gone")
	}
	if did := k.did("1:0:0:0", "host1", "iscsiadm -m session -r 1 "); len(did) != 0 {
		t.Errorf("did %v to the other target", did)
	}
}

func TestStaleDeviceGoesBeforeTheScan(t *testing.T) {
	k, i := newKernel(t)
	k.naa = naa2
	k.attach(iqn)
	// The kernel's memory of the former volume does not go away by a rescan here.
	write := i.write
	i.write = func(ctx context.Context, path, value string) error {
		if filepath.Base(path) == "rescan" {
			return nil
		}
		k.mu.Lock()
		k.naa = naa
		k.mu.Unlock()
		return write(ctx, path, value)
	}
	if _, err := i.Attach(t.Context(), wanted()); err != nil {
		t.Fatal(err)
	}
	if did, want := k.did("1:0:0:0", "host1"), []string{"1:0:0:0/delete=1", "host1/scan=0 0 0"}; !slices.Equal(did, want) {
		t.Errorf("did %v, want %v", did, want)
	}
}

// A disk is in sysfs and has its node a moment before it can be opened.
func TestAttachWaitsUntilTheDiskOpens(t *testing.T) {
	k, i := newKernel(t)
	k.early = 2
	if d, err := i.Attach(t.Context(), wanted()); err != nil || d.Name != "sdb" {
		t.Fatalf("got %+v, %v", d, err)
	}
	if reads := k.did("read"); len(reads) != 3 {
		t.Errorf("%d trial reads, want 3: the disk opens at the third", len(reads))
	}
}

// TestGate: what is refused at the gate, and what is left of the attach.
func TestGate(t *testing.T) {
	cases := []struct {
		name   string
		alter  func(*kernel, *Target)
		want   error
		says   []string
		undone bool
	}{
		{"another volume", func(k *kernel, _ *Target) { k.naa = naa2 }, ErrIdentity, []string{naa, naa2}, true},
		{"too small", func(k *kernel, _ *Target) { k.size = size - 512 }, ErrIdentity, []string{"1073741312", "1073741824"}, true},
		{"larger", func(k *kernel, _ *Target) { k.size = 2 * size }, nil, nil, false},
		{"write-protected", func(k *kernel, _ *Target) { k.ro = "1" }, ErrDenied, []string{"write-protected"}, false},
		{"write-protected, will do", func(k *kernel, t *Target) { k.ro, t.ReadOnly = "1", true }, nil, nil, false},
		{"unreadable", func(k *kernel, _ *Target) { k.readErr = errors.New("input/output error") }, ErrUnavailable, []string{"input/output error"}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			k, i := newKernel(t)
			target := wanted()
			c.alter(k, &target)
			_, err := i.Attach(t.Context(), target)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %s", err, s)
				}
			}
			m, err := i.Mapping(t.Context(), iqn)
			if err != nil || m.Live() == c.undone {
				t.Errorf("mapping %+v, %v; undone wanted: %t", m, err, c.undone)
			}
			if forgot := len(k.did("iscsiadm -m node -T "+iqn+" -o delete")) == 1; forgot != c.undone {
				t.Errorf("node record deleted: %t, want %t", forgot, c.undone)
			}
		})
	}
}

// What was there before this attach stays, what it set up goes.
func TestGateLeavesAFormerSession(t *testing.T) {
	k, i := newKernel(t)
	k.naa = naa2
	k.logIn(iqn, loggedIn)
	if _, err := i.Attach(t.Context(), wanted()); !errors.Is(err, ErrIdentity) {
		t.Fatalf("got %v, want ErrIdentity", err)
	}
	if exists(k.lun(1)) {
		t.Error("the device that this attach made is still there")
	}
	if did := k.did("iscsiadm"); len(did) != 0 {
		t.Errorf("did %v to a session of somebody else", did)
	}
}

func TestExitCodes(t *testing.T) {
	cases := []struct {
		operation string
		code      int
		want      error
	}{
		{"new", 6, ErrDatabase},
		{"new", 15, nil},
		{"update", 6, ErrDatabase},
		{"login", 15, nil}, // sysfs tells that the session is there
		{"login", 8, ErrUnavailable},
		{"login", 19, ErrNotFound},
		{"login", 24, ErrDenied},
		{"login", 20, ErrUnavailable},
		{"logout", 21, ErrUnavailable}, // the session stays: success would be a lie
		{"logout", 10, ErrUnavailable},
		{"delete", 21, nil},
		{"delete", 6, ErrDatabase},
	}
	for _, c := range cases {
		t.Run(c.operation, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k, i := newKernel(t)
				k.exits[c.operation] = c.code
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, err := i.Attach(ctx, wanted())
				if err == nil {
					err = i.Detach(ctx, iqn, naa)
				}
				if !errors.Is(err, c.want) {
					t.Errorf("exit code %d: got %v, want %v", c.code, err, c.want)
				}
			})
		})
	}
}

func TestSecondPortalWhenTheFirstIsDead(t *testing.T) {
	k, i := newKernel(t)
	i.host.exec = deadPortal{k}
	target := wanted()
	target.Portals = []string{"10.0.0.9:3260", "10.0.0.1:3260"}
	if _, err := i.Attach(t.Context(), target); err != nil {
		t.Fatal(err)
	}
}

// The deadline is the only limit of a wait, and ends also a hung iscsiadm.
func TestDeadlines(t *testing.T) {
	cases := map[string]func(*kernel){
		"disk that never comes": func(k *kernel) { k.noDisk = true },
		"hung iscsiadm":         func(k *kernel) { k.hang = "login" },
		"session that is away":  func(k *kernel) { k.logIn(iqn, "FAILED") },
	}
	for name, alter := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k, i := newKernel(t)
				k.events = nil
				alter(k)
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				defer cancel()
				if _, err := i.Attach(ctx, wanted()); !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want ErrUnavailable by the deadline", err)
				}
			})
		})
	}
}

// Without uevents the poll finds the disk.
func TestPollIsTheSafetyNet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, i := newKernel(t)
		i.poll = defaultPoll
		i.subscribe = func(context.Context) (<-chan struct{}, error) { return nil, os.ErrPermission }
		if _, err := i.Attach(t.Context(), wanted()); err != nil {
			t.Error(err)
		}
	})
}

func TestInvalidTargets(t *testing.T) {
	cases := map[string]func(*Target){
		"no name":     func(t *Target) { t.IQN = "" },
		"an option":   func(t *Target) { t.IQN = "-o delete" },
		"a path":      func(t *Target) { t.IQN = "iqn.2010-01.x:../../y" },
		"naa in caps": func(t *Target) { t.NAA = strings.ToUpper(naa) },
		"no portal":   func(t *Target) { t.Portals = nil },
		"no port":     func(t *Target) { t.Portals = []string{"10.0.0.1"} },
		"-p as host":  func(t *Target) { t.Portals = []string{"-p:3260"} },
	}
	for name, alter := range cases {
		t.Run(name, func(t *testing.T) {
			k, i := newKernel(t)
			target := wanted()
			alter(&target)
			if _, err := i.Attach(t.Context(), target); !errors.Is(err, ErrInvalid) {
				t.Errorf("got %v, want ErrInvalid", err)
			}
			if did := k.did("iscsiadm", "host"); len(did) != 0 {
				t.Errorf("did %v", did)
			}
		})
	}
}
