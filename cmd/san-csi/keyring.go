package main

import (
	"fmt"
	"path/filepath"

	"github.com/san-csi/san-csi/pkg/chap"
	"github.com/san-csi/san-csi/pkg/initiator"
)

// Beside the stage records, for they are lost together or not at all.
const (
	keyFile  = "node.key"
	ringFile = "node.chap"
)

// keyring is the node's CHAP credentials as its initiator takes them.
type keyring struct {
	key  *chap.Key
	ring *chap.Ring
}

func openKeyring(dir string) (*keyring, error) {
	key, err := chap.OpenKey(filepath.Join(dir, keyFile))
	if err != nil {
		return nil, err
	}
	ring, err := chap.OpenRing(key, filepath.Join(dir, ringFile))
	return &keyring{key, ring}, err
}

// Candidates are what to try for a target, see chap.Ring.
func (k *keyring) Candidates(sealed, target, name string) ([]initiator.CHAP, error) {
	opened, err := k.ring.Candidates(sealed, chap.Binding{Target: target, Initiator: name})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", initiator.ErrBusy, err)
	}
	var all []initiator.CHAP
	for _, c := range opened {
		all = append(all, toInitiator(c))
	}
	return all, nil
}

func toInitiator(c chap.Credentials) initiator.CHAP {
	return initiator.CHAP{Username: c.Username, Secret: initiator.Secret(c.Secret), Target: initiator.Secret(c.Target), Generation: c.Generation}
}

// Newest are those kept of a user name.
func (k *keyring) Newest(username string) (initiator.CHAP, bool) {
	c, ok := k.ring.Newest(username)
	return toInitiator(c), ok
}

// Keep keeps them.
func (k *keyring) Keep(c initiator.CHAP) error {
	return k.ring.Keep(chap.Credentials{
		Username: c.Username, Secret: chap.Secret(c.Secret), Target: chap.Secret(c.Target), Generation: c.Generation,
	})
}
