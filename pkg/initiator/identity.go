package initiator

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Device identification, SPC-4 §7.8.6: a page of designators.
const (
	pageDeviceIdentification = 0x83
	pageHeader               = 4
	designatorHeader         = 4
	associationMask          = 0x30 // 0 = the logical unit
	typeMask                 = 0x0f
	typeNAA                  = 3
	naaLocal                 = 0x3 // in the high half of the first byte, §7.8.6.6.3
)

// identities are the NAA names that a scsi device gives itself: those of VPD
// page 0x83 and, where it is one, the kernel's own choice of them in wwid.
func identities(lunDir string) ([]string, error) {
	page, err := os.ReadFile(filepath.Join(lunDir, "vpd_pg83"))
	if gone(err) && exists(lunDir) {
		return nil, fmt.Errorf("%s has no vpd page 0x83: %w", filepath.Base(lunDir), ErrIdentity)
	}
	if err != nil {
		return nil, fmt.Errorf("vpd page 0x83 of %s: %w", filepath.Base(lunDir), err)
	}
	names, err := parseDesignators(page)
	if err != nil {
		return nil, fmt.Errorf("vpd page 0x83 of %s: %w", filepath.Base(lunDir), err)
	}
	wwid, err := attribute(lunDir, "wwid")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("wwid of %s: %w", filepath.Base(lunDir), err)
	}
	if name, ok := strings.CutPrefix(strings.ToLower(wwid), "naa."); ok {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// parseDesignators gives the NAA designators of the logical unit in lower-case
// hex, without those that are locally assigned: they may be any other unit's too.
func parseDesignators(page []byte) ([]string, error) {
	if len(page) < pageHeader || page[1] != pageDeviceIdentification {
		return nil, fmt.Errorf("%d bytes, not a device identification page: %w", len(page), ErrIdentity)
	}
	length := int(binary.BigEndian.Uint16(page[2:]))
	if length > len(page)-pageHeader {
		return nil, fmt.Errorf("%d bytes, cut short of %d: %w", len(page), length+pageHeader, ErrIdentity)
	}
	var names []string
	for rest := page[pageHeader : pageHeader+length]; len(rest) > 0; {
		if len(rest) < designatorHeader || len(rest) < designatorHeader+int(rest[3]) {
			return nil, fmt.Errorf("designator cut short: %w", ErrIdentity)
		}
		end := designatorHeader + int(rest[3])
		name := rest[designatorHeader:end]
		if rest[1]&typeMask == typeNAA && rest[1]&associationMask == 0 && len(name) > 0 && name[0]>>4 != naaLocal {
			names = append(names, hex.EncodeToString(name))
		}
		rest = rest[end:]
	}
	return names, nil
}

// verify is the first half of the identity gate: every NAA name that the scsi
// device has is the one expected, and it has one.
func verify(lunDir, naa string) error {
	names, err := identities(lunDir)
	if err != nil {
		return err
	}
	if len(names) == 1 && names[0] == naa {
		return nil
	}
	return fmt.Errorf("%s shows naa %s, expected %s: %w", filepath.Base(lunDir), strings.Join(names, " and "), naa, ErrIdentity)
}
