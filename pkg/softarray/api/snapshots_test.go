package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/san-csi/san-csi/pkg/softarray/iscsi"
)

const zeroUUID = `"00000000-0000-0000-0000-000000000000"`

func TestSnapshots(t *testing.T) {
	r := withVolumes(t, 2)
	r.play([]step{
		{method: "CreateSnapshot", params: `{"volumeID":1,"name":"s","attributes":{"k":1},"enableRemoteReplication":"true","snapMirrorLabel":"daily"}`, want: map[string]string{
			"snapshotID": "1", "checksum": `"0x0"`, "snapshot.snapshotID": "1", "snapshot.volumeID": "1", "snapshot.volumeName": `"v1"`, "snapshot.name": `"s"`,
			"snapshot.status": `"done"`, "snapshot.totalSize": "1000341504", "snapshot.groupID": "0", "snapshot.groupSnapshotUUID": zeroUUID,
			"snapshot.createTime": `"2031-05-06T07:08:09Z"`, "snapshot.instanceCreateTime": `"2031-05-06T07:08:09Z"`, "snapshot.enableRemoteReplication": "true",
			"snapshot.expirationReason": `"None"`, "snapshot.expirationTime": "null", "snapshot.remoteStatuses": "[]", "snapshot.snapMirrorLabel": `"daily"`,
			"snapshot.virtualVolumeID": "null", "snapshot.attributes": `{"k":1}`}},
		// Trident's empty values.
		{method: "CreateSnapshot", params: `{"volumeID":1,"snapshotID":0,"name":"","enableRemoteReplication":false,"retention":"","attributes":null}`,
			want: map[string]string{"snapshotID": "2", "snapshot.name": `"2031-05-06T07:08:09Z"`, "snapshot.expirationTime": "null", "snapshot.attributes": "{}", "snapshot.snapMirrorLabel": "null"}},
		{method: "CreateSnapshot", params: `{"volumeID":2}`},
		// Of another snapshot, which must be one of that volume.
		{method: "CreateSnapshot", params: `{"volumeID":1,"snapshotID":1,"name":"again"}`, want: map[string]string{"snapshotID": "4", "snapshot.volumeID": "1"}},
		{method: "CreateSnapshot", params: `{"volumeID":1,"snapshotID":3}`, fails: "xSnapshotIDDoesNotExist", message: "does not exist"},
		{method: "CreateSnapshot", params: `{"volumeID":9}`, fails: "xVolumeIDDoesNotExist"},
		{method: "CreateSnapshot", params: `{"volumeID":1,"name":"` + strings.Repeat("n", 256) + `"}`, fails: "xExceededLimit"},
		{method: "CreateSnapshot", params: `{"volumeID":1,"snapMirrorLabel":"` + strings.Repeat("n", 32) + `"}`, fails: "xExceededLimit"},
		{method: "ListSnapshots", want: map[string]string{"snapshots.#": "4", "snapshots.2.volumeID": "2"}},
		{method: "ListSnapshots", params: `{"volumeID":1}`, want: map[string]string{"snapshots.#": "3", "snapshots.2.snapshotID": "4"}},
		{method: "ListSnapshots", params: `{"snapshotID":3}`, want: map[string]string{"snapshots.#": "1", "snapshots.0.volumeID": "2"}},
		{method: "ListSnapshots", params: `{"volumeID":1,"snapshotID":3}`, fails: "xSnapshotIDDoesNotExist"},
		{method: "ListSnapshots", params: `{"snapshotID":9}`, fails: "xSnapshotIDDoesNotExist", message: "SnapshotID 9 does not exist."},
		{method: "ListSnapshots", params: `{"volumeID":9}`, fails: "xVolumeIDDoesNotExist", message: "not exist"},
		{method: "ModifySnapshot", params: `{"snapshotID":1,"name":"t","enableRemoteReplication":false,"snapMirrorLabel":""}`, want: map[string]string{
			"snapshot.name": `"t"`, "snapshot.enableRemoteReplication": "false", "snapshot.snapMirrorLabel": "null", "snapshot.attributes": `{"k":1}`}},
		{method: "ModifySnapshot", params: `{"snapshotID":9}`, fails: "xSnapshotIDDoesNotExist"},
		{method: "DeleteSnapshot", params: `{"snapshotID":1,"overrideSnapMirrorHold":true}`},
		{method: "DeleteSnapshot", params: `{"snapshotID":1}`, fails: "xSnapshotIDDoesNotExist", message: "does not exist"},
		// A deleted volume keeps its snapshots and takes no new ones; a purged one takes them along.
		{method: "DeleteVolume", params: `{"volumeID":1}`},
		{method: "ListSnapshots", params: `{"volumeID":1}`, want: map[string]string{"snapshots.#": "2"}},
		{method: "CreateSnapshot", params: `{"volumeID":1}`, fails: "xVolumeIDDoesNotExist"},
		{method: "RollbackToSnapshot", params: `{"volumeID":1,"snapshotID":2}`, fails: "xVolumeIDDoesNotExist"},
		{method: "PurgeDeletedVolume", params: `{"volumeID":1}`},
		{method: "ListSnapshots", want: map[string]string{"snapshots.#": "1", "snapshots.0.snapshotID": "3"}},
	})
}

