package api_test

import "testing"

// Ansible's modules stand on the Python SDK: GetAPI at 7.0 before each task, and
// then the current version. A second run must find nothing to change.
var (
	python      = client{envelope: `{"method":"%[1]s","params":%[2]s,"id":1}`}
	pythonProbe = client{path: "/json-rpc/7.0", envelope: python.envelope}
)

func (r *rig) playAnsible(tasks ...[]step) {
	r.t.Helper()
	for _, task := range tasks {
		r.replay(pythonProbe, []step{{method: "GetAPI", want: map[string]string{"currentVersion": `"12.5"`}}})
		r.replay(python, task)
	}
}

func TestAnsible(t *testing.T) {
	r := newRig(t)
	r.playAnsible(
		[]step{
			{method: "ListAccounts", params: `{"includeStorageContainers":false}`, want: map[string]string{"accounts": "[]"}},
			{method: "AddAccount", params: `{"username":"tenant","initiatorSecret":"","targetSecret":"","attributes":{"config-mgmt":"ansible"}}`, want: map[string]string{"accountID": "1"}},
		},
		[]step{
			{method: "GetAccountByName", params: `{"username":"tenant"}`, want: map[string]string{"account.accountID": "1"}},
			{method: "ListVolumesForAccount", params: `{"accountID":1}`},
			{method: "CreateVolume", params: `{"name":"vol","accountID":1,"totalSize":1073741824,"enable512e":true,"qos":{"minIOPS":50,"maxIOPS":500,"burstIOPS":1000},"attributes":{}}`},
		},
		[]step{
			{method: "ListVolumeAccessGroups", params: `{}`},
			{method: "CreateVolumeAccessGroup", params: `{"name":"vag","initiators":["iqn.1994-05.com.redhat:a"],"volumes":[1],"attributes":{}}`},
		},
		[]step{
			{method: "ListInitiators", params: `{}`, want: map[string]string{"initiators.#": "1"}},
			{method: "CreateInitiators", params: `{"initiators":[{"name":"iqn.1994-05.com.redhat:b","alias":"b"}]}`},
			{method: "ModifyInitiators", params: `{"initiators":[{"initiatorID":2,"volumeAccessGroupID":1}]}`},
		},
		[]step{
			{method: "ListQoSPolicies", params: `{}`},
			{method: "CreateQoSPolicy", params: `{"name":"gold","qos":{"minIOPS":100,"maxIOPS":2000,"burstIOPS":3000}}`},
			{method: "ModifyVolume", params: `{"volumeID":1,"qosPolicyID":1}`, want: map[string]string{"volume.qos.maxIOPS": "2000"}},
		},
		[]step{
			{method: "ListSnapshots", params: `{"volumeID":1}`},
			{method: "CreateSnapshot", params: `{"volumeID":1,"name":"s","enableRemoteReplication":false,"retention":"01:00:00","attributes":{}}`},
			{method: "ModifySnapshot", params: `{"snapshotID":1,"expirationTime":"2031-06-01T00:00:00Z"}`},
		},
		[]step{
			{method: "CloneVolume", params: `{"volumeID":1,"name":"clone","newAccountID":1,"newSize":2147483648,"access":"readWrite","attributes":{}}`, want: map[string]string{"volumeID": "2"}},
		},
	)
	r.finishJobs()
	// Run again: what is there is as it was asked for.
	r.playAnsible(
		[]step{{method: "ListAccounts", want: map[string]string{"accounts.0.username": `"tenant"`, "accounts.0.attributes": `{"config-mgmt":"ansible"}`}}},
		[]step{
			{method: "ListVolumesForAccount", params: `{"accountID":1}`, want: map[string]string{"volumes.0.deleteTime": `""`, "volumes.0.name": `"vol"`, "volumes.1.name": `"clone"`}},
			{method: "ListVolumes", params: `{"volumeIDs":[1]}`, want: map[string]string{"volumes.0.totalSize": "1073741824", "volumes.0.qosPolicyID": "1", "volumes.0.access": `"readWrite"`}},
		},
		[]step{{method: "ListVolumeAccessGroups", want: map[string]string{
			"volumeAccessGroups.0.initiators": `["iqn.1994-05.com.redhat:a","iqn.1994-05.com.redhat:b"]`, "volumeAccessGroups.0.volumes": "[1]"}}},
		[]step{
			{method: "DeleteVolume", params: `{"volumeID":1}`},
			{method: "PurgeDeletedVolume", params: `{"volumeID":1}`},
		},
	)
}
