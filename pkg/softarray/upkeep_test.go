package softarray

import (
	"runtime"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
)

// becomes calls until the list has that many entries: what it waits for is done
// by the array's own goroutines.
func (r *running) becomes(method, list string, entries int) []any {
	r.t.Helper()
	for {
		if found := r.call(method, `{}`)[list].([]any); len(found) == entries {
			return found
		}
		runtime.Gosched()
	}
}

// An array that serves looks after what falls due, by its clock.
func TestUpkeep(t *testing.T) {
	dir := t.TempDir()
	clock := clocktesting.NewFakeClock(time.Now().Add(-9 * time.Hour)) // clients verify the certificate by the real one
	raised := clock.Now().Add(30 * time.Second).UTC().Format("2006-01-02T15:04:05.000000Z")
	config := Config{DataDir: dir, Username: "admin", Password: "secret", Clock: clock, TotalIOPS: 100}
	r := startWith(t, config)
	r.call("AddAccount", `{"username":"a"}`)
	r.call("CreateVolume", `{"name":"v","accountID":1,"totalSize":1000000000,"qos":{"minIOPS":200}}`)
	r.call("CreateVolume", `{"name":"w","accountID":1,"totalSize":1000000000}`)
	r.call("CreateSnapshot", `{"volumeID":1,"retention":"00:00:30"}`)
	r.call("DeleteVolume", `{"volumeID":2}`)
	r.becomes("ListClusterFaults", "faults", 0)

	clock.Step(30 * time.Second)
	fault := r.becomes("ListClusterFaults", "faults", 1)[0].(map[string]any)
	if fault["code"] != "clusterIOPSAreOverProvisioned" || fault["date"] != raised {
		t.Errorf("fault %v", fault)
	}
	clock.Step(30 * time.Second)
	r.becomes("ListSnapshots", "snapshots", 0)
	r.becomes("ListDeletedVolumes", "volumes", 1)
	clock.Step(8 * time.Hour)
	r.becomes("ListDeletedVolumes", "volumes", 0)

	// Faults are remembered; the next start looks at once.
	r.call("ModifyVolume", `{"volumeID":1,"qos":{"minIOPS":50}}`)
	r.stop()
	r = startWith(t, config)
	fault = r.becomes("ListClusterFaults", "faults", 1)[0].(map[string]any)
	if fault["clusterFaultID"] != 1.0 || fault["resolved"] != true || fault["date"] != raised {
		t.Errorf("fault after a restart: %v", fault)
	}
}
