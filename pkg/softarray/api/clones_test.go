package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/san-csi/san-csi/pkg/softarray/api"
	"github.com/san-csi/san-csi/pkg/softarray/iscsi"
)

// finishJobs does what is under way.
func (r *rig) finishJobs() {
	r.t.Helper()
	if err := r.server.FinishJobs(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func TestClone(t *testing.T) {
	r := withVolumes(t, 1)
	r.play([]step{
		{method: "AddAccount", params: `{"username":"other"}`},
		{method: "CreateQoSPolicy", params: `{"name":"p","qos":{"minIOPS":70,"maxIOPS":700,"burstIOPS":800}}`},
		{method: "ModifyVolume", params: `{"volumeID":1,"qosPolicyID":1,"attributes":{"a":1},"access":"readOnly"}`},
		{method: "CreateVolumeAccessGroup", params: `{"name":"g","volumes":[1]}`},
		{method: "CloneVolume", params: `{"volumeID":1,"name":"c"}`, want: map[string]string{
			"volumeID": "2", "cloneID": "1", "asyncHandle": "1", "curve.4096": "100",
			"volume.status": `"init"`, "volume.sliceCount": "0", "volume.name": `"c"`, "volume.accountID": "1", "volume.totalSize": "1000341504", "volume.enable512e": "true",
			"volume.qos.minIOPS": "70", "volume.qosPolicyID": "1", "volume.attributes": `{"a":1}`, "volume.access": `"readOnly"`, "volume.volumeAccessGroups": "[]"}},
		// It is in the lists and can be changed at once, but not used.
		{method: "ListVolumesForAccount", params: `{"accountID":1}`, want: map[string]string{"volumes.#": "2", "volumes.1.status": `"init"`}},
		{method: "ListVolumes", params: `{"volumeStatus":"init"}`, want: map[string]string{"volumes.#": "1", "volumes.0.volumeID": "2"}},
		{method: "ListActiveVolumes", want: map[string]string{"volumes.#": "1"}},
		{method: "ModifyVolume", params: `{"volumeID":2,"access":"readWrite","attributes":{"b":2},"totalSize":2000000000,"qos":{"maxIOPS":900,"burstIOPS":1000}}`,
			want: map[string]string{"volume.status": `"init"`, "volume.qosPolicyID": "null", "volume.totalSize": "2000683008"}},
		{method: "AddVolumesToVolumeAccessGroup", params: `{"volumeAccessGroupID":1,"volumes":[2]}`},
		{method: "CloneVolume", params: `{"volumeID":2,"name":"d"}`, fails: "xSliceNotRegistered", message: "not in the active state"},
		{method: "CreateSnapshot", params: `{"volumeID":2}`, fails: "xSliceNotRegistered"},
		{method: "GetAsyncResult", params: `{"asyncHandle":1}`, want: map[string]string{
			"status": `"running"`, "resultType": `"Clone"`, "details.cloneID": "1", "details.volumeID": "2", "result": "(absent)",
			"createTime": `"2031-05-06T07:08:09Z"`, "lastUpdateTime": `"2031-05-06T07:08:09Z"`}},
		{method: "ListAsyncResults", want: map[string]string{"asyncHandles.#": "1", "asyncHandles.0.completed": "false", "asyncHandles.0.success": "false"}},
	})
	r.clock.Step(3 * time.Second)
	r.finishJobs()
	done := map[string]string{
		"status": `"complete"`, "resultType": `"Clone"`, "result.volumeID": "2", "result.cloneID": "1", "result.message": `"Clone complete."`,
		"details": "(absent)", "error": "(absent)", "lastUpdateTime": `"2031-05-06T07:08:12Z"`,
	}
	r.play([]step{
		{method: "ListVolumes", params: `{"volumeIDs":[2]}`, want: map[string]string{
			"volumes.0.status": `"active"`, "volumes.0.sliceCount": "1", "volumes.0.attributes": `{"b":2}`, "volumes.0.qos.maxIOPS": "900", "volumes.0.volumeAccessGroups": "[1]"}},
		{method: "ListAsyncResults", params: `{"asyncResultTypes":["Clone","DriveAdd"]}`, want: map[string]string{
			"asyncHandles.0.asyncResultID": "1", "asyncHandles.0.completed": "true", "asyncHandles.0.success": "true", "asyncHandles.0.data.volumeID": "2"}},
		{method: "ListAsyncResults", params: `{"asyncResultTypes":["BulkVolume"]}`, want: map[string]string{"asyncHandles": "[]"}},
		{method: "ListAsyncResults", params: `{"asyncResultTypes":["Odd"]}`, fails: "xUnrecognizedEnumString"},
		{method: "GetAsyncResult", params: `{"asyncHandle":"1","keepResult":true}`, want: done},
		{method: "GetAsyncResult", params: `{"asyncHandle":1}`, want: done},
		{method: "GetAsyncResult", params: `{"asyncHandle":1}`, fails: "xAsyncHandleDoesNotExist", message: "Async handle 1 does not exist."},
		{method: "ListAsyncResults", want: map[string]string{"asyncHandles": "[]"}},
		{method: "CloneVolume", params: `{"volumeID":2,"name":"d"}`, want: map[string]string{"asyncHandle": "2"}},
	})
}

func TestClonesOtherThanTheirSource(t *testing.T) {
	r := withVolumes(t, 1)
	r.play([]step{
		{method: "AddAccount", params: `{"username":"other"}`},
		{method: "CreateSnapshot", params: `{"volumeID":1}`},
		{method: "ModifyVolume", params: `{"volumeID":1,"totalSize":3000000000,"attributes":{"a":1}}`},
		{method: "CloneVolume", params: `{"volumeID":1,"name":"c","snapshotID":1,"newAccountID":2,"enable512e":false,"access":"locked","attributes":{}}`, want: map[string]string{
			"volume.totalSize": "1000341504", "volume.accountID": "2", "volume.enable512e": "false", "volume.access": `"locked"`, "volume.attributes": "{}"}},
		{method: "GetAccountByID", params: `{"accountID":2}`, want: map[string]string{"account.volumes": "[2]"}},
		{method: "CloneVolume", params: `{"volumeID":1,"name":"c","newSize":2000000000}`, want: map[string]string{"volume.totalSize": "2000683008"}},
	})
	r.finishJobs()
	for _, c := range []struct{ params, fails string }{
		{`{"volumeID":1}`, "xMissingParameter"},
		{`{"volumeID":9,"name":"c"}`, "xVolumeIDDoesNotExist"},
		{`{"volumeID":1,"name":"c","snapshotID":9}`, "xSnapshotIDDoesNotExist"},
		{`{"volumeID":2,"name":"c","snapshotID":1}`, "xSnapshotIDDoesNotExist"},
		{`{"volumeID":1,"name":"c_d"}`, "xInvalidParameter"},
		{`{"volumeID":1,"name":"` + strings.Repeat("n", 65) + `"}`, "xExceededLimit"},
		{`{"volumeID":1,"name":"c","newSize":5}`, "xExceededLimit"},
		{`{"volumeID":1,"name":"c","newAccountID":7}`, "xAccountIDDoesNotExist"},
		{`{"volumeID":1,"name":"c","access":"odd"}`, "xUnrecognizedEnumString"},
	} {
		r.fails(c.fails, "CloneVolume", c.params)
	}
	r.play([]step{
		{method: "ListVolumes", want: map[string]string{"volumes.#": "3"}},
		{method: "ListAsyncResults", want: map[string]string{"asyncHandles.#": "2"}},
	})
}

func TestCloneJobsAreLimited(t *testing.T) {
	r := withVolumes(t, 5)
	clone := func(volume int) string { return fmt.Sprintf(`{"volumeID":%d,"name":"c"}`, volume) }
	for volume := 1; volume <= 3; volume++ {
		r.ok("CloneVolume", clone(volume))
		r.ok("CloneVolume", clone(volume))
		r.fails("xMaxClonesPerVolumeExceeded", "CloneVolume", clone(volume))
	}
	r.ok("CloneVolume", clone(4))
	r.fails("xMaxClonesPerVolumeExceeded", "CloneMultipleVolumes", `{"volumes":[{"volumeID":4,"name":"x"},{"volumeID":4,"name":"y"}]}`)
	r.ok("CloneMultipleVolumes", `{"volumes":[{"volumeID":4,"name":"x"},{"volumeID":5,"name":"y"}]}`)
	r.fails("xMaxClonesPerNodeExceeded", "CloneVolume", clone(5))
	r.fails("xMaxClonesPerNodeExceeded", "CopyVolume", `{"volumeID":5,"dstVolumeID":1}`)
	r.finishJobs()
	r.ok("CloneVolume", clone(1))
	r.play([]step{{method: "ListVolumes", want: map[string]string{"volumes.#": "15"}}})
}

func TestCloneOfSeveralVolumes(t *testing.T) {
	r := withVolumes(t, 3)
	r.ok("AddAccount", `{"username":"other"}`)
	r.ok("CreateGroupSnapshot", `{"volumes":[1,2]}`)
	r.play([]step{
		{method: "CloneMultipleVolumes", params: `{"volumes":[{"volumeID":1,"name":"a"},{"volumeID":2,"newAccountID":1,"access":"locked"}],"groupSnapshotID":1,"newAccountID":2,"access":"readOnly"}`,
			want: map[string]string{"asyncHandle": "1", "groupCloneID": "1", "members": `[{"srcVolumeID":1,"volumeID":4},{"srcVolumeID":2,"volumeID":5}]`}},
		{method: "ListVolumes", params: `{"startVolumeID":4}`, want: map[string]string{
			"volumes.0.name": `"a"`, "volumes.0.accountID": "2", "volumes.0.access": `"readOnly"`, "volumes.0.status": `"init"`,
			"volumes.1.name": `"v2"`, "volumes.1.accountID": "1", "volumes.1.access": `"locked"`}},
		{method: "CloneMultipleVolumes", params: `{"volumes":[{"volumeID":3}],"groupSnapshotID":1}`, fails: "xInvalidParameter", message: "VolumeID 3"},
		{method: "CloneMultipleVolumes", params: `{"volumes":[{"volumeID":3}],"groupSnapshotID":7}`, fails: "xGroupSnapshotDoesNotExist"},
		{method: "CloneMultipleVolumes", params: `{"volumes":[{"volumeID":3},{"name":"x"}]}`, fails: "xMissingParameter", message: "volumeID"},
		{method: "CloneMultipleVolumes", params: `{"volumes":[]}`, fails: "xExceededLimit"},
		{method: "GetVolumeCount", want: map[string]string{"count": "5"}},
	})
	r.finishJobs()
	r.play([]step{
		{method: "GetAsyncResult", params: `{"asyncHandle":1}`, want: map[string]string{"status": `"complete"`, "result.groupCloneID": "1", "result.members.#": "2"}},
		{method: "ListActiveVolumes", want: map[string]string{"volumes.#": "5"}},
	})
}

func TestCopyOverAVolume(t *testing.T) {
	r := withVolumes(t, 3)
	r.data.sessions = []iscsi.Session{{ID: 1, VolumeID: 1}, {ID: 2, VolumeID: 2}}
	r.play([]step{
		{method: "CreateSnapshot", params: `{"volumeID":1}`},
		{method: "ModifyVolume", params: `{"volumeID":3,"totalSize":2000000000}`},
		{method: "CopyVolume", params: `{"volumeID":1,"dstVolumeID":1}`, fails: "xInvalidParameter", message: "itself"},
		{method: "CopyVolume", params: `{"volumeID":1,"dstVolumeID":3}`, fails: "xInvalidParameter", message: "2000683008"},
		{method: "CopyVolume", params: `{"volumeID":1,"dstVolumeID":9}`, fails: "xVolumeIDDoesNotExist"},
		{method: "CopyVolume", params: `{"volumeID":2,"dstVolumeID":1,"snapshotID":1}`, fails: "xSnapshotIDDoesNotExist"},
		{method: "CopyVolume", params: `{"volumeID":1,"dstVolumeID":2,"snapshotID":1}`, want: map[string]string{"asyncHandle": "1", "cloneID": "1", "volumeID": "(absent)"}},
		{method: "GetAsyncResult", params: `{"asyncHandle":1}`, want: map[string]string{"status": `"running"`}},
	})
	r.finishJobs()
	r.play([]step{{method: "GetAsyncResult", params: `{"asyncHandle":1}`, want: map[string]string{"status": `"complete"`, "result.volumeID": "2"}}})
	if left := r.data.Sessions(); len(left) != 1 || left[0].VolumeID != 1 {
		t.Errorf("sessions left: %+v", left)
	}
	// Its source is gone before the job gets to it: the job is complete all the same.
	r.ok("CopyVolume", `{"volumeID":1,"dstVolumeID":2,"snapshotID":1}`)
	r.ok("DeleteSnapshot", `{"snapshotID":1}`)
	r.finishJobs()
	r.play([]step{
		{method: "GetAsyncResult", params: `{"asyncHandle":2}`, want: map[string]string{
			"status": `"complete"`, "error.name": `"xSnapshotIDDoesNotExist"`, "error.code": "(absent)", "result": "(absent)"}},
		{method: "ListActiveVolumes", want: map[string]string{"volumes.#": "3"}},
	})
}

func TestCancelClone(t *testing.T) {
	r := withVolumes(t, 2)
	r.play([]step{
		{method: "CloneVolume", params: `{"volumeID":1,"name":"c"}`},
		{method: "CloneMultipleVolumes", params: `{"volumes":[{"volumeID":1},{"volumeID":2}]}`},
		{method: "CopyVolume", params: `{"volumeID":2,"dstVolumeID":1}`},
		{method: "CancelClone", params: `{"cloneID":9}`, fails: "xInvalidParameter", message: "does not exist"},
		{method: "CancelClone", params: `{"cloneID":2}`, fails: "xInvalidParameter"},
		{method: "CancelClone", params: `{"cloneID":1}`},
		{method: "CancelGroupClone", params: `{"groupCloneID":2}`},
		{method: "CancelClone", params: `{"cloneID":3}`},
		{method: "ListVolumes", want: map[string]string{"volumes.#": "2"}},
		{method: "GetAsyncResult", params: `{"asyncHandle":1}`, fails: "xAsyncHandleDoesNotExist"},
		{method: "CloneVolume", params: `{"volumeID":1,"name":"c"}`, want: map[string]string{"cloneID": "4"}},
	})
	r.finishJobs()
	r.play([]step{
		{method: "CancelClone", params: `{"cloneID":4}`, fails: "xInvalidParameter", message: "ended"},
		{method: "ListActiveVolumes", want: map[string]string{"volumes.#": "3"}},
	})
}

func TestCloneJobsThatFail(t *testing.T) {
	r := withVolumes(t, 1, injecting)
	r.play([]step{
		{method: "SanArrayInjectFault", params: `{"method":"SanArrayCloneJob","errorName":"xSnapshotFailed","errorMessage":"no"}`},
		{method: "CloneVolume", params: `{"volumeID":1,"name":"c"}`, want: map[string]string{"volumeID": "2"}},
	})
	r.finishJobs()
	r.play([]step{
		{method: "GetAsyncResult", params: `{"asyncHandle":1}`, want: map[string]string{
			"status": `"complete"`, "error.name": `"xSnapshotFailed"`, "error.message": `"no"`, "error.volumeID": "2", "result": "(absent)"}},
		{method: "ListVolumes", want: map[string]string{"volumes.#": "1"}},
		// The clone is deleted before it is done.
		{method: "CloneVolume", params: `{"volumeID":1,"name":"c"}`, want: map[string]string{"volumeID": "3"}},
		{method: "DeleteVolume", params: `{"volumeID":3}`, want: map[string]string{"volume.status": `"deleted"`}},
		{method: "CloneVolume", params: `{"volumeID":1,"name":"d"}`, want: map[string]string{"volumeID": "4"}},
	})
	r.finishJobs()
	r.play([]step{
		{method: "GetAsyncResult", params: `{"asyncHandle":2}`, want: map[string]string{"status": `"complete"`, "error.name": `"xVolumeIDDoesNotExist"`}},
		{method: "GetAsyncResult", params: `{"asyncHandle":3}`, want: map[string]string{"result.volumeID": "4"}},
		{method: "ListVolumes", want: map[string]string{"volumes.#": "2", "volumes.1.volumeID": "4"}},
	})
}

func TestResultsThatNobodyReadsAreForgotten(t *testing.T) {
	r := withVolumes(t, 1)
	r.ok("CloneVolume", `{"volumeID":1,"name":"c"}`)
	r.finishJobs()
	r.clock.Step(24*time.Hour + time.Second)
	r.ok("CloneVolume", `{"volumeID":1,"name":"d"}`)
	r.play([]step{{method: "ListAsyncResults", want: map[string]string{"asyncHandles.#": "1", "asyncHandles.0.asyncResultID": "2"}}})
}

func TestFullArrayTakesNoSnapshotsAndClones(t *testing.T) {
	r := withVolumes(t, 2, func(c *api.Config) { c.Capacity = 64 << 20 })
	r.ok("CreateSnapshot", `{"volumeID":1}`)
	r.fill(0, 63<<20)
	r.play([]step{
		{method: "CreateSnapshot", params: `{"volumeID":1}`, fails: "xExceededLimit", message: "full"},
		{method: "CreateGroupSnapshot", params: `{"volumes":[1]}`, fails: "xExceededLimit"},
		{method: "CloneVolume", params: `{"volumeID":1,"name":"c"}`, fails: "xExceededLimit"},
		{method: "CopyVolume", params: `{"volumeID":1,"dstVolumeID":2}`, fails: "xExceededLimit"},
		{method: "RollbackToSnapshot", params: `{"volumeID":1,"snapshotID":1,"saveCurrentState":true}`, fails: "xExceededLimit"},
		{method: "DeleteSnapshot", params: `{"snapshotID":1}`},
	})
}
