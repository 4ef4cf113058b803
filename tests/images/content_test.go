//go:build images

package images

import (
	"bytes"
	"crypto/x509"
	"debug/elf"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// each calls test for each image of these targets.
func each(t *testing.T, targets []string, test func(t *testing.T, target, arch string, i *image)) {
	for _, target := range targets {
		for _, arch := range architectures {
			t.Run(target+"/"+arch, func(t *testing.T) {
				if built[target][arch] == nil {
					t.Fatal("no image")
				}
				test(t, target, arch, built[target][arch])
			})
		}
	}
}

var both = []string{driver, array}

// maxDriver bounds what a node downloads, bytes.
const maxDriver = 60 << 20

func TestSize(t *testing.T) {
	each(t, both, func(t *testing.T, _, _ string, i *image) {
		if got := i.compressed(); got > maxDriver {
			t.Errorf("%d bytes compressed, at most %d", got, maxDriver)
		}
	})
}

func TestConfig(t *testing.T) {
	entrypoint := map[string]string{driver: "usr/local/bin/san-csi", array: "san-array"}
	title := map[string]string{driver: "san-csi", array: "san-array"}
	each(t, both, func(t *testing.T, target, arch string, i *image) {
		c := i.Config
		if c.OS != "linux" || c.Architecture != arch {
			t.Errorf("platform %s/%s", c.OS, c.Architecture)
		}
		if c.Config.User != "65532:65532" {
			t.Errorf("user %q", c.Config.User)
		}
		if got := c.Config.Entrypoint[0]; got != "/"+entrypoint[target] {
			t.Errorf("entrypoint %s", got)
		}
		if c.Created != "1970-01-01T00:00:00Z" {
			t.Errorf("created %s: the image depends on the time", c.Created)
		}
		for label, want := range map[string]string{
			"title": title[target], "version": *version, "revision": *revision,
			"licenses": "Apache-2.0", "source": "https://github.com/san-csi/san-csi",
		} {
			if got := c.Config.Labels["org.opencontainers.image."+label]; got != want {
				t.Errorf("label %s: %q, want %q", label, got, want)
			}
		}
	})
}

// TestFiles: nothing has a time, or rights that nobody needs.
func TestFiles(t *testing.T) {
	each(t, both, func(t *testing.T, _, _ string, i *image) {
		for name, f := range i.Files {
			if f.ModTime.Unix() != 0 {
				t.Errorf("%s: modified %s", name, f.ModTime)
			}
			mode := f.FileInfo().Mode()
			if mode&(fs.ModeSetuid|fs.ModeSetgid) != 0 || mode.IsRegular() && mode.Perm()&0o022 != 0 {
				t.Errorf("%s: mode %s", name, mode)
			}
			if f.Uid != 0 && name != "data" {
				t.Errorf("%s: of user %d", name, f.Uid)
			}
		}
	})
}

// TestOwnPrograms: ours are static, so they run on nothing else.
func TestOwnPrograms(t *testing.T) {
	program := map[string]string{driver: "usr/local/bin/san-csi", array: "san-array"}
	each(t, both, func(t *testing.T, target, _ string, i *image) {
		binary, err := elf.NewFile(bytes.NewReader(i.Files[program[target]].Content))
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(binary.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
			t.Error("needs a loader")
		}
		if bytes.Contains(i.Files[program[target]].Content, []byte("/src/pkg/")) {
			t.Error("names the directory it was built in")
		}
	})
}

// TestArrayHasNothingElse: but the licence, and a directory that its user owns.
func TestArrayHasNothingElse(t *testing.T) {
	each(t, []string{array}, func(t *testing.T, _, _ string, i *image) {
		if got, want := slices.Sorted(maps.Keys(i.Files)), []string{"LICENSE", "data", "san-array"}; !slices.Equal(got, want) {
			t.Errorf("files %v, want %v", got, want)
		}
		if data := i.Files["data"]; data.Uid != 65532 || data.Mode&0o777 != 0o750 {
			t.Errorf("data of user %d with mode %o", data.Uid, data.Mode)
		}
	})
}

// TestLibraries: every program is the platform's, and has its loader and its
// libraries.
func TestLibraries(t *testing.T) {
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	each(t, []string{driver}, func(t *testing.T, _, arch string, i *image) {
		libraries := map[string]bool{}
		for name := range i.Files {
			if dir := path.Dir(name); strings.HasSuffix(dir, "-linux-gnu") {
				libraries[path.Base(name)] = true
			}
		}
		programs := 0
		for name, f := range i.Files {
			binary, err := elf.NewFile(bytes.NewReader(f.Content))
			if err != nil {
				continue // no program
			}
			programs++
			if binary.Machine != machines[arch] {
				t.Errorf("%s: for %s", name, binary.Machine)
			}
			needed, err := binary.ImportedLibraries()
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, library := range needed {
				if !libraries[library] {
					t.Errorf("%s needs %s, which is not there", name, library)
				}
			}
			for _, p := range binary.Progs {
				if p.Type != elf.PT_INTERP {
					continue
				}
				loader := make([]byte, p.Filesz-1) // without the zero byte
				if _, err := p.ReadAt(loader, 0); err != nil {
					t.Fatal(err)
				}
				if _, ok := i.Files[strings.TrimPrefix(string(loader), "/")]; !ok {
					t.Errorf("%s needs the loader %s, which is not there", name, loader)
				}
			}
		}
		if programs < 20 {
			t.Errorf("%d programs and libraries", programs)
		}
	})
}

var commands = regexp.MustCompile(`(?:\.run|CommandContext)\(\w+, "([a-z0-9_.]*[a-z0-9])"`)

// TestCommands: the image has every program that the driver's source names, and
// mkfs.ext4's settings; iscsiadm is the host's.
func TestCommands(t *testing.T) {
	names := []string{"chroot", "nsenter", "mkfs.ext4", "mkfs.xfs", "mkfs.btrfs", "sh"}
	sources, err := filepath.Glob("../../pkg/filesystem/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		content, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(source, "_test.go") {
			continue
		}
		for _, match := range commands.FindAllSubmatch(content, -1) {
			names = append(names, string(match[1]))
		}
	}
	if !slices.Contains(names, "mount") || !slices.Contains(names, "umount") || len(names) < 12 {
		t.Fatalf("the source names only %v", names)
	}
	each(t, []string{driver}, func(t *testing.T, _, _ string, i *image) {
		for _, name := range names {
			if !slices.ContainsFunc([]string{"bin", "sbin", "usr/bin", "usr/sbin"}, func(dir string) bool {
				return i.Files[path.Join(dir, name)].Header != nil
			}) {
				t.Errorf("%s is missing", name)
			}
		}
		if len(i.Files["etc/mke2fs.conf"].Content) == 0 {
			t.Error("etc/mke2fs.conf is missing: mkfs.ext4 would set other features")
		}
		for name := range i.Files {
			if path.Base(name) == "iscsiadm" || path.Base(name) == "iscsid" {
				t.Errorf("%s: it would not fit the host's iscsid", name)
			}
		}
	})
}

// TestAuthorities: an array without a caFile is verified by them.
func TestAuthorities(t *testing.T) {
	each(t, []string{driver}, func(t *testing.T, _, _ string, i *image) {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(i.Files["etc/ssl/certs/ca-certificates.crt"].Content) {
			t.Error("no certificates")
		}
	})
}
