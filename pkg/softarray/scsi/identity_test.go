package scsi

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
)

func TestIdentityPages(t *testing.T) {
	n, _ := ready(t, 512)
	std := send(n, 0, nil, 0x12, 0, 0, 0, 96).Data
	if got := string(std[8:36]); got != "SolidFirSSD SAN         0001" {
		t.Errorf("standard INQUIRY says %q", got)
	}
	if got := string(send(n, 0, nil, 0x12, 1, 0x80, 0, 255).Data[4:]); got != testEUI {
		t.Errorf("serial %q", got)
	}
	ids := hex.EncodeToString(send(n, 0, nil, 0x12, 1, 0x83, 0, 255).Data[4:])
	want := "02010028" + hex.EncodeToString([]byte("SolidFir"+testEUI)) + "01020010" + testEUI + "01030010" + testNAA
	if ids != want {
		t.Errorf("designators\n%s, want\n%s", ids, want)
	}
}

func TestEveryVitalPageListedIsThere(t *testing.T) {
	n, _ := ready(t, 512)
	for _, page := range send(n, 0, nil, 0x12, 1, 0, 0, 255).Data[4:] {
		r := send(n, 0, nil, 0x12, 1, page, 0, 255)
		if r.Status != StatusGood || r.Data[1] != page || int(binary.BigEndian.Uint16(r.Data[2:])) != len(r.Data)-4 {
			t.Errorf("page %02x: % x", page, r.Data)
		}
	}
}

func TestCapacityByBlockSize(t *testing.T) {
	for _, tt := range []struct {
		size       int
		last       uint64
		perPhysLog byte
	}{{512, 127, 3}, {4096, 15, 0}} {
		n, _ := ready(t, tt.size)
		b := send(n, 0, nil, 0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32).Data
		if binary.BigEndian.Uint64(b) != tt.last || binary.BigEndian.Uint32(b[8:]) != uint32(tt.size) || b[13] != tt.perPhysLog || b[14] != 0xc0 {
			t.Errorf("%d: READ CAPACITY (16) % x", tt.size, b)
		}
		b = send(n, 0, nil, 0x25).Data
		if binary.BigEndian.Uint32(b) != uint32(tt.last) || binary.BigEndian.Uint32(b[4:]) != uint32(tt.size) {
			t.Errorf("%d: READ CAPACITY (10) % x", tt.size, b)
		}
	}
}

// REPORT SUPPORTED OPERATION CODES must tell what dispatch does: each command
// listed answers something else than "unknown opcode", with the CDB told.
func TestReportedOperationsAreThere(t *testing.T) {
	n, _ := ready(t, 512)
	all := send(n, 0, nil, 0xa3, 0x0c, 0, 0, 0, 0, 0, 0, 0x10, 0).Data[4:]
	if len(all)/8 != len(operations()) {
		t.Fatalf("%d operations listed, %d there", len(all)/8, len(operations()))
	}
	for ; len(all) > 0; all = all[8:] {
		option, action := byte(1), all[3]
		if all[5]&1 != 0 {
			option = 2
		}
		one := send(n, 0, nil, 0xa3, 0x0c, option, all[0], 0, action, 0, 0, 0, 255).Data
		if one[1] != 3 || int(one[3]) != int(all[7]) || one[4] != all[0] {
			t.Errorf("opcode %02x: % x", all[0], one)
		}
	}
}

func TestModeSenseAndSelectAgree(t *testing.T) {
	n, _ := ready(t, 512)
	pages := send(n, 0, nil, 0x1a, 8, 0x3f, 0, 255).Data
	caching := 4 + 12
	if !strings.HasPrefix(hex.EncodeToString(pages[caching:]), "081204") {
		t.Errorf("caching page % x, want WCE", pages[caching:])
	}
	pages[0], pages[2] = 0, 0
	if got := code(send(n, 0, pages, 0x15, 0x10, 0, 0, byte(len(pages)))); got != 0 {
		t.Errorf("MODE SELECT of the current values: %06x", got)
	}
	pages[caching+2] = 0
	if got := code(send(n, 0, pages, 0x15, 0x10, 0, 0, byte(len(pages)))); got != invalidList {
		t.Errorf("MODE SELECT without WCE: %06x", got)
	}
}

