package initiator

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	utilexec "k8s.io/utils/exec"
	testingexec "k8s.io/utils/exec/testing"
)

var (
	old   = CHAP{Username: "node-a", Secret: "initiatorsecret1", Target: "targetsecret-001", Generation: 1}
	fresh = CHAP{Username: "node-a", Secret: "initiatorsecret2", Generation: 2}
)

// ring opens nothing: what is sealed names what is in it.
type ring struct {
	sealed map[string][]CHAP
	kept   map[string]CHAP
}

func (r *ring) Candidates(sealed, target, initiator string) ([]CHAP, error) {
	if target != iqn || initiator != "iqn.2026-01.io.san-csi:own" {
		return nil, fmt.Errorf("asked for %s of %s", target, initiator)
	}
	if all, ok := r.sealed[sealed]; ok {
		return all, nil
	}
	return nil, ErrBusy
}

func (r *ring) Newest(username string) (CHAP, bool) { c, ok := r.kept[username]; return c, ok }
func (r *ring) Keep(c CHAP) error                   { r.kept[c.Username] = c; return nil }

// prover is a kernel whose iscsiadm keeps records, and whose array asks for a
// secret.
type prover struct {
	*kernel
	i      *Initiator
	ring   *ring
	home   string // of open-iscsi
	wanted Secret
	set    []string // what the kernel's sessions were given
	asked  int      // how often iscsid was looked for
}

func newProver(t *testing.T, home string) *prover {
	k, i := newKernel(t)
	p := &prover{kernel: k, i: i, wanted: old.Secret, home: filepath.Join(k.root, home),
		ring: &ring{sealed: map[string][]CHAP{"old": {old}, "fresh": {fresh}, "both": {old, fresh}}, kept: map[string]CHAP{}}}
	if err := os.MkdirAll(filepath.Join(p.home, "nodes"), 0o700); err != nil {
		t.Fatal(err)
	}
	i.host.exec, i.admin.iface = p, ownInterface
	i.admin.files = func() (string, error) { return k.root, nil }
	i.keyring, i.ownName = p.ring, "iqn.2026-01.io.san-csi:own"
	i.setCHAP = func(sid string, c CHAP) error {
		p.set = append(p.set, fmt.Sprintf("%s %s", sid, string(c.Secret)))
		p.put(p.sysfs("class", "iscsi_session", "session"+sid, "password"), string(c.Secret)+"\n")
		return nil
	}
	return p
}

func (p *prover) database() database { return database{p.root} }

func (p *prover) record(target string) string {
	return filepath.Join(p.home, "nodes", target, "10.0.0.1,3260,-1", ownInterface)
}

// text is what iscsiadm writes, less what does not matter here.
const text = `# BEGIN RECORD 2.1.8
node.name = %s
iface.iscsi_ifacename = san-csi
node.session.auth.authmethod = None
node.session.auth.chap_algs = MD5
node.session.timeo.replacement_timeout = 120
# END RECORD
`

func (p *prover) CommandContext(ctx context.Context, name string, args ...string) utilexec.Cmd {
	record := p.record(iqn)
	fail := func(code int) utilexec.Cmd {
		p.note(strings.Join(args, " "))
		return &testingexec.FakeCmd{CombinedOutputScript: []testingexec.FakeAction{func() ([]byte, []byte, error) {
			return nil, nil, &testingexec.FakeExitError{Status: code}
		}}}
	}
	switch {
	case !slices.Contains(args, ownInterface) && slices.Contains(args, "-p"):
		return fail(7)
	case slices.Contains(args, "new"):
		p.put(record, fmt.Sprintf(text, iqn))
	case slices.Contains(args, "-P") && p.asked > 0:
		p.put(filepath.Join(p.root, "run/iscsid.pid"), "18\n") // it is back
	case slices.Contains(args, "-P"):
		p.asked++
	case slices.Contains(args, "--login"):
		data, _ := os.ReadFile(record)
		if value(string(data), authPrefix+"password") != string(p.wanted) {
			return fail(exitAuthentication)
		}
	}
	return p.kernel.CommandContext(ctx, name, args...)
}