func TestSnapshotsPerVolumeAreLimited(t *testing.T) {
	r := withVolumes(t, 2)
	for range 32 {
		r.ok("CreateSnapshot", `{"volumeID":1}`)
	}
	r.play([]step{
		{method: "CreateSnapshot", params: `{"volumeID":1}`, fails: "xMaxSnapshotsPerVolumeExceeded", message: "32"},
		{method: "CreateGroupSnapshot", params: `{"volumes":[2,1]}`, fails: "xMaxSnapshotsPerVolumeExceeded"},
		{method: "RollbackToSnapshot", params: `{"volumeID":1,"snapshotID":1,"saveCurrentState":true}`, fails: "xMaxSnapshotsPerVolumeExceeded"},
		{method: "ListSnapshots", want: map[string]string{"snapshots.#": "32"}},
		{method: "DeleteSnapshot", params: `{"snapshotID":5}`},
		{method: "CreateSnapshot", params: `{"volumeID":1}`, want: map[string]string{"snapshotID": "33"}},
	})
}

func TestRollback(t *testing.T) {
	r := withVolumes(t, 2)
	r.data.sessions = []iscsi.Session{{ID: 1, VolumeID: 1}, {ID: 2, VolumeID: 2}}
	r.play([]step{
		{method: "CreateSnapshot", params: `{"volumeID":1,"name":"s"}`},
		{method: "RollbackToSnapshot", params: `{"volumeID":2,"snapshotID":1,"saveCurrentState":false}`, fails: "xSnapshotIDDoesNotExist"},
		{method: "RollbackToSnapshot", params: `{"volumeID":1,"saveCurrentState":false}`, fails: "xMissingParameter"},
	})
	if n := len(r.data.Sessions()); n != 2 {
		t.Fatalf("%d sessions are left of 2", n)
	}
	r.play([]step{
		// As Cinder says it.
		{method: "RollbackToSnapshot", params: `{"accountID":1,"volumeID":1,"snapshotID":1,"saveCurrentState":"false"}`,
			want: map[string]string{"checksum": `"0x0"`, "snapshotID": "null", "snapshot": "null"}},
		{method: "RollbackToSnapshot", params: `{"volumeID":1,"snapshotID":1,"saveCurrentState":true,"attributes":{"why":"undo"}}`,
			want: map[string]string{"snapshotID": "2", "snapshot.name": `"s-copy"`, "snapshot.attributes": `{"why":"undo"}`}},
		{method: "RollbackToSnapshot", params: `{"volumeID":1,"snapshotID":1,"saveCurrentState":true,"name":"before"}`, want: map[string]string{"snapshot.name": `"before"`}},
		{method: "ListSnapshots", want: map[string]string{"snapshots.#": "3"}},
	})
	// Initiators that were logged in must come back: the medium changed.
	if left := r.data.Sessions(); len(left) != 1 || left[0].VolumeID != 2 {
		t.Errorf("sessions left: %+v", left)
	}
}

