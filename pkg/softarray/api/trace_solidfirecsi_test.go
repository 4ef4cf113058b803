package api_test

import "testing"

// solidfire-csi asks four things before every request, first at the version of
// the SDK and then at the full version of the cluster, and leaves out
// enable512e where it is false.
var solidFireCSI = client{path: "/json-rpc/12.5.0.897", envelope: `{"method":"%[1]s","params":%[2]s,"id":1}`}

func (r *rig) playSolidFireCSI(steps []step) {
	r.t.Helper()
	probes := []step{
		{method: "GetAPI", params: `null`, want: map[string]string{"currentVersion": `"12.5"`}},
		{method: "GetAccountByName", params: `{"username":"csi"}`, want: map[string]string{"account.accountID": "1"}},
		{method: "GetClusterInfo", want: map[string]string{"clusterInfo.mvip": `"192.0.2.1"`}},
		{method: "GetLimits", want: map[string]string{"volumeSizeMin": "1000000000", "volumeSizeMax": "17592186044416"}},
	}
	for _, s := range steps {
		r.replay(solidFireCSI, append(probes, s))
	}
}

func TestSolidFireCSI(t *testing.T) {
	r := newRig(t)
	r.ok("AddAccount", `{"username":"csi"}`)
	r.playSolidFireCSI([]step{
		{method: "GetClusterVersionInfo", want: map[string]string{"clusterVersion": `"12.5.0.897"`}},
		{method: "ListVolumesForAccount", params: `{"accountID":1}`},
		{method: "CreateVolume", params: `{"name":"pvc-2","accountID":1,"totalSize":1073741824,"qos":{"minIOPS":50,"maxIOPS":100,"burstIOPS":200}}`,
			want: map[string]string{"volume.enable512e": "false"}},
		{method: "ListActiveVolumes", params: `{"startVolumeID":1,"limit":1}`, want: map[string]string{"volumes.0.volumeID": "1"}},
		{method: "ListISCSISessions", want: map[string]string{"sessions": "[]"}},
		{method: "CreateSnapshot", params: `{"volumeID":1,"name":"snap","retention":"24:00:00"}`, want: map[string]string{"snapshot.expirationTime": `"2031-05-07T07:08:09Z"`}},
		{method: "ListSnapshots", params: `{"volumeID":1}`, want: map[string]string{"snapshots.#": "1"}},
		{method: "CloneVolume", params: `{"volumeID":1,"name":"pvc-3"}`, want: map[string]string{"volumeID": "2"}},
		{method: "CloneVolume", params: `{"volumeID":2,"name":"pvc-4"}`, fails: "xSliceNotRegistered", message: "not in the active state"},
		{method: "ListActiveVolumes", params: `{"startVolumeID":2,"limit":1}`, want: map[string]string{"volumes": "[]"}},
	})
	r.finishJobs()
	r.playSolidFireCSI([]step{
		{method: "ListActiveVolumes", params: `{"startVolumeID":2,"limit":1}`, want: map[string]string{"volumes.0.volumeID": "2"}},
		{method: "GetAsyncResult", params: `{"asyncHandle":1,"keepResult":true}`, want: map[string]string{"status": `"complete"`, "result.volumeID": "2"}},
		{method: "ListAsyncResults", params: `{}`, want: map[string]string{"asyncHandles.0.completed": "true"}},
		{method: "DeleteSnapshot", params: `{"snapshotID":1}`},
		{method: "DeleteSnapshot", params: `{"snapshotID":1}`, fails: "xSnapshotIDDoesNotExist", message: "does not exist"},
		{method: "DeleteVolume", params: `{"volumeID":1}`},
		{method: "PurgeDeletedVolume", params: `{"volumeID":1}`},
		{method: "DeleteVolume", params: `{"volumeID":1}`, fails: "xVolumeIDDoesNotExist", message: "Volume 1 does not exist."},
		{method: "ListSnapshots", params: `{"volumeID":1}`, fails: "xVolumeIDDoesNotExist", message: "not exist"},
	})
}
