package initiator

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// multipathdSocket is where multipathd takes commands: an abstract socket, so
	// one of this network namespace.
	multipathdSocket = "@/org/kernel/linux/storage/multipathd"
	// multipathdPath is the other one, of multipath-tools 0.10 and later.
	multipathdPath = "run/multipathd.socket"
	maxReply       = 1 << 20 // bytes
)

var (
	// errNoDaemon: multipathd does not run here.
	errNoDaemon = errors.New("multipathd does not run")
	// errRefused: multipathd did not do what it was told.
	errRefused = errors.New("multipathd refused")
	// errBlacklisted: by its configuration multipathd leaves the path alone.
	errBlacklisted = errors.New("blacklisted for multipathd")
)

// multipathd speaks with the daemon of that name by its own protocol: a length,
// the C type size_t, and a text of that length that ends with a zero byte; the
// reply likewise.
type multipathd struct {
	root string
	dial func(ctx context.Context, address string) (net.Conn, error)
}

func dialUnix(ctx context.Context, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unix", address)
}

// runs reports whether somebody listens.
func (m *multipathd) runs(ctx context.Context) bool {
	conn, err := m.connect(ctx)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

func (m *multipathd) connect(ctx context.Context) (net.Conn, error) {
	conn, err := m.dial(ctx, multipathdSocket)
	if err == nil {
		return conn, nil
	}
	conn, second := m.dial(ctx, filepath.Join("/", m.root, multipathdPath))
	if second == nil {
		return conn, nil
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("multipathd: %w: %w", ErrUnavailable, ctx.Err())
	}
	return nil, fmt.Errorf("%w: %w", errNoDaemon, err)
}

// tell has the daemon carry out a command and returns when it has; errRefused,
// with what it said, where it did not.
func (m *multipathd) tell(ctx context.Context, command string) error {
	conn, err := m.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	reply, err := exchangeText(conn, command)
	if ctx.Err() != nil {
		return fmt.Errorf("multipathd: %s: %w: %w", command, ErrUnavailable, ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("multipathd: %s: %w: %w", command, ErrUnavailable, err)
	}
	switch reply {
	case "ok", "":
		return nil
	case "blacklisted":
		return fmt.Errorf("multipathd: %s: %w", command, errBlacklisted)
	default:
		return fmt.Errorf("multipathd: %s: %w: %s", command, errRefused, reply[:min(len(reply), maxOutput)])
	}
}

func exchangeText(conn io.ReadWriter, command string) (string, error) {
	message := binary.NativeEndian.AppendUint64(nil, uint64(len(command)+1))
	message = append(append(message, command...), 0)
	if _, err := conn.Write(message); err != nil {
		return "", err
	}
	header := make([]byte, 8)
	if _, err := io.ReadFull(conn, header); err != nil {
		return "", err
	}
	length := binary.NativeEndian.Uint64(header)
	if length > maxReply {
		return "", fmt.Errorf("a reply of %d bytes: %w", length, unix.EBADMSG)
	}
	reply := make([]byte, length)
	if _, err := io.ReadFull(conn, reply); err != nil {
		return "", err
	}
	return strings.TrimSpace(strings.TrimRight(string(reply), "\x00")), nil
}
