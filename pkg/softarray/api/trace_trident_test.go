package api_test

import "testing"

// What clients in the field send, in their order: one file for each.

var trident = client{contentType: "json-rpc", envelope: `{"method":"%[1]s","params":%[2]s,"id":1}`}

const (
	tridentVolume = `{"name":"pvc-1","accountID":1,"totalSize":1073741824,"enable512e":true,"qos":{"minIOPS":1000,"maxIOPS":2000,"burstIOPS":4000},
		"attributes":{"docker-name":"pvc-1","fstype":"raw","provisioning":"","trident":"{\"version\":\"26.02\"}"}}`
	ofAccount = `{"accountID":1}`
)

func TestTrident(t *testing.T) {
	r := newRig(t)
	r.replay(trident, []step{
		// The driver starts.
		{method: "GetAccountByName", params: `{"username":"trident"}`, fails: "xUnknownAccount"},
		{method: "AddAccount", params: `{"username":"trident"}`, want: map[string]string{"accountID": "1"}},
		{method: "GetDefaultQoS", want: map[string]string{"minIOPS": "50"}},
		{method: "ListVolumesForAccount", params: ofAccount, want: map[string]string{"volumes": "[]"}},
		{method: "GetClusterHardwareInfo", params: `{"type":"nodes"}`},
		// Create; the list is looked at until the volume is in it.
		{method: "ListVolumesForAccount", params: ofAccount},
		{method: "CreateVolume", params: tridentVolume, want: map[string]string{"volumeID": "1", "volume.totalSize": "1073741824"}},
		{method: "ListVolumes", params: `{"accounts":[1],"startVolumeID":1,"limit":1}`, want: map[string]string{
			"volumes.0.volumeID": "1", "volumes.0.status": `"active"`, "volumes.0.attributes.trident": `"{\"version\":\"26.02\"}"`}},
		{method: "ListVolumesForAccount", params: ofAccount},
		{method: "GetAccountByID", params: ofAccount, want: map[string]string{"account.volumes": "[1]"}},
		// Snapshot.
		{method: "ListVolumesForAccount", params: ofAccount},
		{method: "CreateSnapshot", params: `{"volumeID":1,"snapshotID":0,"name":"snap-1","enableRemoteReplication":false,"retention":"","attributes":null}`,
			want: map[string]string{"snapshotID": "1", "snapshot.createTime": `"2031-05-06T07:08:09Z"`}},
		{method: "ListSnapshots", params: `{"volumeID":1}`, want: map[string]string{"snapshots.0.name": `"snap-1"`, "snapshots.0.status": `"done"`}},
		// Clone of it.
		{method: "ListVolumesForAccount", params: ofAccount},
		{method: "ListSnapshots", params: `{"volumeID":1}`},
		{method: "CloneVolume", params: `{"volumeID":1,"name":"pvc-2","snapshotID":1,"attributes":{"docker-name":"pvc-2"}}`, want: map[string]string{"volumeID": "2"}},
		{method: "ListVolumes", params: `{"accounts":[1],"startVolumeID":2,"limit":1}`, want: map[string]string{"volumes.0.volumeID": "2", "volumes.0.qos.minIOPS": "1000"}},
	})
	r.finishJobs()
	r.replay(trident, []step{
		// Restore.
		{method: "ListSnapshots", params: `{"volumeID":1}`},
		{method: "RollbackToSnapshot", params: `{"volumeID":1,"snapshotID":1,"saveCurrentState":false}`, want: map[string]string{"snapshotID": "null"}},
		// Resize.
		{method: "ListVolumesForAccount", params: ofAccount},
		{method: "ModifyVolume", params: `{"volumeID":1,"accountID":1,"totalSize":2147483648,"qos":{}}`,
			want: map[string]string{"volume.totalSize": "2147483648", "volume.qos.maxIOPS": "2000"}},
		{method: "ListVolumesForAccount", params: ofAccount, want: map[string]string{"volumes.#": "2"}},
		// Delete; an error of the purge fails it.
		{method: "DeleteSnapshot", params: `{"snapshotID":1}`},
		{method: "DeleteVolume", params: `{"volumeID":1}`},
		{method: "PurgeDeletedVolume", params: `{"volumeID":1}`},
		{method: "ListVolumesForAccount", params: ofAccount, want: map[string]string{"volumes.#": "1", "volumes.0.volumeID": "2", "volumes.0.status": `"active"`}},
	})
}

// Without CHAP it uses an access group that the administrator made.
func TestTridentWithoutCHAP(t *testing.T) {
	r := withVolumes(t, 1)
	r.ok("CreateVolumeAccessGroup", `{"name":"trident"}`)
	r.replay(trident, []step{
		{method: "ListVolumeAccessGroups", params: `{}`, want: map[string]string{"volumeAccessGroups.0.name": `"trident"`}},
		{method: "ListVolumesForAccount", params: ofAccount},
		{method: "ListVolumeAccessGroups", params: `{"startVolumeAccessGroupID":1,"limit":1}`, want: map[string]string{"volumeAccessGroups.0.volumeAccessGroupID": "1"}},
		{method: "AddVolumesToVolumeAccessGroup", params: `{"volumeAccessGroupID":1,"volumes":null}`, want: map[string]string{"volumeAccessGroup.volumes": "[]"}},
		{method: "AddVolumesToVolumeAccessGroup", params: `{"volumeAccessGroupID":1,"volumes":[1]}`},
		{method: "AddVolumesToVolumeAccessGroup", params: `{"volumeAccessGroupID":1,"volumes":[1]}`, fails: "xAlreadyInVolumeAccessGroup"},
	})
}
