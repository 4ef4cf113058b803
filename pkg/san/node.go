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
)

// NewNode is the node of that initiator name and node name; the tag is a hash
// of the latter, so that cloned machines with one IQN are told apart.
func NewNode(iqn, name string) (Node, error) {
	sum := sha256.Sum256([]byte(name))
	n := Node{IQN: strings.ToLower(iqn), Tag: hex.EncodeToString(sum[:4])}
	if !iqnPattern.MatchString(n.IQN) {
		return Node{}, fmt.Errorf("initiator name %q: not an iqn, eui or naa name of lower-case letters, digits, '.', ':' and '-' (RFC 7143 §4.2.7): %w", iqn, ErrInvalid)
	}
	if len(n.String()) > MaxNodeIDLength {
		return Node{}, fmt.Errorf("node id %q: %d bytes, at most %d: %w", n, len(n.String()), MaxNodeIDLength, ErrInvalid)
	}
	return n, nil
}

// ParseNode reads a node id; what cannot be one is ErrNotFound.
func ParseNode(id string) (Node, error) {
	iqn, tag, ok := strings.Cut(id, "#")
	if !ok || len(id) > MaxNodeIDLength || !iqnPattern.MatchString(iqn) || !tagPattern.MatchString(tag) {
		return Node{}, fmt.Errorf("node id %.200q: not <initiator name>#<8 hex>: %w", id, ErrNotFound)
	}
	return Node{IQN: iqn, Tag: tag}, nil
}

// String is the node id as it travels.
func (n Node) String() string { return n.IQN + "#" + n.Tag }
