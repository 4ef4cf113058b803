package api_test

import "testing"

// CloudStack asks for the API before every call, without params, labels JSON as
// form data, and never purges.
var (
	cloudStack = client{contentType: "application/x-www-form-urlencoded", envelope: `{"json-rpc":"2.0","method":"%[1]s","params":%[2]s,"id":1}`}
	javaProbe  = client{path: "/json-rpc/7.0", contentType: cloudStack.contentType, envelope: `{"json-rpc":"2.0","method":"%[1]s","id":1}`}
)

func (r *rig) playCloudStack(steps []step) {
	r.t.Helper()
	for _, s := range steps {
		r.replay(javaProbe, []step{{method: "GetAPI", want: map[string]string{"currentVersion": `"12.5"`}}})
		r.replay(cloudStack, []step{s})
	}
}

func TestCloudStack(t *testing.T) {
	r := newRig(t)
	r.playCloudStack([]step{
		{method: "GetAccountByName", params: `{"username":"CloudStack_1"}`, fails: "xUnknownAccount"},
		{method: "AddAccount", params: `{"username":"CloudStack_1","initiatorSecret":null,"targetSecret":null}`},
		{method: "GetAccountByID", params: `{"accountID":1}`, want: map[string]string{"account.username": `"CloudStack_1"`}},
		{method: "CreateVolume", params: `{"name":"primary-1","accountID":1,"totalSize":5368709120,"enable512e":true,"qos":{"minIOPS":100,"maxIOPS":15000,"burstIOPS":15000},"attributes":{"cloudstack":"x"}}`},
		{method: "ListVolumes", params: `{"startVolumeID":1,"limit":1}`, want: map[string]string{"volumes.#": "1"}},
		{method: "ListVolumeAccessGroups", want: map[string]string{"volumeAccessGroups": "[]"}},
		{method: "CreateVolumeAccessGroup", params: `{"name":"CloudStack-1","initiators":["iqn.1994-05.com.redhat:a"],"volumes":[1]}`},
		{method: "AddInitiatorsToVolumeAccessGroup", params: `{"volumeAccessGroupID":1,"initiators":["iqn.1994-05.com.redhat:b"]}`},
		{method: "ModifyVolume", params: `{"volumeID":1,"qos":{"minIOPS":200,"maxIOPS":300,"burstIOPS":400}}`},
		{method: "CreateSnapshot", params: `{"volumeID":1,"name":"s"}`, want: map[string]string{"snapshotID": "1"}},
		{method: "ListSnapshots", params: `{"volumeID":1}`, want: map[string]string{"snapshots.#": "1"}},
		{method: "CloneVolume", params: `{"volumeID":1,"name":"primary-2","snapshotID":1,"newAccountID":1}`, want: map[string]string{"asyncHandle": "1", "volumeID": "2"}},
		// Every half second, for ever, until the literal "complete"; its numbers are doubles.
		{method: "GetAsyncResult", params: `{"asyncHandle":1.0}`, want: map[string]string{"status": `"running"`}},
	})
	r.finishJobs()
	r.playCloudStack([]step{
		{method: "GetAsyncResult", params: `{"asyncHandle":1.0}`, want: map[string]string{"status": `"complete"`, "result.volumeID": "2"}},
		{method: "ModifyVolume", params: `{"volumeID":2,"qos":{"minIOPS":100,"maxIOPS":300,"burstIOPS":400}}`},
		{method: "ListVolumes", params: `{"startVolumeID":2,"limit":1}`, want: map[string]string{"volumes.0.status": `"active"`}},
		{method: "RollbackToSnapshot", params: `{"volumeID":1,"snapshotID":1,"saveCurrentState":false}`},
		{method: "DeleteSnapshot", params: `{"snapshotID":1}`},
		{method: "DeleteVolume", params: `{"volumeID":1}`, want: map[string]string{"volume.status": `"deleted"`}},
	})
}
