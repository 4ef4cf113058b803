package initiator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestDetach(t *testing.T) {
	session, record := "iscsiadm -m session -r 1 --logout", "iscsiadm -m node -T "+iqn+" -o delete"
	whole := []string{"subscribe", "flush", "1:0:0:0/delete=1", session, record}
	cases := []struct {
		name  string
		alter func(*kernel)
		want  error
		did   []string
	}{
		{"whole", func(k *kernel) { k.attach(iqn) }, nil, whole},
		{"device is gone", func(k *kernel) { k.logIn(iqn, loggedIn) }, nil, []string{"subscribe", session, record}},
		{"disk is gone", func(k *kernel) { k.describe(k.logIn(iqn, loggedIn)) }, nil, []string{"subscribe", "1:0:0:0/delete=1", session, record}},
		{"session is away", func(k *kernel) { k.logIn(iqn, "FAILED") }, nil, []string{"subscribe", session, record}},
		{"session is gone", func(*kernel) {}, nil, []string{"subscribe", record}},
		{"record is gone", func(k *kernel) { k.attach(iqn); k.exits["delete"] = exitNoObjects }, nil, whole},
		{"device takes no writes", func(k *kernel) { k.attach(iqn); k.flushErr = errors.New("input/output error") }, nil, whole},
		{"session ends meanwhile", func(k *kernel) { k.logIn(iqn, loggedIn); k.exits["logout"] = exitNoObjects; k.ends = true }, nil, []string{"subscribe", session, record}},
		{"another volume", func(k *kernel) { k.naa = naa2; k.attach(iqn) }, ErrIdentity, []string{"subscribe"}},
		{"held", func(k *kernel) {
			k.put(filepath.Join(k.lun(k.attach(iqn)), "block", "sdb", "holders", "dm-0"), "")
		}, ErrBusy, []string{"subscribe"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			k, i := newKernel(t)
			c.alter(k)
			if err := i.Detach(t.Context(), iqn, naa); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if did := k.did(""); !slices.Equal(did, c.did) {
				t.Errorf("did\n%s\nwant\n%s", strings.Join(did, "\n"), strings.Join(c.did, "\n"))
			}
			if m, err := i.Mapping(t.Context(), iqn); err != nil || c.want == nil && m.Live() {
				t.Errorf("left %+v, %v", m, err)
			}
		})
	}
}

func TestDetachStopsAtItsDeadline(t *testing.T) {
	k, i := newKernel(t)
	k.attach(iqn)
	ctx, cancel := context.WithCancel(t.Context())
	k.flushErr = errors.New("given up")
	i.disk = hungDisk{fakeDisk{k}, cancel}
	if err := i.Detach(ctx, iqn, naa); !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	if !exists(k.lun(1)) {
		t.Error("a device that may still take its last writes was deleted")
	}
}

// hungDisk is one whose flush lasts until the caller gives up.
type hungDisk struct {
	fakeDisk
	giveUp context.CancelFunc
}

func (d hungDisk) Flush(ctx context.Context, path string) error {
	d.giveUp()
	return d.fakeDisk.Flush(ctx, path)
}

func TestSever(t *testing.T) {
	k, i := newKernel(t)
	k.attach(iqn)
	k.attach(iqn + "7")
	if err := i.Sever(t.Context(), iqn); err != nil {
		t.Fatal(err)
	}
	if did, want := k.did("1:", "2:"), []string{"1:0:0:0/state=offline"}; !slices.Equal(did, want) {
		t.Errorf("did %v, want %v", did, want)
	}
}

// TestSeverWhileTheSessionIsAway: what waits for the session must not go out when
// it comes back, and is not waited for.
func TestSeverWhileTheSessionIsAway(t *testing.T) {
	k, i := newKernel(t)
	k.attach(iqn)
	k.away = true
	for range 2 {
		if err := i.Sever(t.Context(), iqn); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"1:0:0:0/state=offline", "iscsiadm -m session -r 1 --logout"}
	if did := k.did("1:", "iscsiadm"); !slices.Equal(did, want) {
		t.Errorf("did %v, want %v", did, want)
	}
}

