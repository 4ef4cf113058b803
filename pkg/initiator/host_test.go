package initiator

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	utilexec "k8s.io/utils/exec"
)

// absentTools is a host whose PATH has nothing.
type absentTools struct{ *kernel }

func (absentTools) LookPath(string) (string, error) { return "", os.ErrNotExist }

// TestReach: how iscsiadm and multipath are run, by what there is.
func TestReach(t *testing.T) {
	for name, c := range map[string]struct {
		reach     Reach
		root      bool     // it has iscsiadm
		inPath    bool     // PATH has it
		processes []string // with PIDs from 7 on
		program   program
		want      string // ROOT stands for the root's directory
		says      []string
	}{
		"direct":                         {reach: ReachDirect, program: iscsiadm, want: ""},
		"chroot":                         {reach: ReachChroot, program: iscsiadm, want: "chroot ROOT"},
		"nsenter":                        {reach: ReachNsenter, processes: []string{"init", "iscsid", "iscsid"}, program: iscsiadm, want: "nsenter -t 8 -m -n"},
		"nsenter for multipath":          {reach: ReachNsenter, processes: []string{"iscsid", "multipathd"}, program: multipath, want: "nsenter -t 8 -m -n"},
		"nsenter, and no daemon":         {reach: ReachNsenter, processes: []string{"init"}, program: iscsiadm, says: []string{"no process iscsid"}},
		"found in the root":              {reach: ReachAuto, root: true, inPath: true, processes: []string{"iscsid"}, program: iscsiadm, want: "chroot ROOT"},
		"found in PATH":                  {reach: ReachAuto, inPath: true, processes: []string{"iscsid"}, program: multipath, want: ""},
		"found with the daemon":          {reach: ReachAuto, processes: []string{"iscsid"}, program: iscsiadm, want: "nsenter -t 7 -m -n"},
		"in PATH, but the root lacks it": {reach: ReachAuto, root: true, inPath: true, processes: []string{"multipathd"}, program: multipath, want: "nsenter -t 7 -m -n"},
		"nowhere":                        {reach: ReachAuto, program: iscsiadm, says: []string{"iscsiadm is not in PATH", "no process iscsid"}},
	} {
		t.Run(name, func(t *testing.T) {
			k, _ := newKernel(t)
			h := &host{exec: utilexec.Interface(k), reach: c.reach, proc: t.TempDir()}
			if !c.inPath {
				h.exec = absentTools{k}
			}
			if c.root || c.reach == ReachChroot {
				h.root = t.TempDir()
				k.put(filepath.Join(h.root, "usr", "sbin", "iscsiadm"), "")
			}
			for n, process := range c.processes {
				k.put(filepath.Join(h.proc, string(rune('7'+n)), "comm"), process+"\n")
			}
			prefix, err := h.way(c.program)
			if want := strings.Fields(strings.ReplaceAll(c.want, "ROOT", h.root)); err == nil && !slices.Equal(prefix, want) {
				t.Errorf("got %v, want %v", prefix, want)
			}
			if (err != nil) != (c.says != nil) {
				t.Fatalf("got %v, want an error: %t", err, c.says != nil)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %q", err, s)
				}
			}
		})
	}
}

// TestProbe names everything that is missing, at once.
func TestProbe(t *testing.T) {
	for name, c := range map[string]struct {
		exit    int  // of iscsiadm and modprobe
		iscsid  bool // listens
		kernel  bool // has the transport
		loads   bool // modprobe brings it
		missing []string
	}{
		"all is there":         {iscsid: true, kernel: true},
		"the module is loaded": {iscsid: true, loads: true},
		"nothing is there":     {exit: 127, missing: []string{"iscsiadm cannot be run", "--iscsiadm=auto", "nobody listens on @ISCSIADM", "iscsi_tcp"}},
		"no iscsid":            {kernel: true, missing: []string{"nobody listens on @ISCSIADM"}},
		"no transport":         {iscsid: true, missing: []string{"iscsi_tcp"}},
	} {
		t.Run(name, func(t *testing.T) {
			k, i := newKernel(t)
			i.proc = t.TempDir()
			table := "Num RefCount Protocol Flags Type St Inode Path\n"
			if c.iscsid {
				table += "0: 00000002 00000000 00010000 0001 01 17325 " + daemonSocket + "\n"
			}
			k.put(filepath.Join(i.proc, "net", "unix"), table)
			transport := k.sysfs("class", "iscsi_transport", "tcp", "handle")
			if c.kernel {
				k.put(transport, "1\n")
			}
			if c.loads {
				k.loads = transport
			}
			k.exits["probe"] = c.exit
			err := i.Probe(t.Context())
			if (err != nil) != (c.missing != nil) {
				t.Fatalf("got %v, want an error: %t", err, c.missing != nil)
			}
			for _, s := range c.missing {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %q", err, s)
				}
			}
			if err != nil && !errors.Is(err, ErrUnavailable) && c.exit == 0 {
				t.Errorf("%v is not ErrUnavailable", err)
			}
		})
	}
}
