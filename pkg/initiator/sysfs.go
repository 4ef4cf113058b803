package initiator

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	loggedIn = "LOGGED_IN" // scsi_transport_iscsi's name of a session in full feature phase
	sector   = 512         // the unit of /sys/block/*/size, whatever the device's block is
)

// session is one iSCSI session of the kernel.
type session struct {
	sid    string // its number
	host   string // hostN
	portal string // host:port that it was made for
	state  string
	dir    string // of its device, which its scsi devices are beneath
}

// sessions are those of exactly this target, however they came about.
func (i *Initiator) sessions(iqn string) ([]session, error) {
	entries, err := os.ReadDir(i.sysPath("class", "iscsi_session"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the transport module is loaded with the first login
	}
	if err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	var mine []session
	for _, e := range entries {
		s, name, err := i.session(e.Name())
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("sessions: %w", err)
		}
		if name == iqn {
			mine = append(mine, s)
		}
	}
	return mine, nil
}

// session reads one session and the name of its target.
func (i *Initiator) session(name string) (session, string, error) {
	class := i.sysPath("class", "iscsi_session", name)
	target, err := attribute(class, "targetname")
	if err != nil {
		return session{}, "", err
	}
	state, err := attribute(class, "state")
	if err != nil {
		return session{}, "", err
	}
	dir, err := filepath.EvalSymlinks(filepath.Join(class, "device"))
	if err != nil {
		return session{}, "", err
	}
	sid := strings.TrimPrefix(name, "session")
	s := session{sid: sid, host: filepath.Base(filepath.Dir(dir)), portal: i.portal(sid), state: state, dir: dir}
	return s, target, nil
}

// lunDir is where the LUN's scsi device is or would be: the initiator's
// sessions have channel 0 and target 0 only.
func (s session) lunDir(lun int) string {
	number := strings.TrimPrefix(s.host, "host")
	return filepath.Join(s.dir, fmt.Sprintf("target%s:0:0", number), fmt.Sprintf("%s:0:0:%d", number, lun))
}

// luns are the directories of all the session's scsi devices.
func (s session) luns() ([]string, error) {
	dirs, err := filepath.Glob(filepath.Join(s.dir, "target*", "*:*:*:*"))
	if err != nil {
		return nil, fmt.Errorf("devices of session %s: %w", s.sid, err)
	}
	slices.Sort(dirs)
	return dirs, nil
}

// blockDevice reads the disk of a scsi device; ErrNotFound while it has none.
func (i *Initiator) blockDevice(lunDir string) (Device, error) {
	names, err := entries(filepath.Join(lunDir, "block"))
	if err == nil && len(names) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Device{}, fmt.Errorf("disk of %s: %w", filepath.Base(lunDir), err)
	}
	return i.describe(filepath.Join(lunDir, "block", names[0]))
}

// describe reads a disk or a map by its directory; ErrNotFound where it is gone.
func (i *Initiator) describe(dir string) (Device, error) {
	name := filepath.Base(dir)
	number, err := attribute(dir, "dev")
	if err != nil {
		return Device{}, absent("number of "+name, err)
	}
	sectors, err := integer(dir, "size")
	if err != nil {
		return Device{}, absent("size of "+name, err)
	}
	return Device{Name: name, Path: filepath.Join(i.dev, name), Number: number, SizeBytes: sectors * sector}, nil
}

// absent reports an attribute that went with its device as ErrNotFound.
func absent(what string, err error) error {
	if gone(err) {
		err = ErrNotFound
	}
	return fmt.Errorf("%s: %w", what, err)
}

// gone reports whether the object was deleted while it was looked at.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO)
}

func attribute(dir, name string) (string, error) {
	data, err := os.ReadFile(filepath.Join(dir, name))
	return strings.TrimSpace(string(data)), err
}

func integer(dir, name string) (int64, error) {
	text, err := attribute(dir, name)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}

// entries are the names in a directory of sysfs, none where it is gone.
func entries(dir string) ([]string, error) {
	all, err := os.ReadDir(dir)
	if err != nil && !gone(err) {
		return nil, err
	}
	var names []string
	for _, e := range all {
		names = append(names, e.Name())
	}
	return names, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
