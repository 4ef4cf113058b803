package initiator

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	// ownInterface is the name of the driver's own open-iscsi interface, by which
	// its sessions are told apart from the host's.
	ownInterface = "san-csi"
	// hostInterface is the one that open-iscsi has from the start.
	hostInterface = "default"
	keyInitiator  = "iface.initiatorname"
)

// Prepare makes the interface record of the driver's own initiator name; where
// the host's name is used there is nothing to do. It may be repeated.
func (i *Initiator) Prepare(ctx context.Context) error {
	if i.ownName == "" {
		return nil
	}
	err := i.admin.ensureInterface(ctx, i.ownName)
	if err != nil {
		return fmt.Errorf("interface %s with initiator name %s: %w", ownInterface, i.ownName, err)
	}
	return nil
}

func (a *admin) ensureInterface(ctx context.Context, name string) error {
	if err := a.records.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("wait for the other writers: %w", err)
	}
	defer a.records.Release(1)
	d, err := a.database()
	if err != nil || d.interfaceName(ownInterface) == name {
		return err
	}
	iface := []string{"-m", "iface", "-I", ownInterface}
	if !d.hasInterface(ownInterface) {
		if err := a.run(ctx, append(iface, "-o", "new")...); err != nil {
			return err
		}
	}
	return a.run(ctx, append(iface, "-o", "update", "-n", keyInitiator, "-v", name)...)
}

func (d database) interfaceFiles(iface string) []string {
	var files []string
	for _, home := range d.homes() {
		if path := filepath.Join(home, "ifaces", iface); exists(path) {
			files = append(files, path)
		}
	}
	return files
}

func (d database) hasInterface(iface string) bool { return len(d.interfaceFiles(iface)) > 0 }

// interfaceName is the initiator name of an interface, "" where it has none.
func (d database) interfaceName(iface string) string {
	for _, path := range d.interfaceFiles(iface) {
		if text, err := os.ReadFile(path); err == nil {
			return value(string(text), keyInitiator)
		}
	}
	return ""
}

// foreign refuses to work with a session of another initiator name: the array
// lets the name in that the volume was granted to, and no other.
func (i *Initiator) foreign(all []session) error {
	if i.ownName == "" {
		return nil
	}
	for _, s := range all {
		name, err := attribute(i.sysPath("class", "iscsi_session", "session"+s.sid), "initiatorname")
		if err != nil && !gone(err) {
			return fmt.Errorf("initiator name of session %s: %w", s.sid, err)
		}
		if err == nil && !strings.EqualFold(name, i.ownName) {
			return fmt.Errorf("session %s of the target is of initiator %s, this driver's is %s: log it out first: %w", s.sid, name, i.ownName, ErrBusy)
		}
	}
	return nil
}
