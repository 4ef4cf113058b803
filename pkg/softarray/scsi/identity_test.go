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
