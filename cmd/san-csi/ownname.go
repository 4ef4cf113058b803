package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The values of --initiator.
const (
	initiatorHost = "host"
	initiatorOwn  = "own"
)

// ownPrefix begins the driver's own initiator names (RFC 7143 §4.2.7.3).
const ownPrefix = "iqn.2026-01.io.san-csi:"

// ownInitiator is the driver's own initiator name on this node, "" where the
// host's is used.
func ownInitiator(o *options) (string, error) {
	if o.initiator != initiatorOwn {
		return "", nil
	}
	machine, err := machineID(o.hostRoot)
	if err != nil {
		return "", fmt.Errorf("--initiator=%s: %w", initiatorOwn, err)
	}
	return ownName(o.nodeName, machine), nil
}

// ownName stays as long as the node's name and the machine's id do. Machines of
// one image differ in the former, nodes of two clusters in the latter.
func ownName(node, machine string) string {
	sum := sha256.Sum256([]byte(node + "\x00" + machine))
	return ownPrefix + hex.EncodeToString(sum[:8])
}

// machineID is the host's own, machine-id(5).
func machineID(root string) (string, error) {
	for _, file := range []string{"etc/machine-id", "var/lib/dbus/machine-id"} {
		path := filepath.Join("/", root, file)
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("machine id: %w", err)
		}
		id := strings.TrimSpace(string(text))
		if raw, err := hex.DecodeString(id); err != nil || len(raw) != 16 {
			return "", fmt.Errorf("machine id in %s: %.40q is not 32 hex digits", path, id)
		}
		return id, nil
	}
	return "", fmt.Errorf("machine id: the host has none in %s", filepath.Join("/", root, "etc/machine-id"))
}
