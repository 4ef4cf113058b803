package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/san-csi/san-csi/pkg/chap"
	"github.com/san-csi/san-csi/pkg/initiator"
	"github.com/san-csi/san-csi/pkg/san"
)

// TestKeyring: what is sealed to the node's key reaches its initiator, and stays
// over a restart.
func TestKeyring(t *testing.T) {
	dir := t.TempDir()
	k, err := openKeyring(dir)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := chap.Seal(k.key.Public(), chap.Credentials{Username: "u", Secret: "s", Target: "t", Generation: 3},
		chap.Binding{Target: "iqn.target", Initiator: "iqn.node"})
	if err != nil {
		t.Fatal(err)
	}
	want := initiator.CHAP{Username: "u", Secret: "s", Target: "t", Generation: 3}
	got, err := k.Candidates(sealed, "iqn.target", "iqn.node")
	if err != nil || len(got) != 1 || got[0] != want {
		t.Fatalf("got %v, %v", got, err)
	}
	if _, err := k.Candidates(sealed, "iqn.other", "iqn.node"); !errors.Is(err, initiator.ErrBusy) || !errors.Is(err, chap.ErrSealed) {
		t.Errorf("for another target: %v", err)
	}
	if err := k.Keep(want); err != nil {
		t.Fatal(err)
	}
	again, err := openKeyring(dir)
	if err != nil {
		t.Fatal(err)
	}
	if kept, ok := again.Newest("u"); !ok || kept != want {
		t.Errorf("after a restart: %v, %t", kept, ok)
	}
}

// TestOwnName: of the node's name and the machine's id, and a name that fits a
// node's id with a key.
func TestOwnName(t *testing.T) {
	root := t.TempDir()
	o := flags(t, "--initiator=own", "--node-name=node-a", "--host-root="+root)
	if _, err := ownInitiator(o); err == nil || !strings.Contains(err.Error(), "machine-id") {
		t.Errorf("without a machine id: %v", err)
	}
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, "etc", "machine-id")
	seen := map[string]string{}
	for _, c := range []struct{ node, machine string }{
		{"node-a", "0123456789abcdef0123456789abcdef\n"}, {"node-b", "0123456789abcdef0123456789abcdef\n"}, {"node-a", "1123456789abcdef0123456789abcdef\n"},
	} {
		if err := os.WriteFile(file, []byte(c.machine), 0o600); err != nil {
			t.Fatal(err)
		}
		o := flags(t, "--initiator=own", "--node-name="+c.node, "--host-root="+root)
		name, err := ownInitiator(o)
		if err != nil {
			t.Fatal(err)
		}
		if other, taken := seen[name]; taken {
			t.Errorf("%s of %v is %s's too", name, c, other)
		}
		seen[name] = c.node
		if again, err := ownInitiator(o); err != nil || again != name {
			t.Errorf("asked again it is %q, %v", again, err)
		}
		if _, err := san.NewNode(name, c.node); err != nil {
			t.Error(err)
		}
	}
	for _, wrong := range []string{"", "uninitialized\n", "0123\n"} {
		if err := os.WriteFile(file, []byte(wrong), 0o600); err != nil {
			t.Fatal(err)
		}
		if name, err := ownInitiator(o); err == nil {
			t.Errorf("with the machine id %q it is %s", wrong, name)
		}
	}
	if name, err := ownInitiator(flags(t)); err != nil || name != "" {
		t.Errorf("by default it is %q, %v", name, err)
	}
}