func TestLoginWithASecret(t *testing.T) {
	for _, home := range []string{"etc/iscsi", "var/lib/iscsi"} {
		t.Run(home, func(t *testing.T) {
			p := newProver(t, home)
			target := wanted()
			target.Credentials = "old"
			if _, err := p.i.Attach(t.Context(), target); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(p.record(iqn))
			if err != nil {
				t.Fatal(err)
			}
			want := `# BEGIN RECORD 2.1.8
node.name = ` + iqn + `
iface.iscsi_ifacename = san-csi
node.session.timeo.replacement_timeout = 120
node.session.auth.authmethod = CHAP
node.session.auth.username = node-a
node.session.auth.password = initiatorsecret1
node.session.auth.username_in = node-a
node.session.auth.password_in = targetsecret-001
node.session.auth.chap_algs = SHA3-256,SHA256,SHA1,MD5
# END RECORD
`
			if string(data) != want {
				t.Errorf("the record is\n%s\nwant\n%s", data, want)
			}
			if info, err := os.Stat(p.record(iqn)); err != nil || info.Mode() != recordMode {
				t.Errorf("the record's file is %v, %v", info.Mode(), err)
			}
			if calls := p.did("iscsiadm"); len(calls) != 3 {
				t.Errorf("%d calls of iscsiadm, at most 3: %q", len(calls), calls)
			}
			if all := strings.Join(p.log, "\n"); strings.Contains(all, string(old.Secret)) || strings.Contains(all, string(old.Target)) {
				t.Errorf("a command line shows a secret:\n%s", all)
			}
			for _, left := range []string{"run/lock/iscsi/lock.write", home + "/.san-csi.new"} {
				if exists(filepath.Join(p.root, left)) {
					t.Errorf("%s is left", left)
				}
			}
			if p.ring.kept["node-a"] != old {
				t.Errorf("kept is %v", p.ring.kept)
			}
		})
	}
}

// TestANewSecretReachesWhatIsStaged: records and kernel sessions of the same user
// name take it over, and nothing else does.
func TestANewSecretReachesWhatIsStaged(t *testing.T) {
	p := newProver(t, "etc/iscsi")
	p.ring.kept["node-a"], p.wanted = old, fresh.Secret
	mine, other := authenticated(fmt.Sprintf(text, "mine"), old), authenticated(fmt.Sprintf(text, "other"), CHAP{Username: "other", Secret: "secretofanother"})
	p.put(p.record("iqn.2010-01.com.solidfire:t.mine.8"), mine)
	p.put(p.record("iqn.2010-01.com.example:other"), other)
	for n, username := range map[string]string{"7": "node-a", "8": "other", "9": "(null)"} {
		p.put(p.sysfs("class", "iscsi_session", "session"+n, "username"), username+"\n")
	}
	p.put(filepath.Join(p.root, "run/iscsid.pid"), "17\n")
	p.put(filepath.Join(p.root, "proc/net/unix"), "0: 1 2 3 4 5 6 "+daemonSocket+"\n")
	p.i.proc, p.i.poll = filepath.Join(p.root, "proc"), time.Millisecond
	target := wanted()
	target.Credentials = "fresh"
	for _, again := range []bool{false, true} {
		if _, err := p.i.loginTo(t.Context(), target, target.Portals[0]); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(p.record("iqn.2010-01.com.solidfire:t.mine.8")); string(got) != authenticated(mine, fresh) {
			t.Errorf("again %t: the staged volume's record is\n%s", again, got)
		}
		if got, _ := os.ReadFile(p.record("iqn.2010-01.com.example:other")); string(got) != other {
			t.Errorf("again %t: another's record is\n%s", again, got)
		}
		if want := []string{"7 initiatorsecret2"}; !slices.Equal(p.set, want) {
			t.Errorf("again %t: sessions got %q, want %q", again, p.set, want)
		}
	}
	if p.ring.kept["node-a"] != fresh {
		t.Errorf("kept is %#v", p.ring.kept["node-a"])
	}
	// Once ended, it is looked for until it has started anew.
	if did, want := p.did("iscsiadm -k", "iscsiadm -m session"), []string{"iscsiadm -k 0", "iscsiadm -m session -P 1", "iscsiadm -m session -P 1"}; !slices.Equal(did, want) {
		t.Errorf("did %q, want %q", did, want)
	}
}

