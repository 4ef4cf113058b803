package initiator

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	lockPoll   = 10 * time.Millisecond // as iscsiadm's own
	recordMode = 0o600
	chapMethod = "CHAP"
	// chapAlgorithms are in the order that they are offered in. An open-iscsi that
	// does not know one passes over it, one that knows MD5 alone has no such key;
	// a target takes the first that it knows.
	chapAlgorithms = "SHA3-256,SHA256,SHA1,MD5"

	authPrefix    = "node.session.auth."
	keyAlgorithms = authPrefix + "chap_algs"
	keyUsername   = authPrefix + "username"
)

// database is where open-iscsi keeps its node records. Secrets are written here
// and not by iscsiadm, whose command line every process of the node can read.
type database struct{ root string }

// homes are where it may be, by distribution.
func (d database) homes() []string {
	return []string{filepath.Join(d.root, "etc/iscsi"), filepath.Join(d.root, "var/lib/iscsi")}
}

// records are the node records of a target at a portal; "*" is any. The older
// form of a record has no portal group, and lies beside those that have.
func (d database) records(iqn, host, port string) ([]string, error) {
	var found []string
	for _, home := range d.homes() {
		portals, err := filepath.Glob(filepath.Join(home, "nodes", iqn, host+","+port+"*"))
		if err != nil {
			return nil, fmt.Errorf("node records of %s: %w: %w", iqn, ErrDatabase, err)
		}
		for _, portal := range portals {
			files, err := filesIn(portal)
			if err != nil {
				return nil, fmt.Errorf("node records of %s: %w: %w", iqn, ErrDatabase, err)
			}
			found = append(found, files...)
		}
	}
	return found, nil
}

// filesIn is the path itself where it is a file, and what is in it where it is a
// directory; what went meanwhile is none.
func filesIn(path string) ([]string, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	return filepath.Glob(filepath.Join(path, "*"))
}

// prove writes the credentials into the record of one portal of one target.
func (d database) prove(ctx context.Context, iqn, portal, iface string, c CHAP) error {
	host, port, err := net.SplitHostPort(portal)
	if err != nil {
		return fmt.Errorf("portal %q: %w: %w", portal, ErrInvalid, err)
	}
	unlock, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	all, err := d.records(iqn, host, port)
	if err != nil {
		return err
	}
	written := 0
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("node record %s: %w: %w", path, ErrDatabase, err)
		}
		if value(string(text), "iface.iscsi_ifacename") != iface {
			continue
		}
		if err := d.write(path, authenticated(string(text), c)); err != nil {
			return err
		}
		written++
	}
	if written == 0 {
		return fmt.Errorf("node record of %s at %s for interface %s: none in %v: %w", iqn, portal, iface, d.homes(), ErrDatabase)
	}
	return nil
}

// adopt writes the credentials into every record that has their user name.
func (d database) adopt(ctx context.Context, c CHAP) error {
	unlock, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	all, err := d.records("*", "*", "")
	if err != nil {
		return err
	}
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("node record %s: %w: %w", path, ErrDatabase, err)
		}
		if value(string(text), keyUsername) != c.Username {
			continue
		}
		if err := d.write(path, authenticated(string(text), c)); err != nil {
			return err
		}
	}
	return nil
}

// value is that of a key in a record, "" where there is none.
func value(record, key string) string {
	for line := range strings.Lines(record) {
		if name, text, ok := strings.Cut(line, "="); ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(text)
		}
	}
	return ""
}

// authenticated is the record with the credentials in place of those it had.
func authenticated(record string, c CHAP) string {
	set := []setting{{authPrefix + "authmethod", chapMethod}, {keyUsername, c.Username}, {authPrefix + "password", string(c.Secret)}}
	if c.Target != "" {
		set = append(set, setting{authPrefix + "username_in", c.Username}, setting{authPrefix + "password_in", string(c.Target)})
	}
	var kept []string
	for line := range strings.Lines(record) {
		name, _, _ := strings.Cut(line, "=")
		if name = strings.TrimSpace(name); name == keyAlgorithms {
			set = append(set, setting{keyAlgorithms, chapAlgorithms})
		}
		if !strings.HasPrefix(name, authPrefix) {
			kept = append(kept, strings.TrimRight(line, "\n"))
		}
	}
	end := slices.IndexFunc(kept, func(line string) bool { return strings.HasPrefix(line, "# END RECORD") })
	if end < 0 {
		end = len(kept)
	}
	var lines []string
	for _, s := range set {
		lines = append(lines, s.name+" = "+s.value)
	}
	return strings.Join(slices.Insert(kept, end, lines...), "\n") + "\n"
}

// write replaces a record as a whole. The new one is made beside the directory of
// the records: whatever lies within it is a record to iscsiadm. Its caller holds
// the lock, so a file left by a process that was killed is overwritten.
func (d database) write(path, text string) error {
	home, _, _ := strings.Cut(path, string(filepath.Separator)+"nodes"+string(filepath.Separator))
	fresh := filepath.Join(home, ".san-csi.new")
	file, err := os.OpenFile(fresh, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, recordMode)
	if err != nil {
		return fmt.Errorf("node record %s: %w: %w", path, ErrDatabase, err)
	}
	_, err = file.WriteString(text)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return fmt.Errorf("node record %s: %w: %w", path, ErrDatabase, errors.Join(err, os.Remove(fresh)))
	}
	return nil
}

// lock takes the lock of open-iscsi's database, as iscsiadm does: by a hard link
// to its lock file, which is there for as long as the lock is held.
func (d database) lock(ctx context.Context) (unlock func(), err error) {
	dir := filepath.Join(d.root, "run/lock/iscsi")
	file, held := filepath.Join(dir, "lock"), filepath.Join(dir, "lock.write")
	if err := os.MkdirAll(dir, 0o770); err != nil {
		return nil, fmt.Errorf("lock of the node records: %w: %w", ErrDatabase, err)
	}
	made, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, fmt.Errorf("lock of the node records: %w: %w", ErrDatabase, err)
	}
	_ = made.Close()
	retry := time.NewTicker(lockPoll)
	defer retry.Stop()
	for {
		err := os.Link(file, held)
		if err == nil {
			return func() { _ = os.Remove(held) }, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("lock of the node records: %w: %w", ErrDatabase, err)
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("lock of the node records: %s is there, of another iscsiadm or of one that was killed: %w: %w", held, ErrDatabase, ctx.Err())
		}
	}
}
