package softarray

import (
	"bytes"
	"fmt"
	"testing"
)

// content is the first block of a volume as an initiator that logs in reads it:
// one letter, repeated.
func (r *running) content(volume int64) string {
	r.t.Helper()
	block := make([]byte, 4096)
	if _, err := r.inUse(volume).meter.ReadAt(block, 0); err != nil {
		r.t.Fatal(err)
	}
	if !bytes.Equal(block, bytes.Repeat(block[:1], len(block))) {
		r.t.Fatalf("volume %d: a torn block % x...", volume, block[:8])
	}
	return string(block[:1])
}

func (r *running) write(volume int64, letter string) {
	r.t.Helper()
	if _, err := r.inUse(volume).meter.WriteAt(bytes.Repeat([]byte(letter), 4096), 0); err != nil {
		r.t.Fatal(err)
	}
}

func (r *running) inUse(volume int64) *volume {
	r.t.Helper()
	if _, err := r.directory().Admit("iqn.2001-01.com.example:a", r.iqn(volume)); err != nil {
		r.t.Fatal(err)
	}
	live, _ := r.array.volumes.get(volume)
	return live
}

// ended waits for a clone job.
func (r *running) ended(handle int) {
	r.t.Helper()
	result := map[string]any{}
	for result["status"] != "complete" {
		result = r.call("GetAsyncResult", fmt.Sprintf(`{"asyncHandle":%d,"keepResult":true}`, handle))
	}
	if result["error"] != nil {
		r.t.Fatalf("job %d: %v", handle, result)
	}
}

// Snapshots, clones, copies and rollbacks of volumes in use, by their content.
func TestContentsFollowTheAPI(t *testing.T) {
	dir := t.TempDir()
	r := startArray(t, dir)
	r.call("AddAccount", `{"username":"a"}`)
	r.call("CreateVolume", `{"name":"v","accountID":1,"totalSize":1000000000}`)
	r.call("CreateVolume", `{"name":"w","accountID":1,"totalSize":1000000000}`)
	r.write(1, "a")
	r.write(2, "x")
	r.call("CreateSnapshot", `{"volumeID":1}`)
	r.call("CreateGroupSnapshot", `{"volumes":[1,2]}`) // snapshots 2 and 3
	r.write(1, "b")
	r.call("CloneVolume", `{"volumeID":1,"name":"c","snapshotID":1}`)
	r.call("CloneVolume", `{"volumeID":1,"name":"d","newSize":2000000000}`)
	r.call("CloneMultipleVolumes", `{"volumes":[{"volumeID":2,"name":"e"}],"groupSnapshotID":1}`)
	r.ended(1)
	r.ended(2)
	r.ended(3)
	r.write(2, "y")
	check := func(want string) {
		t.Helper()
		got := ""
		for volume := range int64(len(want)) {
			got += r.content(volume + 1)
		}
		if got != want {
			t.Errorf("contents %s, want %s", got, want)
		}
	}
	check("byabx")
	r.call("RollbackToSnapshot", `{"volumeID":1,"snapshotID":1,"saveCurrentState":true}`)
	check("ayabx")
	r.call("RollbackToSnapshot", `{"volumeID":1,"snapshotID":4}`)
	check("byabx")
	r.call("RollbackToGroupSnapshot", `{"groupSnapshotID":1}`)
	check("axabx")
	r.call("CopyVolume", `{"volumeID":1,"dstVolumeID":5,"snapshotID":4}`)
	r.ended(4)
	check("axabb")
	// What shares blocks outlives what it shares them with.
	r.call("DeleteGroupSnapshot", `{"groupSnapshotID":1}`)
	r.call("DeleteVolume", `{"volumeID":1}`)
	r.call("PurgeDeletedVolume", `{"volumeID":1}`)
	r.stop()
	r = startArray(t, dir)
	for volume, want := range map[int64]string{2: "x", 3: "a", 4: "b", 5: "b"} {
		if got := r.content(volume); got != want {
			t.Errorf("volume %d after a restart: %s, want %s", volume, got, want)
		}
	}
}
