package scsi

import (
	"bytes"
	"strings"
	"testing"
)

func TestTransportIDs(t *testing.T) {
	for _, tt := range []struct {
		name string
		port InitiatorPort
		want string // after the header
	}{
		{"padded to 20", InitiatorPort{"iqn.a", 0x1}, "iqn.a,i,0x0000000000" + "01\x00\x00"},
		{"ends with one NUL", InitiatorPort{"iqn.2001-01", 0x800000000001}, "iqn.2001-01,i,0x800000000001\x00\x00\x00\x00"},
		{"of an even length", InitiatorPort{"iqn.2001-01.co", 0xab}, "iqn.2001-01.co,i,0x0000000000ab\x00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id := tt.port.transportID()
			if id[0] != 0x45 || int(id[3]) != len(id)-4 || len(id)%4 != 0 {
				t.Errorf("header % x of %d bytes", id[:4], len(id))
			}
			if got := string(id[4:]); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			p, rest, ok := parseTransportID(append(id, 'x'))
			if !ok || p != tt.port || !bytes.Equal(rest, []byte("x")) {
				t.Errorf("read back %+v, %q, %v", p, rest, ok)
			}
		})
	}
}

func TestTransportIDsThatAreRefused(t *testing.T) {
	long := strings.Repeat("x", 224)
	for name, text := range map[string]string{
		"device alone":  "\x05\x00\x00\x14iqn.2001-01.com.exam\x00\x00",
		"Fibre Channel": "\x00\x00\x00\x14" + strings.Repeat("\x00", 20),
		"cut off":       "\x45\x00\x00\x18iqn.a,i,0x1\x00",
		"too short":     "\x45\x00\x00\x0ciqn.a,i,0x1\x00",
		"no end":        "\x45\x00\x00\x14iqn.a,i,0x1234567890",
		"no ISID":       "\x45\x00\x00\x14iqn.aaaaaaa,i,0x\x00\x00\x00\x00",
		"long ISID":     "\x45\x00\x00\x18iqn.a,i,0x1234567890abc\x00",
		"no hex":        "\x45\x00\x00\x14iqn.aaaa,i,0xqq\x00\x00\x00\x00\x00",
		"no name":       "\x45\x00\x00\x14,i,0x000000000001\x00\x00\x00",
		"long name":     "\x45\x00\x00\xf4" + long + ",i,0x000000000001" + "\x00\x00\x00",
		"nothing":       "",
	} {
		if p, _, ok := parseTransportID([]byte(text)); ok {
			t.Errorf("%s: read as %+v", name, p)
		}
	}
}

func FuzzTransportID(f *testing.F) {
	f.Add(InitiatorPort{"iqn.2001-01.com.example:a", 0x23d000001}.transportID())
	f.Fuzz(func(t *testing.T, b []byte) {
		p, _, ok := parseTransportID(b)
		if !ok {
			return
		}
		if q, rest, ok := parseTransportID(p.transportID()); !ok || q != p || len(rest) > 0 {
			t.Errorf("%+v is read back as %+v", p, q)
		}
	})
}
