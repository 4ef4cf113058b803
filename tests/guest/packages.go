package guest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// kernelPackage is Debian's kernel for virtual machines; it depends on the
// package with the image and the modules, whose name begins kernelPrefix.
const (
	kernelPackage = "linux-image-cloud-amd64"
	kernelPrefix  = "linux-image-"
)

// guestPackages are the packages of a node. What they depend on comes along.
var guestPackages = []string{
	"dash", "busybox-static", "coreutils", "grep", "sed", "mawk", "procps",
	"udev", "kmod", "iproute2", "util-linux", "mount",
	"open-iscsi", "multipath-tools", "dmsetup", "sg3-utils", "lsscsi", "tgt",
	"e2fsprogs", "xfsprogs", "btrfs-progs", "fio",
	kernelPackage,
}

// assumedPackages are told to apt as installed: only maintainer scripts, which
// are not run, and helpers that no test calls need them.
var assumedPackages = []string{
	"adduser", "debconf", "debianutils", "dpkg", "init-system-helpers", "initramfs-tools",
	"libperl5.36", "linux-base", "linux-initramfs-tool", "lsb-base", "media-types", "passwd", "perl", "perl-base",
	"python3", "systemd-standalone-sysusers", "systemd", "sysvinit-utils", "tar", "ucf", "usr-is-merged", "usrmerge",
}

// debFile is one package as the archive has it.
type debFile struct {
	Name string // of the file in the archives directory
	Size int64  // bytes
}

// packageSet fetches Debian packages into a directory of its own, with indices
// of its own: nothing of the host's apt is changed, and root is not needed.
type packageSet struct {
	dir   string
	names []string // the packages that are wanted; what they depend on comes along
}

// fetch resolves the packages, downloads those that are not there yet,
// and returns the paths, sorted. apt verifies them against its signed indices.
func (p packageSet) fetch(ctx context.Context) ([]string, error) {
	if err := p.layOut(); err != nil {
		return nil, err
	}
	if len(p.indices()) == 0 {
		if err := p.update(ctx); err != nil {
			return nil, err
		}
	}
	debs, err := p.resolveAndDownload(ctx)
	if err != nil && ctx.Err() == nil {
		// The archive has moved on since the indices were read.
		progress("%v; reading apt's indices again", err)
		if err := p.update(ctx); err != nil {
			return nil, err
		}
		debs, err = p.resolveAndDownload(ctx)
	}
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, deb := range debs {
		paths = append(paths, filepath.Join(p.archives(), deb.Name))
	}
	slices.Sort(paths)
	return paths, nil
}

func (p packageSet) archives() string { return filepath.Join(p.dir, "archives") }
func (p packageSet) status() string   { return filepath.Join(p.dir, "status") }
func (p packageSet) lists() string    { return filepath.Join(p.dir, "lists") }

func (p packageSet) layOut() error {
	return errors.Join(
		os.MkdirAll(filepath.Join(p.archives(), "partial"), 0o755),
		os.MkdirAll(filepath.Join(p.lists(), "partial"), 0o755),
		os.MkdirAll(filepath.Join(p.dir, "none", "partial"), 0o755),
		os.WriteFile(p.status(), statusFile(assumedPackages), 0o644),
	)
}

// statusFile is a dpkg status file that has nothing but the named packages.
func statusFile(packages []string) []byte {
	var b bytes.Buffer
	for _, name := range packages {
		fmt.Fprintf(&b, "Package: %s\nStatus: install ok installed\nPriority: optional\nSection: admin\n"+
			"Maintainer: nobody <nobody@localhost>\nArchitecture: amd64\nMulti-Arch: allowed\nVersion: 9999\nDescription: assumed\n\n", name)
	}
	return b.Bytes()
}

func (p packageSet) apt(ctx context.Context, args ...string) ([]byte, error) {
	options := []string{
		"-o", "Dir::State=" + p.dir,
		"-o", "Dir::State::lists=" + p.lists(),
		"-o", "Dir::State::status=" + p.status(),
		"-o", "Dir::Cache=" + p.dir,
		"-o", "Dir::Cache::archives=" + p.archives(),
		"-o", "Debug::NoLocking=true",
		"-o", "APT::Sandbox::User=", // its user cannot write to ours
		"-o", "APT::Architecture=amd64",
		"-o", "APT::Install-Recommends=false",
		"-o", "Acquire::Languages=none",
		"-o", "Acquire::Retries=3",
		"-qq", "--yes",
	}
	return output(aptGet(ctx, append(options, args...)...))
}

func (p packageSet) update(ctx context.Context) error {
	progress("reading apt's indices")
	_, err := p.apt(ctx, "update", "--error-on=any")
	return err
}

func (p packageSet) indices() []string {
	paths, _ := filepath.Glob(filepath.Join(p.lists(), "*Release"))
	return paths
}

func (p packageSet) resolveAndDownload(ctx context.Context) ([]debFile, error) {
	debs, err := p.resolve(ctx)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(debs, p.missing) {
		return debs, nil
	}
	progress("downloading %d packages, %d MB", len(debs), totalSize(debs)>>20)
	if _, err := p.apt(ctx, append([]string{"install", "--download-only"}, p.names...)...); err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(debs, p.missing); i >= 0 {
		return nil, fmt.Errorf("apt-get did not download %s", debs[i].Name)
	}
	return debs, nil
}

func (p packageSet) missing(deb debFile) bool {
	info, err := os.Stat(filepath.Join(p.archives(), deb.Name))
	return err != nil || info.Size() != deb.Size
}

func totalSize(debs []debFile) (sum int64) {
	for _, deb := range debs {
		sum += deb.Size
	}
	return sum
}

// resolve asks apt which packages it would install on a machine that has none.
// apt takes seconds over it, so the answer is kept for as long as the question
// and the indices are the same.
func (p packageSet) resolve(ctx context.Context) ([]debFile, error) {
	key, err := p.resolutionKey()
	if err != nil {
		return nil, err
	}
	cached := filepath.Join(p.dir, "resolved-"+key+".json")
	var debs []debFile
	if data, err := os.ReadFile(cached); err == nil && json.Unmarshal(data, &debs) == nil {
		return debs, nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	// apt names only what it would download: show it no archives.
	none := "Dir::Cache::archives=" + filepath.Join(p.dir, "none")
	uris, err := p.apt(ctx, append([]string{"-o", none, "install", "--print-uris"}, p.names...)...)
	if err != nil {
		return nil, err
	}
	if debs, err = parseURIs(string(uris)); err != nil {
		return nil, err
	}
	data, err := json.Marshal(debs)
	if err != nil {
		return nil, err
	}
	return debs, writeFile(cached, data)
}

func (p packageSet) resolutionKey() (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, p.names, assumedPackages)
	for _, path := range p.indices() {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %x\n", path, sha256.Sum256(content))
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// parseURIs reads what apt-get --print-uris prints: 'URI' file size hash.
func parseURIs(text string) ([]debFile, error) {
	var debs []debFile
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			return nil, fmt.Errorf("apt-get --print-uris: line %q", line)
		}
		size, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("apt-get --print-uris: line %q: %w", line, err)
		}
		debs = append(debs, debFile{Name: fields[1], Size: size})
	}
	if len(debs) == 0 {
		return nil, errors.New("apt-get --print-uris: no packages")
	}
	return debs, nil
}

// writeFile writes a file whole or not at all.
func writeFile(path string, data []byte) error {
	temporary := path + ".new"
	if err := os.WriteFile(temporary, data, 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
