package san

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
)

// MaxNodeIDLength is CSI's bound for a node's id (CSI spec, NodeGetInfo).
const MaxNodeIDLength = 192

var (
	iqnPattern = regexp.MustCompile(`^(iqn\.[0-9]{4}-[0-9]{2}\.[a-z0-9.:-]+|eui\.[0-9a-f]{16}|naa\.[0-9a-f]{16,32})$`)
	tagPattern = regexp.MustCompile(`^[0-9a-f]{8}$`)
	keyPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`) // X25519 in base64url
)

// NewNode is the node of that initiator name and node name; the tag is a hash
// of the latter, so that cloned machines with one IQN are told apart.
func NewNode(iqn, name string) (Node, error) {
	sum := sha256.Sum256([]byte(name))
	n := Node{IQN: strings.ToLower(iqn), Tag: hex.EncodeToString(sum[:4])}
	if !iqnPattern.MatchString(n.IQN) {
		return Node{}, fmt.Errorf("initiator name %q: not an iqn, eui or naa name of lower-case letters, digits, '.', ':' and '-' (RFC 7143 §4.2.7): %w", iqn, ErrInvalid)
	}
	return n, n.checkLength()
}

// WithKey is the node with its public key, which arrays' secrets for it are
// sealed to.
func (n Node) WithKey(key string) (Node, error) {
	if !keyPattern.MatchString(key) {
		return Node{}, fmt.Errorf("public key %.64q of node %s: not 32 bytes in base64url: %w", key, n.Identity(), ErrInvalid)
	}
	n.Key = key
	return n, n.checkLength()
}

func (n Node) checkLength() error {
	if len(n.String()) > MaxNodeIDLength {
		return fmt.Errorf("node id %q: %d bytes, at most %d; give the node a shorter initiator name, or the driver's own: %w",
			n, len(n.String()), MaxNodeIDLength, ErrInvalid)
	}
	return nil
}

// ParseNode reads a node id, with a key or without; what cannot be one is
// ErrNotFound.
func ParseNode(id string) (Node, error) {
	iqn, rest, ok := strings.Cut(id, "#")
	tag, key, keyed := strings.Cut(rest, "#")
	if !ok || len(id) > MaxNodeIDLength || !iqnPattern.MatchString(iqn) || !tagPattern.MatchString(tag) || keyed && !keyPattern.MatchString(key) {
		return Node{}, fmt.Errorf("node id %.200q: not <initiator name>#<8 hex>[#<public key>]: %w", id, ErrNotFound)
	}
	return Node{IQN: iqn, Tag: tag, Key: key}, nil
}

// Identity is the node without its key: two nodes are the same where that is
// equal, whatever key either announces.
func (n Node) Identity() Node { return Node{IQN: n.IQN, Tag: n.Tag} }

// String is the node id as it travels.
func (n Node) String() string {
	if n.Key == "" {
		return n.IQN + "#" + n.Tag
	}
	return n.IQN + "#" + n.Tag + "#" + n.Key
}
