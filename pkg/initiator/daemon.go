package initiator

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// daemonSocket is where iscsid listens for iscsiadm: an abstract socket, so one
// of this network namespace.
const daemonSocket = "@ISCSIADM_ABSTRACT_NAMESPACE"

// Daemon tells whether iscsid listens; ErrUnavailable where it does not. Without
// it sessions serve on, but none is made, ended or recovered.
func (i *Initiator) Daemon(context.Context) error {
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
