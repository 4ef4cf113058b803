package chap

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var (
	binding = Binding{Target: "iqn.2010-01.com.solidfire:t.vol.7", Initiator: "iqn.1993-08.org.debian:01:a"}
	first   = Credentials{Username: "node-a", Secret: "initiatorsecret1", Target: "targetsecret-001", Generation: 1}
)

func key(t *testing.T) *Key {
	t.Helper()
	k, err := OpenKey(filepath.Join(t.TempDir(), "node.key"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func seal(t *testing.T, k *Key, c Credentials) string {
	t.Helper()
	sealed, err := Seal(k.Public(), c, binding)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestOnlyTheNodeOpensWhatIsSealedToIt(t *testing.T) {
	mine, other := key(t), key(t)
	sealed := seal(t, mine, first)
	if got, err := mine.Open(sealed, binding); err != nil || got != first {
		t.Fatalf("got %v, %v", got, err)
	}
	for _, secret := range []string{string(first.Secret), string(first.Target), first.Username} {
		if strings.Contains(sealed, secret) {
			t.Errorf("%s shows in %s", secret, sealed)
		}
	}
	if again := seal(t, mine, first); again == sealed {
		t.Error("sealed twice, it is the same text")
	}
	for name, c := range map[string]struct {
		key     *Key
		sealed  string
		binding Binding
	}{
		"another node":      {other, sealed, binding},
		"another volume":    {mine, sealed, Binding{Target: binding.Target + "1", Initiator: binding.Initiator}},
		"another initiator": {mine, sealed, Binding{Target: binding.Target, Initiator: binding.Initiator + "1"}},
		"moved boundary":    {mine, sealed, Binding{Target: binding.Target + "\x00iqn", Initiator: binding.Initiator}},
		"damaged":           {mine, sealed[:len(sealed)-2] + "AA", binding},
		"cut":               {mine, sealed[:20], binding},
		"not base64":        {mine, sealed + "!", binding},
		"empty":             {mine, "", binding},
		"under another key": {other, mark(other.Public()) + sealed[8:], binding},
	} {
		if got, err := c.key.Open(c.sealed, c.binding); !errors.Is(err, ErrSealed) || got != (Credentials{}) {
			t.Errorf("%s: got %v, %v; want ErrSealed", name, got, err)
		}
	}
}

func TestSealingNeedsAKey(t *testing.T) {
	for _, public := range []string{"", "short", strings.Repeat("!", 43), strings.Repeat("A", 43)} {
		if sealed, err := Seal(public, first, binding); err == nil {
			t.Errorf("sealed to %q: %s", public, sealed)
		} else if strings.Contains(err.Error(), string(first.Secret)) {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
}

func TestTheKeyStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made", "node.key")
	made, err := OpenKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := OpenKey(path); err != nil || again.Public() != made.Public() || len(made.Public()) != 43 {
		t.Errorf("read again it is %v, %v", again, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != fileMode {
		t.Errorf("its file is %v, %v", info.Mode(), err)
	}
	for _, damage := range []string{"", "AAAA", "not base64!"} {
		if err := os.WriteFile(path, []byte(damage), fileMode); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenKey(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("with %q in its file: %v", damage, err)
		}
	}
}

// TestTheNewestIsUsed: a volume attached long ago brings credentials that are
// not in force any more.
func TestTheNewestIsUsed(t *testing.T) {
	k, path := key(t), filepath.Join(t.TempDir(), "chap")
	ring, err := OpenRing(k, path)
	if err != nil {
		t.Fatal(err)
	}
	second := first
	second.Secret, second.Generation = "initiatorsecret2", 2
	byHand := second
	byHand.Secret = "initiatorsecret3"
	elsewhere := first
	elsewhere.Username = "another array"
	for _, step := range []struct {
		name string
		told Credentials
		want []Credentials // the first of which is kept
	}{
		{"the first", first, []Credentials{first}},
		{"the same", first, []Credentials{first}},
		{"a new one", second, []Credentials{second}},
		{"the old one", first, []Credentials{second, first}},
		{"another of the same generation", byHand, []Credentials{byHand, second}},
		{"of another array", elsewhere, []Credentials{elsewhere}},
	} {
		got, err := ring.Candidates(seal(t, k, step.told), binding)
		if err != nil || fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", step.want) || got[0] != step.want[0] {
			t.Fatalf("%s: got %v, %v; want %v", step.name, got, err, step.want)
		}
		if err := ring.Keep(got[0]); err != nil {
			t.Fatal(err)
		}
		if ring, err = OpenRing(k, path); err != nil { // as after a restart
			t.Fatal(err)
		}
	}
	for _, want := range []Credentials{byHand, elsewhere} {
		if c, ok := ring.Newest(want.Username); !ok || c != want {
			t.Errorf("kept is %#v, %t; want %#v", c, ok, want)
		}
	}
	if c, ok := ring.Newest("nobody"); ok {
		t.Errorf("kept is %#v of nobody", c)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != fileMode {
		t.Errorf("its file is %v, %v", info.Mode(), err)
	}
}

func TestADamagedRingIsToldWithoutItsSecrets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chap")
	if err := os.WriteFile(path, []byte(`{"node-a":{"s":"initiatorsecret1","g":"x"}}`), fileMode); err != nil {
		t.Fatal(err)
	}
	_, err := OpenRing(key(t), path)
	if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "initiatorsecret1") {
		t.Errorf("got %v", err)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if text := fmt.Sprintf(format, first); strings.Contains(text, string(first.Secret)) || strings.Contains(text, string(first.Target)) {
			t.Errorf("%s prints %s", format, text)
		}
	}
}
