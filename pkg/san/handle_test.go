package san

import (
	"errors"
	"strings"
	"testing"
)

func TestParseHandle(t *testing.T) {
	for _, h := range []Handle{
		{"3eeu", 1, "0123abcd"}, {"3eeu", 9223372036854775807, ""}, {strings.Repeat("a", 64), 1, "00000000"},
	} {
		got, err := ParseHandle(h.String())
		if err != nil || got != h || len(h.String()) > MaxHandleLength {
			t.Errorf("%q is read as %+v, %v; want %+v", h, got, err, h)
		}
	}
	for _, s := range []string{"", "3eeu", "3eeu:", ":1", "3eeu:0", "3eeu:-1", "3eeu:x", "3eeu:1:", "3eeu:1:ABCDEF01", "3eeu:1:0123abc",
		"3eeu:1:0123abcd:", "3eeu:9223372036854775808", "3 eu:1", strings.Repeat("a", 65) + ":1", strings.Repeat("x", 300)} {
		if h, err := ParseHandle(s); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q is read as %+v, %v; want not found", s, h, err)
		}
	}
}

// TestOtherHandles: those of snapshots and groups have the form of a volume's.
func TestOtherHandles(t *testing.T) {
	for _, text := range []string{"3eeu:7:0123abcd", "3eeu:7"} {
		s, err := ParseSnapshotHandle(text)
		if err != nil || s.Array != "3eeu" || s.Snapshot != 7 || s.String() != text {
			t.Errorf("snapshot %q is read as %+v, %v", text, s, err)
		}
		g, err := ParseGroupHandle(text)
		if err != nil || g.Array != "3eeu" || g.Group != 7 || g.String() != text {
			t.Errorf("group %q is read as %+v, %v", text, g, err)
		}
	}
	for _, text := range []string{"", "snapshot-1", "3eeu:0:0123abcd", "3eeu:7:0123ABCD"} {
		if s, err := ParseSnapshotHandle(text); !errors.Is(err, ErrNotFound) {
			t.Errorf("snapshot %q is read as %+v, %v; want not found", text, s, err)
		}
		if g, err := ParseGroupHandle(text); !errors.Is(err, ErrNotFound) {
			t.Errorf("group %q is read as %+v, %v; want not found", text, g, err)
		}
	}
}

func TestNode(t *testing.T) {
	n, err := NewNode("IQN.1993-08.org.Debian:01:ABC", "node-1")
	if err != nil || n.IQN != "iqn.1993-08.org.debian:01:abc" || len(n.Tag) != 8 {
		t.Fatalf("node %+v, %v", n, err)
	}
	if other, _ := NewNode(n.IQN, "node-2"); other.Tag == n.Tag {
		t.Error("two node names have one tag")
	}
	if got, err := ParseNode(n.String()); err != nil || got != n {
		t.Errorf("%q is read as %+v, %v", n, got, err)
	}
	keyed, err := n.WithKey(strings.Repeat("k", 43))
	if err != nil || keyed.Identity() != n || keyed.String() != n.String()+"#"+keyed.Key {
		t.Errorf("with a key it is %+v, %v", keyed, err)
	}
	if got, err := ParseNode(keyed.String()); err != nil || got != keyed {
		t.Errorf("%q is read as %+v, %v", keyed, got, err)
	}
	long, err := NewNode("iqn.1993-08.org:"+strings.Repeat("x", 139-len("iqn.1993-08.org:")), "node")
	if err != nil {
		t.Fatal(err)
	}
	if longest, err := long.WithKey(keyed.Key); err != nil || len(longest.String()) != MaxNodeIDLength {
		t.Errorf("an initiator name of 139 bytes makes %q, %v", longest, err)
	}
	long.IQN += "x"
	if longer, err := long.WithKey(keyed.Key); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "193 bytes, at most 192") {
		t.Errorf("an initiator name of 140 bytes makes %q, %v; want invalid", longer, err)
	}
	for _, key := range []string{"", "k", strings.Repeat("k", 44), strings.Repeat("k", 42) + "#"} {
		if got, err := n.WithKey(key); !errors.Is(err, ErrInvalid) {
			t.Errorf("key %q makes %+v, %v; want invalid", key, got, err)
		}
	}
	for _, iqn := range []string{"", "iqn.1993", "iqn.1993-08.org_x", "host", "eui.123", "iqn.1993-08." + strings.Repeat("x", MaxNodeIDLength)} {
		if n, err := NewNode(iqn, "node"); !errors.Is(err, ErrInvalid) {
			t.Errorf("initiator %q makes %+v, %v; want invalid", iqn, n, err)
		}
	}
	for _, id := range []string{"", n.IQN, n.IQN + "#", n.IQN + "#XYZ", "#" + n.Tag, strings.ToUpper(n.String()), n.String() + "0", n.String() + "#", n.String() + "#short", keyed.String() + "#", strings.Repeat("x", 300)} {
		if n, err := ParseNode(id); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q is read as %+v, %v; want not found", id, n, err)
		}
	}
}