// TestIscsidIsLeftAlone where that is asked for, and where no session has a secret
// that is over.
func TestIscsidIsLeftAlone(t *testing.T) {
	for _, c := range []struct {
		name, password string
		keep           bool
	}{
		{"asked for", string(old.Secret), true},
		{"nothing is over", string(fresh.Secret), false},
	} {
		p := newProver(t, "etc/iscsi")
		p.ring.kept["node-a"], p.i.keepIscsid = old, c.keep
		p.put(p.sysfs("class", "iscsi_session", "session7", "username"), "node-a\n")
		p.put(p.sysfs("class", "iscsi_session", "session7", "password"), c.password+"\n")
		if err := p.i.adopt(t.Context(), fresh, false); err != nil {
			t.Fatal(err)
		}
		if did := p.did("iscsiadm"); len(did) != 0 || p.ring.kept["node-a"] != fresh {
			t.Errorf("%s: did %q, kept is %#v", c.name, did, p.ring.kept["node-a"])
		}
	}
}

// TestWhichSecret: what is tried, what is kept after it, and how it ends.
func TestWhichSecret(t *testing.T) {
	for _, c := range []struct {
		name, sealed string
		wanted       Secret
		kept, then   CHAP
		want         error
	}{
		{"the volume's own", "old", old.Secret, CHAP{}, old, nil},
		{"a wrong one", "old", "another-secret-1", CHAP{}, CHAP{}, ErrDenied},
		{"the second", "both", fresh.Secret, old, fresh, nil},
		{"the second, of an older generation", "old", old.Secret, fresh, fresh, nil},
		{"neither", "both", "another-secret-1", old, old, ErrDenied},
		{"not this node's", "nobody's", old.Secret, CHAP{}, CHAP{}, ErrBusy},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProver(t, "etc/iscsi")
			p.wanted = c.wanted
			if c.kept != (CHAP{}) {
				p.ring.kept["node-a"] = c.kept
			}
			target := wanted()
			target.Credentials = c.sealed
			_, err := p.i.loginTo(t.Context(), target, target.Portals[0])
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "initiatorsecret") {
				t.Errorf("the error shows a secret: %v", err)
			}
			if got := p.ring.kept["node-a"]; got != c.then {
				t.Errorf("kept is %#v, want %#v", got, c.then)
			}
		})
	}
}

func TestTheDatabaseIsLockedForOneWriter(t *testing.T) {
	p := newProver(t, "etc/iscsi")
	unlock, err := p.database().lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	short, stop := context.WithTimeout(t.Context(), 5*lockPoll)
	defer stop()
	if _, err := p.database().lock(short); !errors.Is(err, ErrDatabase) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("locked twice: %v", err)
	}
	time.AfterFunc(2*lockPoll, unlock)
	again, err := p.database().lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again()
	if _, err := os.Stat(filepath.Join(p.root, "run/lock/iscsi/lock.write")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after all it is there: %v", err)
	}
}

// TestOwnInterface: made once, and changed where it has another name.
func TestOwnInterface(t *testing.T) {
	p := newProver(t, "etc/iscsi")
	iface := "iscsiadm -m iface -I san-csi "
	update := iface + "-o update -n iface.initiatorname -v iqn.2026-01.io.san-csi:own"
	for _, c := range []struct {
		name string // that the record has
		want []string
	}{
		{"", []string{iface + "-o new", update}},
		{"iqn.2026-01.io.san-csi:own", nil},
		{"iqn.2026-01.io.san-csi:former", []string{update}},
	} {
		p.log = nil
		if c.name != "" {
			p.put(filepath.Join(p.home, "ifaces", ownInterface), "iface.initiatorname = "+c.name+"\n")
		}
		if err := p.i.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		if did := p.did("iscsiadm"); !slices.Equal(did, c.want) {
			t.Errorf("with %q there: did %q, want %q", c.name, did, c.want)
		}
	}
}

// TestAForeignSessionOfTheTarget is not taken for the driver's own.
func TestAForeignSessionOfTheTarget(t *testing.T) {
	p := newProver(t, "etc/iscsi")
	n := p.attach(iqn)
	name := p.sysfs("class", "iscsi_session", fmt.Sprintf("session%d", n), "initiatorname")
	p.put(name, "iqn.1993-08.org.debian:01:host\n")
	if _, err := p.i.Attach(t.Context(), wanted()); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "org.debian:01:host") {
		t.Errorf("got %v", err)
	}
	p.put(name, "iqn.2026-01.io.san-csi:own\n")
	if _, err := p.i.Attach(t.Context(), wanted()); err != nil {
		t.Error(err)
	}
}
