package element

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

func TestRecordComesBack(t *testing.T) {
	a, b := testNode(t, "a"), testNode(t, "b")
	for name, r := range map[string]record{
		"pending": {name: "v", owner: san.Owner{Cluster: "east"}, state: pendingPrefix + "one", blank: true},
		"in use": {name: `odd "name"`, note: "n\x00te", owner: san.Owner{Cluster: "east", PVC: "ns/claim", PV: "pv", StorageClass: "gold"}, state: stateClaimed, epoch: 9,
			grants: []holder{{a, 7, san.Mode{Shared: true}}, {b, 9, san.Mode{Shared: true, ReadOnly: true}}}},
		"fenced": {name: "v", owner: san.Owner{Cluster: "east"}, state: stateClaimed, epoch: 1,
			grants: []holder{{a, 1, san.Mode{}}}, fence: &fence{api.AccessReadWrite, a}},
		"beside others": {name: "v", state: stateImported, foreign: api.Attributes{"k": json.RawMessage(`{"a":[1,2]}`)}},
	} {
		t.Run(name, func(t *testing.T) {
			attributes, err := r.attributes("v")
			must(t, err)
			if r.foreign == nil {
				r.foreign = api.Attributes{}
			}
			got, err := readRecord(api.Volume{Name: "v", Attributes: attributes})
			if err != nil || !reflect.DeepEqual(got, r) {
				t.Errorf("%+v comes back as %+v, %v", r, got, err)
			}
		})
	}
}

func TestDamagedRecordIsRefused(t *testing.T) {
	for key, value := range map[string]string{
		keyCluster: `7`, keyEpoch: `"many"`, keyGrants: `"nobody=1"`, keyFence: `"readWrite 01234567"`, keyName: `"no mark"`, keyNote: `"~!"`,
	} {
		_, err := readRecord(api.Volume{VolumeID: 5, Name: "v", Attributes: api.Attributes{key: json.RawMessage(value)}})
		expect(t, err, san.ErrBusy, key, "volume 5")
	}
}

// TestRecordIsMeasured: to the byte, what others wrote included.
func TestRecordIsMeasured(t *testing.T) {
	for name, foreign := range map[string]api.Attributes{
		"nothing":  {},
		"a text":   {"k": json.RawMessage(`"v"`)},
		"escapes":  {`k"<`: json.RawMessage(`"<&>"`)},
		"an array": {"k": json.RawMessage("[1,\n 2]"), "l": json.RawMessage(`null`)},
	} {
		t.Run(name, func(t *testing.T) {
			kept, refused := 0, 0
			for n := range 1000 {
				r := record{name: "v", owner: san.Owner{Cluster: strings.Repeat("c", n)}, foreign: foreign}
				attributes, err := r.attributes("v")
				if err != nil {
					expect(t, err, san.ErrExhausted)
					refused++
					continue
				}
				encoded, err := json.Marshal(attributes)
				must(t, err)
				if kept = len(encoded); kept > maxAttributeBytes {
					t.Fatalf("%d bytes are kept", kept)
				}
			}
			if kept != maxAttributeBytes || refused == 0 {
				t.Errorf("the longest that is kept has %d bytes, %d are refused", kept, refused)
			}
		})
	}
}

func TestRecordIsBounded(t *testing.T) {
	r := record{name: "v", foreign: api.Attributes{"k": quote(strings.Repeat("x", 991))}}
	if _, err := r.attributes("v"); err != nil {
		t.Errorf("999 bytes: %v", err)
	}
	r.foreign["k"] = quote(strings.Repeat("x", 992))
	_, err := r.attributes("v")
	expect(t, err, san.ErrExhausted, "999")
}

func TestMapName(t *testing.T) {
	same := []string{"pvc-8f14e45f-ceea-467f-a0e6-9d2c1d3f9f1b", "a", "A-b", "-", strings.Repeat("n", 64)}
	for _, name := range same {
		if got := mapName(name); got != name {
			t.Errorf("mapName(%q) = %q; want it as it is", name, got)
		}
	}
	seen := map[string]string{}
	odd := []string{"a_b", "a.b", "ä", "_", strings.Repeat("n", 65), strings.Repeat("n", 128), "a/b\x00", "\xff", "v-0123456789abcdef", mapName("a_b")}
	for _, name := range append(odd, same...) {
		got := mapName(name)
		if other, taken := seen[got]; taken {
			t.Errorf("%q and %q are both %q", name, other, got)
		}
		seen[got] = name
		if !elementName.MatchString(got) {
			t.Errorf("mapName(%q) = %q, which Element does not take", name, got)
		}
	}
}

func TestShorten(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"ns/claim", "ns/claim"},
		{strings.Repeat("c", 32), strings.Repeat("c", 32)},
		{strings.Repeat("c", 33), strings.Repeat("c", 15) + "~" + shortHash(strings.Repeat("c", 33))},
		{`a"b`, "a-b~" + shortHash(`a"b`)},
	} {
		if got := shorten(c.text, 32); got != c.want || len(got) > 32 {
			t.Errorf("shorten(%q) = %q; want %q", c.text, got, c.want)
		}
	}
}

// TestQuote: what is quoted without the encoder is what the encoder makes of it.
func TestQuote(t *testing.T) {
	for _, s := range []string{"", "pvc-1", "shop/data", "~}|", `a"b`, `a\b`, "a<b>&c", "tab\t", "del\x7f", "größe", "bad\xff", "\u2028"} {
		want, err := json.Marshal(s)
		must(t, err)
		if got := quote(s); string(got) != string(want) || quotedLength(s) != len(want) {
			t.Errorf("%q: %s of %d bytes; want %s", s, got, quotedLength(s), want)
		}
	}
}

// TestUnquote: what clients wrote is read as JSON has it.
func TestUnquote(t *testing.T) {
	for raw, want := range map[string]string{
		`"plain"`: "plain", `""`: "", `"a\"b"`: `a"b`, `"\u00e4"`: "ä", `"ä <b>"`: "ä <b>", `17`: "error", `"open`: "error", `null`: "",
	} {
		got, err := unquote([]byte(raw))
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%s: %q, %v; want %q", raw, got, err, want)
		}
	}
}
