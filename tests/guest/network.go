package guest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
)

// makeBridge sets up the host's side of the private network.
func makeBridge(ctx context.Context) error {
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		return fmt.Errorf("taps for guests: %w", err)
	}
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"link", "add", bridgeName, "type", "bridge"},
		{"address", "add", HostIP + subnetBits, "dev", bridgeName},
		{"address", "add", NodeIP + subnetBits, "dev", bridgeName},
		{"address", "add", SecondIP + subnetBits, "dev", bridgeName},
		{"link", "set", bridgeName, "up"},
	} {
		if err := run(command(ctx, "ip", args...)); err != nil {
			return err
		}
	}
	return nil
}

// nic is a guest's place in the network: its tap on the bridge and what
// follows from it.
type nic struct {
	octet int
	claim string // directory that holds the octet
}

func (n nic) tap() string { return "tap" + strconv.Itoa(n.octet) }
func (n nic) ip() string  { return subnetPrefix + strconv.Itoa(n.octet) }
func (n nic) mac() string { return fmt.Sprintf("52:54:00:c5:10:%02x", n.octet) }

// plug makes the tap for ip, or for the first free address where ip is empty.
// Addresses are claimed by directories in claims, so that two guests booted at
// once get two.
func plug(ctx context.Context, claims, ip string) (nic, error) {
	first, last := firstGuest, lastGuest
	if ip != "" {
		octet, err := guestOctet(ip)
		if err != nil {
			return nic{}, err
		}
		first, last = octet, octet
	}
	for octet := first; octet <= last; octet++ {
		n := nic{octet: octet, claim: filepath.Join(claims, strconv.Itoa(octet))}
		err := os.MkdirAll(claims, 0o755)
		if err == nil {
			err = os.Mkdir(n.claim, 0o755)
		}
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return nic{}, err
		}
		if err := n.makeTap(ctx); err != nil {
			return nic{}, errors.Join(err, os.Remove(n.claim))
		}
		return n, nil
	}
	return nic{}, fmt.Errorf("no free guest address from %s%d to %s%d", subnetPrefix, first, subnetPrefix, last)
}

func guestOctet(ip string) (int, error) {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return 0, fmt.Errorf("guest address: %w", err)
	}
	subnet := netip.MustParsePrefix(HostIP + subnetBits).Masked()
	if !subnet.Contains(addr) {
		return 0, fmt.Errorf("guest address %s is not in %s", ip, subnet)
	}
	octet := int(addr.As4()[3])
	if octet < firstGuest || octet > lastGuest {
		return 0, fmt.Errorf("guest address %s: last number must be from %d to %d", ip, firstGuest, lastGuest)
	}
	return octet, nil
}

func (n nic) makeTap(ctx context.Context) error {
	if err := run(command(ctx, "ip", "tuntap", "add", n.tap(), "mode", "tap", "vnet_hdr")); err != nil {
		return err
	}
	return run(command(ctx, "ip", "link", "set", n.tap(), "master", bridgeName, "up"))
}

// unplug gives the address back.
func (n nic) unplug(ctx context.Context) error {
	if err := run(command(ctx, "ip", "link", "delete", n.tap())); err != nil {
		return err
	}
	return os.Remove(n.claim)
}
