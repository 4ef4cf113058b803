package guest

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/san-csi/san-csi/tests/guest/agentapi"
)

// Config says what guest to boot. All of it is optional.
type Config struct {
	// Name is the guest's host name and names its logs; "node" with the last
	// number of its address by default.
	Name string
	// IQN is the initiator's name; derived from Name by default.
	IQN string
	// IP is an address of 192.0.2.11 to .250; the first free one by default.
	IP string
	// MemoryMiB defaults to 768.
	MemoryMiB int
	// CPUs defaults to 2.
	CPUs int
	// Disks are ext4 images to attach read-only as /dev/vdb and so on; the first
	// is mounted on /payload. [Payload] makes one.
	Disks []string
	// Scratch is an ext4 image to attach after Disks, writable: what a guest
	// writes to it is its own and lost with it. [Scratch] makes one. The guest
	// does not mount it by itself.
	Scratch string
	// Reboots lets [VM.Reset] restart the guest, and a panic of its kernel too.
	Reboots bool
}

func (c Config) withDefaults(n nic) Config {
	c.IP = n.ip()
	c.Name = cmp.Or(c.Name, fmt.Sprintf("node%d", n.octet))
	c.IQN = cmp.Or(c.IQN, "iqn.2026-01.io.san-csi.guest:"+strings.ToLower(c.Name))
	c.MemoryMiB = cmp.Or(c.MemoryMiB, 768)
	c.CPUs = cmp.Or(c.CPUs, 2)
	return c
}

// agentFD is the agent's socket in QEMU: the first file it inherits.
const agentFD = 3

// qemuArgs is QEMU's command line. The emulator is TCG even where /dev/kvm is
// there: KVM hangs stock kernels on some machines that offer it. The root disk
// is shared by all guests; what one writes goes to a file of its own that is
// already unlinked.
func (c Config) qemuArgs(image Image, n nic, console string) []string {
	args := []string{
		"-nodefaults", "-no-user-config", "-display", "none",
		"-name", c.Name,
		"-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max",
		"-smp", strconv.Itoa(c.CPUs), "-m", strconv.Itoa(c.MemoryMiB),
		"-kernel", image.kernel(), "-initrd", image.initramfs(), "-append", c.kernelCommandLine(),
		"-chardev", "file,id=console,append=on,path=" + console, "-serial", "chardev:console",
		"-device", "virtio-serial-pci",
		"-chardev", fmt.Sprintf("socket,id=agent,fd=%d", agentFD),
		"-device", "virtserialport,chardev=agent,name=" + agentapi.PortName,
		"-drive", "file=" + image.root() + ",if=virtio,format=raw,snapshot=on",
		"-netdev", "tap,id=net0,ifname=" + n.tap() + ",script=no,downscript=no",
		"-device", "virtio-net-pci,netdev=net0,romfile=,mac=" + n.mac(),
	}
	for _, disk := range c.Disks {
		args = append(args, "-drive", "file="+disk+",if=virtio,format=raw,readonly=on")
	}
	if !c.Reboots {
		args = append(args, "-no-reboot")
	}
	if c.Scratch != "" {
		args = append(args, "-drive", "file="+c.Scratch+",if=virtio,format=raw,snapshot=on")
	}
	return args
}

func (c Config) kernelCommandLine() string {
	words := []string{
		"console=ttyS0", "panic=-1", "quiet", "loglevel=6", "mitigations=off", "tsc=reliable",
		"random.trust_cpu=on", "net.ifnames=0",
		agentapi.ArgName + "=" + c.Name,
		agentapi.ArgIQN + "=" + c.IQN,
		agentapi.ArgIP + "=" + c.IP + subnetBits,
		agentapi.ArgGateway + "=" + HostIP,
	}
	if len(c.Disks) > 0 {
		words = append(words, agentapi.ArgPayload+"=/dev/vdb")
	}
	return strings.Join(words, " ")
}

// validate refuses what QEMU or the kernel's command line would take apart.
func (c Config) validate() error {
	for field, value := range map[string]string{"Name": c.Name, "IQN": c.IQN} {
		if strings.ContainsAny(value, " \t\n,\"/") {
			return fmt.Errorf("guest config: %s %q has a blank, comma, quote or slash", field, value)
		}
	}
	for _, disk := range append([]string{c.Scratch}, c.Disks...) {
		if strings.Contains(disk, ",") {
			return fmt.Errorf("guest config: disk %q has a comma", disk)
		}
	}
	return nil
}
