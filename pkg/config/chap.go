package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The values of Array.CHAP.
const (
	CHAPNone       = "none"
	CHAPNode       = "node"
	CHAPNodeMutual = "node-mutual"
)

// Rotation is CHAPRotation; 0 = any age.
func (a Array) Rotation() time.Duration {
	d, _ := time.ParseDuration(a.CHAPRotation) // checked by checkCHAP
	return d
}

// checkCHAP also gives CHAP its default.
func (a *Array) checkCHAP() error {
	a.CHAP = cmp.Or(a.CHAP, CHAPNone)
	if known := []string{CHAPNone, CHAPNode, CHAPNodeMutual}; !slices.Contains(known, a.CHAP) {
		return fmt.Errorf("chap %q: must be one of %s", a.CHAP, strings.Join(known, ", "))
	}
	if a.CHAPRotation == "" {
		return nil
	}
	if d, err := time.ParseDuration(a.CHAPRotation); err != nil || d <= 0 {
		return fmt.Errorf("chapRotation %q: must be a positive duration, such as 720h", a.CHAPRotation)
	}
	if a.CHAP == CHAPNone {
		return fmt.Errorf("chapRotation %q: needs chap: %s or %s", a.CHAPRotation, CHAPNode, CHAPNodeMutual)
	}
	return nil
}
