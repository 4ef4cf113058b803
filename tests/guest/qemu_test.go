package guest

import (
	"slices"
	"strings"
	"testing"
)

func TestConfigDefaults(t *testing.T) {
	got := Config{}.withDefaults(nic{octet: 17})
	if got.Name != "node17" || got.IP != "192.0.2.17" || got.IQN != "iqn.2026-01.io.san-csi.guest:node17" || got.CPUs != 2 || got.MemoryMiB != 768 {
		t.Errorf("got %+v", got)
	}
	named := Config{Name: "Beta"}.withDefaults(nic{octet: 18})
	if named.Name != "Beta" || named.IQN != "iqn.2026-01.io.san-csi.guest:beta" {
		t.Errorf("got %+v", named)
	}
}

func TestKernelCommandLine(t *testing.T) {
	config := Config{Name: "a", IQN: "iqn.2026-01.test:a", IP: "192.0.2.11"}
	words := strings.Fields(config.kernelCommandLine())
	for _, want := range []string{"guest.name=a", "guest.iqn=iqn.2026-01.test:a", "guest.ip=192.0.2.11/24", "guest.gateway=192.0.2.1"} {
		if !slices.Contains(words, want) {
			t.Errorf("no %s in %v", want, words)
		}
	}
	if slices.Contains(words, "guest.payload=/dev/vdb") {
		t.Error("a payload without disks")
	}
	config.Disks = []string{"/x"}
	if !strings.Contains(config.kernelCommandLine(), "guest.payload=/dev/vdb") {
		t.Error("disks without a payload")
	}
}

func TestQEMUArgsNeverUseKVM(t *testing.T) {
	args := strings.Join(Config{Disks: []string{"/p.ext4"}}.withDefaults(nic{octet: 11}).qemuArgs(Image{Dir: "/i"}, nic{octet: 11}, "/l"), " ")
	for _, want := range []string{
		"-accel tcg", "file=/i/root.ext4,if=virtio,format=raw,snapshot=on",
		"file=/p.ext4,if=virtio,format=raw,readonly=on", "ifname=tap11", "mac=52:54:00:c5:10:0b",
	} {
		if !strings.Contains(args, want) {
			t.Errorf("no %q in %s", want, args)
		}
	}
	if strings.Contains(args, "kvm") {
		t.Errorf("kvm in %s", args)
	}
}

func TestConfigValidation(t *testing.T) {
	for name, config := range map[string]Config{
		"blank in name": {Name: "a b"},
		"comma in name": {Name: "a,b"},
		"slash in name": {Name: "../a"},
		"blank in iqn":  {IQN: "iqn.2026-01.x:a panic=1"},
		"comma in disk": {Disks: []string{"/a,readonly=off"}},
	} {
		if config.validate() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := (Config{Name: "a", IQN: "iqn.2026-01.test:a", Disks: []string{"/a b"}}).validate(); err != nil {
		t.Error(err)
	}
}

func TestGuestOctet(t *testing.T) {
	for ip, want := range map[string]int{"192.0.2.11": 11, "192.0.2.250": 250} {
		if got, err := guestOctet(ip); err != nil || got != want {
			t.Errorf("%s: got %d, %v", ip, got, err)
		}
	}
	for _, ip := range []string{"", "node", "192.0.3.11", "192.0.2.1", "192.0.2.10", "192.0.2.251", "2001:db8::1"} {
		if got, err := guestOctet(ip); err == nil {
			t.Errorf("%q: got %d, want an error", ip, got)
		}
	}
}