func TestFindAndOwner(t *testing.T) {
	k, i := newKernel(t)
	if _, err := i.Find(t.Context(), wanted()); !errors.Is(err, ErrNotFound) {
		t.Errorf("find before attach: %v, want ErrNotFound", err)
	}
	if _, err := i.Owner(t.Context(), "8:16"); !errors.Is(err, ErrNotFound) {
		t.Errorf("owner before attach: %v, want ErrNotFound", err)
	}
	k.attach(iqn)
	if d, err := i.Find(t.Context(), wanted()); err != nil || d.Number != "8:16" || d.SizeBytes != size {
		t.Errorf("find: %+v, %v", d, err)
	}
	if o, err := i.Owner(t.Context(), "8:16"); err != nil || o != (Owner{IQN: iqn, NAA: naa}) {
		t.Errorf("owner: %+v, %v", o, err)
	}
	target := wanted()
	target.NAA = naa2
	if _, err := i.Find(t.Context(), target); !errors.Is(err, ErrIdentity) {
		t.Errorf("find of another volume: %v, want ErrIdentity", err)
	}
}

func TestResize(t *testing.T) {
	k, i := newKernel(t)
	k.attach(iqn)
	target := wanted()
	target.SizeBytes = 2 * size
	_, err := i.Resize(t.Context(), target)
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), fmt.Sprintf("has %d bytes after a rescan, %d are wanted", size, 2*size)) {
		t.Errorf("more than the array has: %v", err)
	}
	k.size = 2 * size // seen by the next rescan only
	if d, err := i.Resize(t.Context(), target); err != nil || d.SizeBytes != 2*size {
		t.Errorf("got %+v, %v", d, err)
	}
	if did, want := k.did("1:"), []string{"1:0:0:0/rescan=1", "1:0:0:0/rescan=1"}; !slices.Equal(did, want) {
		t.Errorf("did %v, want %v", did, want)
	}
}

func TestChroot(t *testing.T) {
	k, i := newKernel(t)
	i.host.reach, i.host.root = ReachChroot, "/host"
	if err := i.Detach(t.Context(), iqn, naa); err != nil {
		t.Fatal(err)
	}
	if did := k.did("chroot"); len(did) != 1 || did[0] != "chroot /host iscsiadm -m node -T "+iqn+" -o delete" {
		t.Errorf("did %v", did)
	}
}

func TestName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "initiatorname.iscsi")
	i := New(Options{InitiatorName: path})
	if _, err := i.Name(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	for text, want := range map[string]string{
		"## comment\nInitiatorName=iqn.1993-08.org.Debian:01:AB\n": "iqn.1993-08.org.debian:01:ab",
		"InitiatorName = iqn.2020-01.x:y \nInitiatorAlias=z":       "iqn.2020-01.x:y",
		"#InitiatorName=iqn.2020-01.x:y\n":                         "",
		"InitiatorName=\n":                                         "",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := i.Name(); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestDesignators(t *testing.T) {
	whole := page83(t, naa)
	if names, err := parseDesignators(whole); err != nil || !slices.Equal(names, []string{naa}) {
		t.Errorf("got %v, %v, want the unit's name only", names, err)
	}
	long := slices.Clone(whole)
	long[3]++
	inner := slices.Clone(whole)
	inner[7] = 200
	for name, page := range map[string][]byte{"empty": nil, "cut short": whole[:20], "too long": long, "designator too long": inner, "page 0x80": {0, 0x80, 0, 0}} {
		if _, err := parseDesignators(page); !errors.Is(err, ErrIdentity) {
			t.Errorf("%s: got %v, want ErrIdentity", name, err)
		}
	}
}

func TestTrialReadAndNumber(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, make([]byte, sample), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (blockDisk{}).Read(t.Context(), path); err != nil {
		t.Errorf("whole: %v", err)
	}
	if err := os.Truncate(path, 512); err != nil {
		t.Fatal(err)
	}
	if err := (blockDisk{}).Read(t.Context(), path); err == nil {
		t.Error("a short read passed")
	}
	if err := (blockDisk{}).Read(t.Context(), path+"x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	if _, err := (blockDisk{}).Number(path); !errors.Is(err, ErrInvalid) {
		t.Errorf("number of a file: %v, want ErrInvalid", err)
	}
}
