package api_test

import "testing"

// Cinder sends no id and no content type, a trailing slash, and a version of
// its own with each method.
var cinder = client{path: "/json-rpc/1.0/", envelope: `{"method":"%[1]s","params":%[2]s}`}

const (
	v5 = "/json-rpc/5.0/"
	v6 = "/json-rpc/6.0/"
	v7 = "/json-rpc/7.0/"
	v8 = "/json-rpc/8.0/"
)

func TestCinderCreatesAndAttaches(t *testing.T) {
	newRig(t).replay(cinder, []step{
		{method: "GetClusterInfo", want: map[string]string{"clusterInfo.svip": `"192.0.2.1"`}},
		{method: "GetClusterVersionInfo"},
		{path: v8, method: "GetClusterCapacity", want: map[string]string{"clusterCapacity.uniqueBlocks": "0"}},
		{path: v8, method: "ListVolumes", want: map[string]string{"volumes": "[]"}},
		{method: "ListAccounts", want: map[string]string{"accounts": "[]"}},
		{method: "GetAccountByName", params: `{"username":"tenant"}`, fails: "xUnknownAccount"},
		{method: "AddAccount", params: `{"username":"tenant","initiatorSecret":"secretsecret","targetSecret":"secretsecret","attributes":{}}`},
		{method: "GetAccountByName", params: `{"username":"tenant"}`, want: map[string]string{"account.targetSecret": `"secretsecret"`}},
		{path: v8, method: "ListVolumes", params: `{"volumeName":"UUID-1"}`, want: map[string]string{"volumes": "[]"}},
		{method: "CreateVolume", params: `{"name":"UUID-1","accountID":1,"sliceCount":1,"totalSize":1073741824,"enable512e":true,"attributes":{"uuid":"1","is_clone":"False"},"qos":null}`,
			want: map[string]string{"volume.attributes": `{"is_clone":"False","uuid":"1"}`}},
		{method: "ListVolumesForAccount", params: `{"accountID":1}`, want: map[string]string{"volumes.0.status": `"active"`}},
		// An attachment by access group meets its own volume in it.
		{path: v7, method: "ListVolumeAccessGroups", want: map[string]string{"volumeAccessGroups": "[]"}},
		{path: v7, method: "CreateVolumeAccessGroup", params: `{"name":"iqn-1993-08-org-debian-01-a","initiators":["iqn.1993-08.org.debian:01:a"],"volumes":[1],"attributes":{"openstack":true}}`,
			want: map[string]string{"volumeAccessGroup.attributes": `{"openstack":true}`}},
		{path: v7, method: "AddVolumesToVolumeAccessGroup", params: `{"volumeAccessGroupID":1,"volumes":[1]}`, fails: "xAlreadyInVolumeAccessGroup"},
		// Full of groups or in another one: it looks for the name in the message.
		{path: v7, method: "CreateVolumeAccessGroup", params: `{"name":"x","initiators":["iqn.1993-08.org.debian:01:a"]}`, fails: "xExceededLimit", message: "iqn.1993-08.org.debian:01:a"},
		{path: v5, method: "ModifyVolume", params: `{"volumeID":1,"totalSize":2147483648,"name":"UUID-1","enable512e":true}`, want: map[string]string{"volume.totalSize": "2147483648"}},
		{path: v7, method: "ListVolumeAccessGroups", want: map[string]string{"volumeAccessGroups.0.volumes": "[1]"}},
		{path: v7, method: "DeleteVolumeAccessGroup", params: `{"volumeAccessGroupID":1}`},
		{path: v8, method: "ListVolumes", params: `{"startVolumeID":"1","limit":1}`, want: map[string]string{"volumes.0.volumeID": "1"}},
		{method: "DeleteVolume", params: `{"volumeID":1}`},
		{method: "PurgeDeletedVolume", params: `{"volumeID":1}`},
		// Replication is not there, and says so.
		{path: v8, method: "ListClusterPairs", fails: "xUnknownAPIMethod"},
	})
}

func TestCinderSnapshotsAndClones(t *testing.T) {
	r := newRig(t)
	r.ok("AddAccount", `{"username":"tenant"}`)
	r.replay(cinder, []step{
		{method: "CreateVolume", params: `{"name":"UUID-1","accountID":1,"sliceCount":1,"totalSize":1073741824,"enable512e":true,"attributes":{"uuid":"1"},"qos":{"minIOPS":100,"maxIOPS":200,"burstIOPS":300}}`},
		{method: "GetAccountByName", params: `{"username":"tenant"}`},
		{method: "ListVolumesForAccount", params: `{"accountID":1}`},
		{path: v6, method: "CreateSnapshot", params: `{"volumeID":1,"name":"UUID-snap"}`},
		{path: v6, method: "ListSnapshots", params: `{}`, want: map[string]string{"snapshots.0.name": `"UUID-snap"`, "snapshots.0.snapshotID": "1"}},
		// A group of volumes: the members bear the group's name.
		{path: v7, method: "CreateGroupSnapshot", params: `{"name":"UUID-group","volumes":[1]}`, want: map[string]string{"groupSnapshot.members.0.name": `"UUID-group"`}},
		{path: v6, method: "ListGroupSnapshots", params: `{}`, want: map[string]string{"groupSnapshots.0.name": `"UUID-group"`}},
		{path: v6, method: "DeleteGroupSnapshot", params: `{"groupSnapshotID":1}`},
		// The clone is modified at once, and watched in the list until it is active.
		{method: "ListAccounts"},
		{path: v8, method: "ListActiveVolumes"},
		{path: v6, method: "CloneVolume", params: `{"volumeID":1,"name":"UUID-2","snapshotID":1,"newSize":2147483648,"newAccountID":1}`, want: map[string]string{"volumeID": "2"}},
		{method: "ListVolumesForAccount", params: `{"accountID":1}`, want: map[string]string{"volumes.1.status": `"init"`}},
		{method: "ModifyVolume", params: `{"volumeID":2,"attributes":{"uuid":"2","is_clone":"True","src_uuid":"1"},"qos":{"minIOPS":100,"maxIOPS":200,"burstIOPS":300}}`,
			want: map[string]string{"volume.status": `"init"`, "volume.attributes.is_clone": `"True"`}},
	})
	r.finishJobs()
	r.replay(cinder, []step{
		{method: "ListVolumesForAccount", params: `{"accountID":1}`, want: map[string]string{"volumes.1.status": `"active"`, "volumes.1.totalSize": "2147483648"}},
		{method: "ModifyVolume", params: `{"volumeID":1,"attributes":{"uuid":"1","cloned_count":1}}`, want: map[string]string{"volume.attributes": `{"cloned_count":1,"uuid":"1"}`}},
		{path: v5, method: "ModifyVolume", params: `{"volumeID":2,"totalSize":2147483648}`},
		{path: v6, method: "RollbackToSnapshot", params: `{"accountID":1,"volumeID":1,"snapshotID":1,"name":"UUID-snap","saveCurrentState":"false"}`},
		{path: v6, method: "DeleteSnapshot", params: `{"snapshotID":1}`},
		{path: v6, method: "ListSnapshots", params: `{}`, want: map[string]string{"snapshots": "[]"}},
	})
}
