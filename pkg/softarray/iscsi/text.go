package iscsi

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// Bounds of a text negotiation, generous next to what initiators send.
const (
	maxKeys    = 64
	maxKeyLen  = 63       // RFC 7143 §6.1
	maxTextLen = 16 << 10 // one negotiation's text, over all its PDUs
)

var errText = errors.New("malformed text")

// pair is one key=value of a text negotiation (RFC 7143 §6.1).
type pair struct{ key, value string }

// parseText reads key=value pairs, each ended by a zero byte. The last one's
// may be missing, as some initiators send it so.
func parseText(data []byte) ([]pair, error) {
	if len(data) > maxTextLen {
		return nil, fmt.Errorf("%w: %d bytes of at most %d", errText, len(data), maxTextLen)
	}
	var pairs []pair
	for part := range bytes.SplitSeq(data, []byte{0}) {
		if len(part) == 0 {
			continue
		}
		key, value, ok := strings.Cut(string(part), "=")
		if !ok || !validKey(key) {
			return nil, fmt.Errorf("%w: %q is no key=value", errText, truncated(part))
		}
		if pairs = append(pairs, pair{key, value}); len(pairs) > maxKeys {
			return nil, fmt.Errorf("%w: more than %d keys", errText, maxKeys)
		}
	}
	return pairs, nil
}

func validKey(key string) bool {
	if key == "" || len(key) > maxKeyLen || key[0] < 'A' || key[0] > 'Z' {
		return false
	}
	for _, c := range []byte(key) {
		alphanumeric := c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !alphanumeric && !strings.ContainsRune(".-+@_", rune(c)) {
			return false
		}
	}
	return true
}

// truncated keeps secrets and floods out of messages: the key part, 20 bytes.
func truncated(part []byte) []byte {
	key, _, _ := bytes.Cut(part, []byte{'='})
	return key[:min(len(key), 20)]
}

func formatText(pairs []pair) []byte {
	var b bytes.Buffer
	for _, p := range pairs {
		b.WriteString(p.key)
		b.WriteByte('=')
		b.WriteString(p.value)
		b.WriteByte(0)
	}
	return b.Bytes()
}

// repeated finds a key that is there twice, which none may be in one
// negotiation (RFC 7143 §6.3).
func repeated(pairs []pair) (key string, twice bool) {
	seen := make(map[string]bool, len(pairs))
	for _, p := range pairs {
		if seen[p.key] {
			return p.key, true
		}
		seen[p.key] = true
	}
	return "", false
}

// valueOf finds a key.
func valueOf(pairs []pair, key string) (string, bool) {
	for _, p := range pairs {
		if p.key == key {
			return p.value, true
		}
	}
	return "", false
}
