package element

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
)

const (
	maxNameBytes        = 128 // of a caller's name
	maxElementNameBytes = 64
	hashDigits          = 16
)

var (
	elementName = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
	hashedName  = regexp.MustCompile(`-[0-9a-f]{16}$`)
)

// nameKey is what a Create is serialised by.
type nameKey struct {
	account int64
	name    string // Element's
}

// mapName is Element's name for a caller's. One that Element takes stays as it
// is, unless it looks like a mapped one; others end in a hash of the whole, so
// that no two callers' names meet.
func mapName(name string) string {
	if elementName.MatchString(name) && !hashedName.MatchString(name) {
		return name
	}
	prefix := strings.Map(func(r rune) rune {
		if r < 0x80 && elementName.MatchString(string(r)) {
			return r
		}
		return '-'
	}, name)
	prefix = strings.TrimLeft(prefix, "-")
	prefix = prefix[:min(len(prefix), maxElementNameBytes-hashDigits-1)]
	if prefix == "" {
		prefix = "v"
	}
	return prefix + "-" + shortHash(name)
}

func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])[:hashDigits]
}

var plainText = regexp.MustCompile(`^[A-Za-z0-9/._:@ -]*$`)

// shorten makes a text fit into limit bytes of attributes, where JSON needs no
// escape; what it cuts or replaces, it marks with a hash of the whole.
func shorten(s string, limit int) string {
	if len(s) <= limit && plainText.MatchString(s) {
		return s
	}
	prefix := strings.Map(func(r rune) rune {
		if r < 0x80 && plainText.MatchString(string(r)) {
			return r
		}
		return '-'
	}, s)
	return prefix[:min(len(prefix), limit-hashDigits-1)] + "~" + shortHash(s)
}
