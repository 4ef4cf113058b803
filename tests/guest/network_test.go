//go:build guest

package guest_test

import (
	"context"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/san-csi/san-csi/tests/guest"
)

// TestReachedAtOnce boots a guest whose address the host is asking for all the
// while, as it does where connections of a former guest are still open. A guest
// that kept silent would be taken for absent, the next dial ending in "no route to
// host", until the host happened to ask again.
func TestReachedAtOnce(t *testing.T) {
	const ip = "192.0.2.77"
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		for ctx.Err() == nil {
			if conn, err := net.Dial("udp", net.JoinHostPort(ip, "9")); err == nil {
				_, _ = conn.Write([]byte("anybody?"))
				conn.Close()
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	bootGuest(t, guest.Config{IP: ip})
	out, err := exec.CommandContext(t.Context(), "ip", "neighbour", "show", ip).Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), "lladdr") {
		t.Errorf("the host does not know the booted guest: %s", out)
	}
}
