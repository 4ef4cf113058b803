package initiator

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A logout that was cut off leaves a session that iscsid would never end.
func TestDetachEndsASessionWhoseLogoutWasCutOff(t *testing.T) {
	for name, tc := range map[string]struct {
		state string // of the target
		fails error  // of the kernel
		past  bool   // it is ended past iscsid
	}{
		"an ordinary session":     {"SCANNED", nil, false},
		"a kernel without states": {"", nil, false},
		"unbound":                 {targetUnbound, nil, true},
		"unbinding":               {targetUnbinding, nil, true},
		"unbound, and stays so":   {targetUnbound, unix.EBUSY, true},
	} {
		t.Run(name, func(t *testing.T) {
			k, i := newKernel(t)
			k.ends = true
			n := k.logIn(iqn, loggedIn)
			class := k.sysfs("class", "iscsi_session", "session1")
			if tc.state != "" {
				k.put(filepath.Join(class, "target_state"), tc.state+"\n")
			}
			k.put(k.sysfs("class", "iscsi_transport", "tcp", "handle"), "18446744072647950464\n")
			i.patience = time.Millisecond
			past := false
			i.destroy = func(transport uint64, sid uint32) error {
				past = true
				if transport != 18446744072647950464 || int(sid) != n {
					t.Errorf("transport %d, session %d", transport, sid)
				}
				if tc.fails != nil {
					return tc.fails
				}
				return os.RemoveAll(class)
			}
			err := i.Detach(t.Context(), iqn, naa)
			if !errors.Is(err, tc.fails) {
				t.Fatalf("got %v, want %v", err, tc.fails)
			}
			logout := slices.ContainsFunc(k.did("iscsiadm"), func(s string) bool { return s == "iscsiadm -m session -r 1 --logout" })
			if past != tc.past || logout == tc.past {
				t.Errorf("ended past iscsid: %t, logged out: %t; did %q", past, logout, k.did("iscsiadm"))
			}
		})
	}
}

func TestALogoutThatIsUnderWayIsLeftToEnd(t *testing.T) {
	k, i := newKernel(t)
	k.logIn(iqn, loggedIn)
	class := k.sysfs("class", "iscsi_session", "session1")
	k.put(filepath.Join(class, "target_state"), targetUnbound+"\n")
	i.patience = time.Hour
	i.destroy = func(uint64, uint32) error { t.Error("ended past iscsid"); return nil }
	go func() {
		if err := os.RemoveAll(class); err != nil {
			t.Error(err)
		}
		k.events <- struct{}{}
	}()
	s, _, err := i.session("session1")
	if err != nil && !gone(err) {
		t.Fatal(err)
	}
	s.sid = "1"
	if err := i.endStuck(t.Context(), k.events, s); err != nil {
		t.Error(err)
	}
}

func TestTransportMessages(t *testing.T) {
	const transport, sid = 0xffffffffc0a81234, 61
	for event, terminate := range map[uint32]uint32{eventStopConn: stopTerminate, eventDestroyConn: 0, eventDestroySession: 0} {
		m := message(event, transport, sid)
		order := binary.NativeEndian
		body := m[unix.NLMSG_HDRLEN:]
		if int(order.Uint32(m)) != len(m) || uint32(order.Uint16(m[4:])) != event || order.Uint32(body) != event ||
			order.Uint64(body[8:]) != transport || order.Uint32(body[16:]) != sid || order.Uint32(body[32:]) != terminate {
			t.Errorf("event %d: % x", event, m[:64])
		}
	}
}

// What iscsid remembers of such a session would keep the next login from happening.
func TestASessionThatOnlyIscsidKnows(t *testing.T) {
	for name, tc := range map[string]struct {
		keep bool
		want error
	}{
		"iscsid is restarted":  {false, nil},
		"iscsid is left alone": {true, errRemembered},
	} {
		t.Run(name, func(t *testing.T) {
			k, i := newKernel(t)
			k.exits["login"], k.forgotten = exitSessionExists, true
			i.patience, i.keepIscsid = time.Millisecond, tc.keep
			_, err := i.Attach(t.Context(), wanted())
			if !errors.Is(err, tc.want) || tc.want != nil && !errors.Is(err, ErrUnavailable) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			if did := k.did("iscsiadm -k"); len(did) > 0 == tc.keep {
				t.Errorf("did %q", did)
			}
		})
	}
}
