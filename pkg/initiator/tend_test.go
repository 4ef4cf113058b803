package initiator

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestTend: which sessions iscsid is restarted for, and which not.
func TestTend(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	restarted := []string{"iscsiadm -k 0", "iscsiadm -m session -P 1"}
	for _, c := range []struct {
		name  string
		alter func(*prover, string, *bool) // the kernel, the session's directory, whether iscsid may be restarted
		did   []string
	}{
		{"a secret that was replaced", func(*prover, string, *bool) {}, restarted},
		{"logged in", func(p *prover, dir string, _ *bool) { p.put(dir+"/state", loggedIn) }, nil},
		{"another's session", func(p *prover, dir string, _ *bool) { p.put(dir+"/username", "another") }, nil},
		{"no CHAP", func(p *prover, dir string, _ *bool) { p.put(dir+"/username", "(null)") }, nil},
		{"the first secret", func(p *prover, _ string, _ *bool) { p.ring.since = time.Time{} }, nil},
		{"an iscsid of later", func(p *prover, _ string, _ *bool) { p.ring.since = p.ring.since.Add(-2 * time.Hour) }, nil},
		{"an iscsid of which nothing is known", func(p *prover, _ string, _ *bool) { _ = os.Remove(filepath.Join(p.root, "run/iscsid.pid")) }, nil},
		{"nobody at the portal", func(p *prover, _ string, _ *bool) {
			p.put(p.sysfs("class", "iscsi_connection", "connection7:0", "persistent_address"), "192.0.2.1x\n")
		}, nil},
		{"forbidden", func(_ *prover, _ string, restart *bool) { *restart = false }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProver(t, "etc/iscsi")
			p.ring.kept["node-a"], p.ring.since = fresh, time.Now()
			pid := filepath.Join(p.root, "run/iscsid.pid")
			p.put(pid, "17\n")
			if err := os.Chtimes(pid, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
				t.Fatal(err)
			}
			dir := p.sysfs("class", "iscsi_session", "session7")
			p.put(dir+"/state", "FAILED\n")
			p.put(dir+"/username", "node-a\n")
			p.put(dir+"/targetname", iqn+"\n")
			host, port, err := net.SplitHostPort(listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			p.put(p.sysfs("class", "iscsi_connection", "connection7:0", "persistent_address"), host+"\n")
			p.put(p.sysfs("class", "iscsi_connection", "connection7:0", "persistent_port"), port+"\n")
			restart := true
			c.alter(p, dir, &restart)
			away := map[string]int{}
			for look := 1; look <= looks; look++ {
				if did := p.did("iscsiadm"); len(did) > 0 {
					t.Fatalf("before look %d: did %q", look, did)
				}
				err = p.i.tend(t.Context(), away, restart)
			}
			if (err != nil) != !restart {
				t.Errorf("got %v", err)
			}
			if did := p.did("iscsiadm"); !slices.Equal(did, c.did) {
				t.Errorf("did %q, want %q", did, c.did)
			}
			if set := len(p.set) > 0; set != (c.did != nil) {
				t.Errorf("the kernel's session was given %q", p.set)
			}
			if len(away) > 0 && c.did != nil {
				t.Errorf("it would be restarted again at once: %v", away)
			}
		})
	}
}
