// Package chap keeps CHAP secrets between the controller and a node: sealed to
// a key pair that the node makes (RFC 9180, HPKE), so that neither who reads a
// VolumeAttachment nor another node learns them; and on the node, the newest
// that it was told.
package chap

import (
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ErrSealed: what is sealed cannot be opened here.
var ErrSealed = errors.New("cannot be opened with this node's key")

// Credentials are what a node logs in to an array with.
type Credentials struct {
	Username   string `json:"u"`
	Secret     Secret `json:"s"`           // that the initiator proves
	Target     Secret `json:"t,omitempty"` // that the array proves; "" = it need not
	Generation int64  `json:"g"`           // grows with each new secret
}

// Secret is a secret that does not show in logs and errors.
type Secret string

// String hides the secret.
func (Secret) String() string { return "[secret]" }

// GoString hides the secret.
func (Secret) GoString() string { return "[secret]" }

// Binding is what sealed credentials are for; they open for nothing else.
type Binding struct {
	Target    string // the volume's IQN
	Initiator string // the node's IQN
}

func (b Binding) info() []byte {
	return []byte("san-csi chap 1\x00" + b.Target + "\x00" + b.Initiator)
}

// The suite: X25519, HKDF-SHA256, AES-128-GCM.
func suite() (hpke.KDF, hpke.AEAD) { return hpke.HKDFSHA256(), hpke.AES128GCM() }

const keyBytes = 32 // of an X25519 public key

// Seal seals the credentials to a node's public key. The text begins with the
// key's first characters, so that a node can tell whose it is.
func Seal(public string, c Credentials, b Binding) (string, error) {
	raw, err := base64.RawURLEncoding.DecodeString(public)
	if err != nil || len(raw) != keyBytes {
		return "", fmt.Errorf("seal credentials for %s: public key of %d bytes, must be %d in base64url", b.Initiator, len(raw), keyBytes)
	}
	key, err := hpke.DHKEM(ecdh.X25519()).NewPublicKey(raw)
	if err != nil {
		return "", fmt.Errorf("seal credentials for %s: %w", b.Initiator, err)
	}
	text, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("seal credentials for %s: %w", b.Initiator, err)
	}
	kdf, aead := suite()
	sealed, err := hpke.Seal(key, kdf, aead, b.info(), text)
	if err != nil {
		return "", fmt.Errorf("seal credentials for %s: %w", b.Initiator, err)
	}
	return mark(public) + "." + base64.RawURLEncoding.EncodeToString(sealed), nil
}

// mark tells a public key from others, for messages.
func mark(public string) string { return public[:8] }

// Open opens what was sealed to this key for that binding, else ErrSealed.
func (k *Key) Open(sealed string, b Binding) (Credentials, error) {
	whose, text, ok := strings.Cut(sealed, ".")
	if !ok {
		return Credentials{}, fmt.Errorf("credentials for %s: not sealed credentials: %w", b.Target, ErrSealed)
	}
	if whose != mark(k.Public()) {
		return Credentials{}, fmt.Errorf("credentials for %s: sealed to key %.8s, this node's is %s: the node's key was lost since the volume was attached, so it must be attached anew, after the driver's pod on this node has registered the new key: %w",
			b.Target, whose, mark(k.Public()), ErrSealed)
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return Credentials{}, fmt.Errorf("credentials for %s: %w: %w", b.Target, ErrSealed, err)
	}
	kdf, aead := suite()
	opened, err := hpke.Open(k.private, kdf, aead, b.info(), raw)
	if err != nil {
		return Credentials{}, fmt.Errorf("credentials for %s: sealed for another volume or initiator, or damaged: %w", b.Target, ErrSealed)
	}
	var c Credentials
	if err := json.Unmarshal(opened, &c); err != nil {
		return Credentials{}, fmt.Errorf("credentials for %s: what was sealed is not understood: %w", b.Target, ErrSealed)
	}
	return c, nil
}