func TestExpiringSnapshots(t *testing.T) {
	r := withVolumes(t, 1)
	r.play([]step{
		{method: "CreateSnapshot", params: `{"volumeID":1,"retention":"24:00:00"}`, want: map[string]string{
			"snapshot.expirationReason": `"Api"`, "snapshot.expirationTime": `"2031-05-07T07:08:09Z"`}},
		{method: "CreateSnapshot", params: `{"volumeID":1,"expirationTime":"2031-05-06T08:00:00Z"}`, want: map[string]string{
			"snapshot.expirationReason": `"Api"`, "snapshot.expirationTime": `"2031-05-06T08:00:00Z"`}},
		{method: "CreateSnapshot", params: `{"volumeID":1,"expirationTime":null}`, want: map[string]string{"snapshot.expirationReason": `"None"`}},
		{method: "CreateSnapshot", params: `{"volumeID":1,"retention":"00:30:00"}`},
		{method: "ModifySnapshot", params: `{"snapshotID":4,"expirationTime":null}`, want: map[string]string{"snapshot.expirationTime": "null"}},
		{method: "ModifySnapshot", params: `{"snapshotID":3,"expirationTime":"2031-05-06T09:08:09+01:00"}`, want: map[string]string{"snapshot.expirationTime": `"2031-05-06T08:08:09Z"`}},
		{method: "ModifySnapshot", params: `{"snapshotID":3,"name":"n"}`, want: map[string]string{"snapshot.expirationTime": `"2031-05-06T08:08:09Z"`}},
	})
	for _, c := range []struct{ params, fails string }{
		{`"retention":"1 day"`, "xInvalidParameter"},
		{`"retention":"00:00:00"`, "xInvalidParameter"},
		{`"retention":"00:61:00"`, "xInvalidParameter"},
		{`"retention":"99999999999999999999:00:00"`, "xInvalidParameter"},
		{`"expirationTime":"tomorrow"`, "xInvalidParameter"},
		{`"expirationTime":"2031-05-06T07:08:09Z"`, "xInvalidParameter"},
		{`"expirationTime":"fifo","retention":"01:00:00"`, "xInvalidParameter"},
		{`"expirationTime":5`, "xInvalidParameterType"},
	} {
		r.fails(c.fails, "CreateSnapshot", `{"volumeID":1,`+c.params+`}`)
	}
	for _, c := range []struct {
		after time.Duration
		left  string
	}{{51 * time.Minute, "4"}, {52 * time.Minute, "3"}, {time.Hour, "2"}, {23 * time.Hour, "2"}, {24 * time.Hour, "1"}} {
		r.clock.SetTime(start.Add(c.after))
		if err := r.server.ExpireSnapshots(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := at(r.ok("ListSnapshots", "{}"), "snapshots.#"); got != c.left {
			t.Errorf("after %v: %s snapshots, want %s", c.after, got, c.left)
		}
	}
}

func (r *rig) snapshotNames() string {
	r.t.Helper()
	var names []string
	for _, s := range r.ok("ListSnapshots", `{"volumeID":1}`)["snapshots"].([]any) {
		names = append(names, s.(map[string]any)["name"].(string))
	}
	return strings.Join(names, " ")
}

func TestFIFOSnapshots(t *testing.T) {
	r := withVolumes(t, 1)
	r.play([]step{{method: "ModifyVolume", params: `{"volumeID":1,"fifoSize":3,"minFifoSize":2}`,
		want: map[string]string{"volume.fifoSize": "3", "volume.minFifoSize": "2"}}})
	for i := range 5 {
		r.play([]step{{method: "CreateSnapshot", params: fmt.Sprintf(`{"volumeID":1,"name":"f%d","expirationTime":"fifo"}`, i),
			want: map[string]string{"snapshot.expirationReason": `"fifo"`, "snapshot.expirationTime": "null"}}})
	}
	if got := r.snapshotNames(); got != "f2 f3 f4" {
		t.Errorf("snapshots %s", got)
	}
	r.play([]step{
		{method: "ModifyVolume", params: `{"volumeID":1,"fifoSize":2}`, fails: "xExceededLimit"},
		{method: "ModifyVolume", params: `{"volumeID":1,"minFifoSize":4}`, fails: "xExceededLimit"},
		{method: "ModifyVolume", params: `{"volumeID":1,"fifoSize":33}`, fails: "xExceededLimit"},
	})
	// 32 places: 2 are kept for fifo, so that 30 are left; 3 are taken by fifo.
	for i := range 29 {
		r.ok("CreateSnapshot", fmt.Sprintf(`{"volumeID":1,"name":"p%d"}`, i))
	}
	r.play([]step{
		{method: "CreateSnapshot", params: `{"volumeID":1}`, fails: "xMaxSnapshotsPerVolumeExceeded"},
		{method: "DeleteSnapshot", params: `{"snapshotID":3}`},
		{method: "CreateSnapshot", params: `{"volumeID":1,"name":"last"}`},
		{method: "DeleteSnapshot", params: `{"snapshotID":4}`},
		{method: "CreateSnapshot", params: `{"volumeID":1}`, fails: "xMaxSnapshotsPerVolumeExceeded"},
		{method: "ModifySnapshot", params: `{"snapshotID":5,"expirationTime":null}`, fails: "xMaxSnapshotsPerVolumeExceeded"},
		{method: "CreateSnapshot", params: `{"volumeID":1,"name":"f5","expirationTime":"fifo"}`},
		{method: "CreateSnapshot", params: `{"volumeID":1,"name":"f6","expirationTime":"fifo"}`},
		{method: "ListSnapshots", params: `{"volumeID":1}`, want: map[string]string{"snapshots.#": "32"}},
		{method: "ModifyVolume", params: `{"volumeID":1,"minFifoSize":0}`, want: map[string]string{"volume.minFifoSize": "0", "volume.fifoSize": "3"}},
		{method: "ModifySnapshot", params: `{"snapshotID":6,"expirationTime":"fifo"}`, want: map[string]string{"snapshot.expirationReason": `"fifo"`}},
		{method: "ModifySnapshot", params: `{"snapshotID":7,"expirationTime":"fifo"}`, fails: "xMaxSnapshotsPerVolumeExceeded"},
	})
	if got := r.snapshotNames(); !strings.HasPrefix(got, "p0 p1 ") || !strings.HasSuffix(got, " last f5 f6") {
		t.Errorf("snapshots %s", got)
	}
}

func TestGroupSnapshots(t *testing.T) {
	r := withVolumes(t, 3)
	r.data.sessions = []iscsi.Session{{ID: 1, VolumeID: 1}, {ID: 2, VolumeID: 2}, {ID: 3, VolumeID: 3}}
	r.play([]step{
		{method: "CreateGroupSnapshot", params: `{"volumes":[1,2],"name":"g","attributes":{"a":1},"retention":"01:00:00"}`, want: map[string]string{
			"groupSnapshotID": "1", "groupSnapshot.groupSnapshotID": "1", "groupSnapshot.name": `"g"`, "groupSnapshot.status": `"done"`, "groupSnapshot.attributes": `{"a":1}`,
			"groupSnapshot.createTime": `"2031-05-06T07:08:09Z"`, "groupSnapshot.members.#": "2", "groupSnapshot.members.1.name": `"g"`,
			"groupSnapshot.members.0.groupID": "1", "groupSnapshot.members.0.expirationTime": `"2031-05-06T08:08:09Z"`,
			"members.0.volumeID": "1", "members.0.snapshotID": "1", "members.1.snapshotID": "2", "members.1.checksum": `"0x0"`}},
		{method: "CreateGroupSnapshot", params: `{"volumes":[]}`, fails: "xExceededLimit"},
		{method: "CreateGroupSnapshot", params: `{}`, fails: "xMissingParameter"},
		{method: "CreateGroupSnapshot", params: `{"volumes":[1,1]}`, fails: "xInvalidParameter"},
		{method: "CreateGroupSnapshot", params: `{"volumes":[1,9]}`, fails: "xVolumeIDDoesNotExist"},
		{method: "ListSnapshots", want: map[string]string{"snapshots.#": "2"}},
		{method: "CreateGroupSnapshot", params: `{"volumes":[3]}`, want: map[string]string{"groupSnapshot.name": `"2031-05-06T07:08:09Z"`}},
		{method: "ListGroupSnapshots", want: map[string]string{"groupSnapshots.#": "2"}},
		{method: "ListGroupSnapshots", params: `{"volumes":[2]}`, want: map[string]string{"groupSnapshots.#": "1", "groupSnapshots.0.groupSnapshotID": "1"}},
		{method: "ListGroupSnapshots", params: `{"groupSnapshotID":2}`, want: map[string]string{"groupSnapshots.#": "1", "groupSnapshots.0.members.0.volumeID": "3"}},
		{method: "ListGroupSnapshots", params: `{"groupSnapshotID":9}`, fails: "xGroupSnapshotDoesNotExist"},
		{method: "ModifyGroupSnapshot", params: `{"groupSnapshotID":1,"name":"h","expirationTime":null,"enableRemoteReplication":true}`, want: map[string]string{
			"groupSnapshot.name": `"h"`, "groupSnapshot.enableRemoteReplication": "true", "groupSnapshot.attributes": `{"a":1}`,
			"groupSnapshot.members.0.name": `"h"`, "groupSnapshot.members.1.expirationTime": "null", "groupSnapshot.members.1.enableRemoteReplication": "true"}},
		{method: "RollbackToGroupSnapshot", params: `{"groupSnapshotID":1,"saveCurrentState":true}`, want: map[string]string{
			"groupSnapshotID": "3", "groupSnapshot.name": `"h-copy"`, "members.#": "2", "members.0.volumeID": "1"}},
		{method: "RollbackToGroupSnapshot", params: `{"groupSnapshotID":1,"saveCurrentState":false}`, want: map[string]string{"groupSnapshotID": "null", "members": "null"}},
		{method: "RollbackToGroupSnapshot", params: `{"groupSnapshotID":9,"saveCurrentState":false}`, fails: "xGroupSnapshotDoesNotExist"},
		{method: "DeleteGroupSnapshot", params: `{"groupSnapshotID":3,"saveMembers":true}`},
		{method: "ListSnapshots", params: `{"volumeID":1}`, want: map[string]string{"snapshots.#": "2", "snapshots.1.groupID": "0", "snapshots.1.groupSnapshotUUID": zeroUUID}},
		{method: "DeleteGroupSnapshot", params: `{"groupSnapshotID":1}`},
		{method: "ListSnapshots", params: `{"volumeID":1}`, want: map[string]string{"snapshots.#": "1"}},
		{method: "DeleteGroupSnapshot", params: `{"groupSnapshotID":1}`, fails: "xGroupSnapshotDoesNotExist"},
	})
	if left := r.data.Sessions(); len(left) != 1 || left[0].VolumeID != 3 {
		t.Errorf("sessions left: %+v", left)
	}
}
