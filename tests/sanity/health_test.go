package sanity

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/san-csi/san-csi/pkg/san"
	"github.com/san-csi/san-csi/pkg/softarray"
	"github.com/san-csi/san-csi/tests/bench/initiator"
)

const mib = 1 << 20

// health is what the driver tells of the volume's health.
func (s *stack) health(t *testing.T, id string) (all []string) {
	t.Helper()
	resp, err := csi.NewControllerClient(s.conn).ControllerGetVolumeHealth(t.Context(), &csi.ControllerGetVolumeHealthRequest{VolumeId: id})
	check(t, err, codes.OK)
	for _, e := range resp.GetVolumeHealth().GetHealthStatuses() {
		all = append(all, fmt.Sprint(e.GetStatus(), " ", e.GetReason()))
	}
	return all
}

// unwell lists what the driver tells of all volumes, a page of one at a time.
func (s *stack) unwell(t *testing.T) map[string]int {
	t.Helper()
	found := map[string]int{}
	for token := ""; ; {
		resp, err := csi.NewControllerClient(s.conn).ControllerListVolumeHealth(t.Context(),
			&csi.ControllerListVolumeHealthRequest{MaxEntries: 1, StartingToken: token})
		check(t, err, codes.OK)
		for _, e := range resp.GetEntries() {
			found[e.GetVolumeId()] = len(e.GetHealthStatuses())
		}
		if token = resp.GetNextToken(); token == "" {
			return found
		}
	}
}

// granted is a session with the volume, as the node has it that it is published to.
func (s *stack) granted(t *testing.T, id, portal string) *initiator.Session {
	t.Helper()
	s.publish(t, id, node)
	n, err := san.ParseNode(node)
	if err != nil {
		t.Fatal(err)
	}
	session, err := initiator.Login(portal, n.IQN, s.volume(t, id).IQN, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return session
}

// fill writes the same block over and over: WRITE SAME(16), SBC-4 §5.53. The array's
// time goes on meanwhile, or the ceiling would hold it up.
func fill(t *testing.T, s *initiator.Session, clock *clocktesting.FakeClock, from, to int64) {
	t.Helper()
	const block, step = 4096, mib
	data := bytes.Repeat([]byte{0xa5}, block)
	for at := from; at < to; at += step {
		cdb := [16]byte{0x93}
		binary.BigEndian.PutUint64(cdb[2:], uint64(at/block))
		binary.BigEndian.PutUint32(cdb[10:], step/block)
		written := make(chan error, 1)
		go func() { written <- s.Write(cdb[:], data) }()
		for waiting := true; waiting; {
			select {
			case err := <-written:
				if err != nil {
					t.Fatal(err)
				}
				waiting = false
			case <-time.After(time.Millisecond):
				clock.Step(50 * time.Millisecond)
			}
		}
	}
}

// TestHealth: the array raises faults by what is really promised and written, and
// the driver tells of them with each volume of it, for as long as they last.
func TestHealth(t *testing.T) {
	const room = 64 * mib
	clock := clocktesting.NewFakeClock(time.Now().Add(-9 * time.Hour))
	array, portal, _ := startAs(t, softarray.Config{TotalIOPS: 1000, Capacity: room, Clock: clock})
	s := startOn(t, array)
	v, err := s.create(t.Context(), "pvc-1")
	check(t, err, codes.OK)
	session := s.granted(t, v.GetVolumeId(), portal)

	told := make(chan string, 16)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go s.flows.Tend(ctx, 10*time.Millisecond, func(array string, f san.Fault) { told <- array + " " + f.Code + " " + f.Severity })
	raised := func(want, health string) {
		t.Helper()
		clock.Step(30 * time.Second)                                   // the array looks so often
		for got, end := "", time.After(30*time.Second); got != want; { // it may have been less full for a while
			select {
			case got = <-told:
			case <-end:
				t.Fatalf("%q is not told", want)
			}
		}
		if got := s.health(t, v.GetVolumeId()); len(got) == 0 || got[len(got)-1] != health {
			t.Errorf("health %q, want %q", got, health)
		}
	}
	if got := s.health(t, v.GetVolumeId()); len(got) != 0 {
		t.Errorf("health of a volume with which nothing is wrong: %q", got)
	}
	// Its administrator promises more than it can do.
	byHand(t, array, "ModifyVolume", map[string]any{"volumeID": handle(t, v.GetVolumeId()).Volume, "qos": map[string]any{"minIOPS": 1001}}, nil)
	raised("a clusterIOPSAreOverProvisioned warning", "DEGRADED ClusterIOPSAreOverProvisioned")
	byHand(t, array, "ModifyVolume", map[string]any{"volumeID": handle(t, v.GetVolumeId()).Volume, "qos": map[string]any{"minIOPS": 500}}, nil)

	fill(t, session, clock, 0, 63*mib)
	raised("a blockClusterFull error", "DEGRADED BlockClusterFull")
	if got := s.unwell(t); len(got) != 1 || got[v.GetVolumeId()] == 0 {
		t.Errorf("listed as unwell: %v", got)
	}
	_, err = s.create(t.Context(), "pvc-2")
	check(t, err, codes.ResourceExhausted, "full")
	fill(t, session, clock, 63*mib, room)
	raised("a blockClusterFull critical", "INACCESSIBLE BlockClusterFull")
}
