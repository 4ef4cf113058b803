package initiator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// daemonSocket is where iscsid listens for iscsiadm: an abstract socket, so one
// of this network namespace.
const daemonSocket = "@ISCSIADM_ABSTRACT_NAMESPACE"

// Daemon tells whether iscsid listens, and multipathd where the node has maps;
// ErrUnavailable where one does not. Without them sessions and maps serve on, but
// none is made, ended or recovered.
func (i *Initiator) Daemon(ctx context.Context) error {
	return errors.Join(i.iscsid(), i.mapsAttended(ctx))
}

func (i *Initiator) iscsid() error {
	table := filepath.Join(i.proc, "net", "unix")
	sockets, err := os.ReadFile(table)
	if err != nil {
		return fmt.Errorf("iscsid: %w", err)
	}
	for line := range strings.Lines(string(sockets)) {
		if strings.HasSuffix(strings.TrimSpace(line), " "+daemonSocket) {
			return nil
		}
	}
	return fmt.Errorf("iscsid: nobody listens on %s in this network namespace: %w", daemonSocket, ErrUnavailable)
}

func (i *Initiator) mapsAttended(ctx context.Context) error {
	maps, err := filepath.Glob(i.sysPath("block", "dm-*"))
	if err != nil {
		return fmt.Errorf("multipath maps: %w", err)
	}
	for _, dir := range maps {
		if i.isMap(filepath.Base(dir)) && !i.multipathd.runs(ctx) {
			return fmt.Errorf("multipathd: nobody listens on %s in this network namespace, but the node has maps: %w", multipathdSocket, ErrUnavailable)
		}
	}
	return nil
}
