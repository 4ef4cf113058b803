package softarray

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/san-csi/san-csi/pkg/softarray/scsi"
)

// idle is an initiator's session without commands under way.
type idle struct{}

func (idle) AbortTasks() {}

const testInitiator = "iqn.2001-01.com.example:a"

// attach is a nexus of testInitiator at a volume, its power-on unit attention
// taken.
func (r *running) attach(volume int64, isid uint64) *scsi.Nexus {
	r.t.Helper()
	admission, err := r.directory().Admit(testInitiator, r.iqn(volume))
	if err != nil {
		r.t.Fatal(err)
	}
	n := admission.LUN.Attach(scsi.InitiatorPort{Name: testInitiator, ISID: isid}, idle{})
	r.t.Cleanup(n.Detach)
	command(n, nil, 0x00)
	return n
}

func command(n *scsi.Nexus, out []byte, cdb ...byte) scsi.Reply {
	var c scsi.Command
	n.Prepare(&c, 0, [16]byte(append(cdb, make([]byte, 16-len(cdb))...)))
	return c.Run(make([]byte, c.DataIn), out)
}

func startWithVolume(t *testing.T, dir string) *running {
	t.Helper()
	r := startArray(t, dir)
	r.call("AddAccount", `{"username":"a"}`)
	r.call("CreateVolume", `{"name":"v","accountID":1,"totalSize":1000000000}`)
	r.call("CreateVolumeAccessGroup", `{"name":"g","volumes":[1],"initiators":["`+testInitiator+`"]}`)
	return r
}

func TestPersistentReservationsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	r := startWithVolume(t, dir)
	register := make([]byte, 24)
	binary.BigEndian.PutUint64(register[8:], 0x5ec) // the key
	register[20] = 0x01                             // APTPL
	n := r.attach(1, 1)
	if reply := command(n, register, 0x5f, 0, 0, 0, 0, 0, 0, 0, 24); reply.Status != scsi.StatusGood {
		t.Fatalf("register: %+v", reply)
	}
	reserve := slices.Concat(register[8:16], make([]byte, 16))
	if reply := command(n, reserve, 0x5f, 1, 3, 0, 0, 0, 0, 0, 24); reply.Status != scsi.StatusGood {
		t.Fatalf("reserve: %+v", reply)
	}
	r.stop()

	r = startArray(t, dir)
	read := []byte{0x28, 0, 0, 0, 0, 0, 0, 0, 1}
	if reply := command(r.attach(1, 2), nil, read...); reply.Status != scsi.StatusReservationConflict {
		t.Errorf("read of another port: %+v", reply)
	}
	if reply := command(r.attach(1, 1), nil, read...); reply.Status != scsi.StatusGood {
		t.Errorf("read of the holder: %+v", reply)
	}
}

// An initiator that is idle while its volume grows learns of it by a unit
// attention at its next command, and of a change of access likewise.
func TestChangesAreAnnounced(t *testing.T) {
	r := startWithVolume(t, t.TempDir())
	n := r.attach(1, 1)
	for _, tt := range []struct {
		change    string
		asc, ascq byte
	}{
		{`{"volumeID":1,"totalSize":2000000000}`, 0x2a, 0x09},
		{`{"volumeID":1,"access":"readOnly"}`, 0x2a, 0x01},
	} {
		r.call("ModifyVolume", tt.change)
		reply := command(n, nil, 0x00)
		if reply.Status != scsi.StatusCheckCondition || reply.Sense[2] != 6 || reply.Sense[12] != tt.asc || reply.Sense[13] != tt.ascq {
			t.Errorf("after %s: %+v", tt.change, reply)
		}
		if reply := command(n, nil, 0x00); reply.Status != scsi.StatusGood {
			t.Errorf("a second time: %+v", reply)
		}
	}
	capacity := command(n, nil, 0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32).Data
	if got := (binary.BigEndian.Uint64(capacity) + 1) * uint64(binary.BigEndian.Uint32(capacity[8:])); got != 2000683008 {
		t.Errorf("capacity %d", got)
	}
}