// Every form of REPORT SUPPORTED OPERATION CODES, without and with command
// timeouts descriptors (SPC-4 §6.35).
func TestReportSupportedOperationCodes(t *testing.T) {
	const none, bad = "00010000", ""
	for _, tt := range []struct {
		name           string
		option         byte
		opcode, action byte
		want           string // without timeouts
	}{
		{"an operation code", 1, 0x28, 0, "0003000a" + "2818ffffffff1fffff00"},
		{"one that needs a service action", 1, 0x9e, 0, bad},
		{"one that is not there", 1, 0xff, 0, none},
		{"a service action", 2, 0x9e, 0x12, "00030010" + "9e12ffffffffffffffffffffffff0000"},
		{"one that is not there", 2, 0x9e, 0x1f, none},
		{"of an operation code that has none", 2, 0x28, 0, bad},
		{"either, with", 3, 0x5f, 6, "0003000a" + "5f06ff0000ffffffff00"},
		{"either, without", 3, 0x00, 0, "00030006" + "000000000000"},
		{"either, wrong", 3, 0x00, 1, none},
		{"reserved", 4, 0, 0, bad},
	} {
		n, _ := ready(t, 512)
		plain := send(n, 0, nil, 0xa3, 0x0c, tt.option, tt.opcode, 0, tt.action, 0, 0, 0, 255)
		timed := send(n, 0, nil, 0xa3, 0x0c, 0x80|tt.option, tt.opcode, 0, tt.action, 0, 0, 0, 255)
		if tt.want == bad {
			if code(plain) != invalidField || code(timed) != invalidField {
				t.Errorf("%d, %s: %06x and %06x", tt.option, tt.name, code(plain), code(timed))
			}
			continue
		}
		want := tt.want
		if got := hex.EncodeToString(plain.Data); got != want {
			t.Errorf("%d, %s: %s, want %s", tt.option, tt.name, got, want)
		}
		if tt.want != none {
			want = "0083" + want[4:] + "000a00000000000000000000"
		}
		if got := hex.EncodeToString(timed.Data); got != want {
			t.Errorf("%d, %s, with timeouts: %s, want %s", tt.option, tt.name, got, want)
		}
	}
	n, _ := ready(t, 512)
	all := send(n, 0, nil, 0xa3, 0x0c, 0x80, 0, 0, 0, 0, 0, 0x10, 0).Data
	if len(all) != 4+20*len(operations()) || all[4+5] != 0x02 {
		t.Errorf("all with timeouts: %d bytes, flags %02x", len(all), all[4+5])
	}
}

func TestReportTaskManagementFunctions(t *testing.T) {
	n, _ := ready(t, 512)
	for repd, want := range map[byte]string{0: "da000000", 0x80: "da00000c" + "000000000000000000000000"} {
		if r := send(n, 0, nil, 0xa3, 0x0d, repd, 0, 0, 0, 0, 0, 0, 255); hex.EncodeToString(r.Data) != want {
			t.Errorf("REPD %02x: % x", repd, r.Data)
		}
	}
}

// The pages that say what may be done how (SBC-3 §6.5.3, §6.5.4).
func TestLimits(t *testing.T) {
	for _, tt := range []struct {
		size int
		want string // B0h up to its WRITE SAME limit
	}{
		{512, "00b0003c" + "0180" + "0008" + "00004000" + "00000000" + "00004000" + "00100000" + "00000100" + "00000008" + "80000000" + "0000000000004000"},
		{4096, "00b0003c" + "0180" + "0001" + "00000800" + "00000000" + "00000800" + "00100000" + "00000100" + "00000001" + "80000000" + "0000000000000800"},
	} {
		n, _ := ready(t, tt.size)
		if r := send(n, 0, nil, 0x12, 1, 0xb0, 0, 44); hex.EncodeToString(r.Data) != tt.want {
			t.Errorf("%d, block limits\n%x, want\n%s", tt.size, r.Data, tt.want)
		}
		if r := send(n, 0, nil, 0x12, 1, 0xb1, 0, 6); hex.EncodeToString(r.Data) != "00b1003c0001" {
			t.Errorf("%d, characteristics %x", tt.size, r.Data)
		}
		if r := send(n, 0, nil, 0x12, 1, 0xb2, 0, 8); hex.EncodeToString(r.Data) != "00b2000400e40200" {
			t.Errorf("%d, provisioning %x", tt.size, r.Data)
		}
	}
	n, _ := ready(t, 512)
	want := "008f0058" + "00010008" + "0783010084020003" + "0004001c" + "00000000" + "0004" + "0008" + "00000160" +
		strings.Repeat("00", 16) + "00080004" + "0202e400" + "80010020" + "00000001" + "00000001" + "00800000" + "09" + strings.Repeat("00", 19)
	if r := send(n, 0, nil, 0x12, 1, 0x8f, 0, 255); hex.EncodeToString(r.Data) != want {
		t.Errorf("third-party copy\n%x, want\n%s", r.Data, want)
	}
}
