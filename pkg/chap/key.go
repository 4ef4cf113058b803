package chap

import (
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Key is a node's key pair.
type Key struct{ private hpke.PrivateKey }

// OpenKey reads the node's private key, mode 0600, and makes one where there is
// none. One that is damaged is an error: another key would leave every attached
// volume of the node without its credentials.
func OpenKey(path string) (*Key, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("node key: %w", err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(string(text))
	if err != nil {
		return nil, fmt.Errorf("node key %s: damaged; move it away to have another one made, and attach the node's volumes anew", path)
	}
	private, err := hpke.DHKEM(ecdh.X25519()).NewPrivateKey(raw)
	if err != nil {
		return nil, fmt.Errorf("node key %s: not an X25519 private key of %d bytes, %d are there; move it away to have another one made", path, keyBytes, len(raw))
	}
	return &Key{private}, nil
}

func makeKey(path string) (*Key, error) {
	private, err := hpke.DHKEM(ecdh.X25519()).GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("make node key: %w", err)
	}
	raw, err := private.Bytes()
	if err != nil {
		return nil, fmt.Errorf("make node key: %w", err)
	}
	if err := replace(path, []byte(base64.RawURLEncoding.EncodeToString(raw))); err != nil {
		return nil, fmt.Errorf("make node key: %w", err)
	}
	return &Key{private}, nil
}

// Public is the public key as it travels in the node's id: base64url, 43
// characters.
func (k *Key) Public() string {
	return base64.RawURLEncoding.EncodeToString(k.private.PublicKey().Bytes())
}
