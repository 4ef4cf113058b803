package api_test

import (
	"testing"

	"github.com/san-csi/san-csi/pkg/softarray/api"
)

// The Python SDK's walk through the API: every call by itself, as its examples do.
func TestPythonSDK(t *testing.T) {
	r := newRig(t)
	r.replay(pythonProbe, []step{{method: "GetAPI"}})
	r.replay(python, []step{
		{method: "AddAccount", params: `{"username":"sdk","initiatorSecret":"aaaaaaaaaaaa","targetSecret":"bbbbbbbbbbbb"}`},
		{method: "ModifyAccount", params: `{"accountID":1,"status":"locked"}`},
		{method: "ModifyAccount", params: `{"accountID":1,"status":"active","initiatorSecret":null}`},
		{method: "CreateVolume", params: `{"name":"sdk-1","accountID":1,"totalSize":1000000000,"enable512e":false}`},
		{method: "ModifyVolumes", params: `{"volumeIDs":[1],"access":"readOnly","setCreateTime":true,"createTime":"2030-01-02T03:04:05Z"}`,
			want: map[string]string{"volumes.0.createTime": `"2030-01-02T03:04:05Z"`, "volumes.0.access": `"readOnly"`}},
		{method: "ModifyVolume", params: `{"volumeID":1,"setCreateTime":true,"createTime":"long ago"}`, fails: "xInvalidParameter"},
		{method: "ListVolumes", params: `{"volumeIDs":[1],"includeVirtualVolumes":false}`},
		{method: "ListVolumes", params: `{"volumeStatus":"active","isPaired":false}`},
		{method: "GetVolumeStats", params: `{"volumeID":1}`, want: map[string]string{"volumeStats.volumeID": "1"}},
		{method: "GetVolumeEfficiency", params: `{"volumeID":1}`},
		{method: "GetVolumeCount"}, {method: "GetDefaultQoS"}, {method: "GetLimits"}, {method: "GetClusterState"}, {method: "GetClusterFullThreshold"},
		{method: "ListVolumeStatsByVolume"}, {method: "ListVolumeStatsByAccount"}, {method: "ListVolumeStatsByVolumeAccessGroup"},
		{method: "ListActiveNodes"}, {method: "ListAllNodes"}, {method: "ListVirtualNetworks"}, {method: "GetFeatureStatus"}, {method: "ListSyncJobs"},
		{method: "ListBulkVolumeJobs"}, {method: "ListDrives"}, {method: "ListNodeStats"}, {method: "ListISCSISessions"},
		{method: "ListClusterFaults", params: `{"bestPractices":true,"faultTypes":"current"}`},
		{method: "CreateGroupSnapshot", params: `{"volumes":[1],"name":"g"}`},
		{method: "ListGroupSnapshots", params: `{"volumes":[1]}`, want: map[string]string{"groupSnapshots.#": "1"}},
		{method: "CloneMultipleVolumes", params: `{"volumes":[{"volumeID":1,"name":"sdk-2"}],"groupSnapshotID":1}`},
		{method: "ListAsyncResults", params: `{"asyncResultTypes":["Clone"]}`, want: map[string]string{"asyncHandles.#": "1"}},
		{method: "GetAsyncResult", params: `{"asyncHandle":"1","keepResult":true}`, want: map[string]string{"status": `"running"`}},
		{method: "GetAsyncResult", params: `{"asyncHandle":999}`, fails: "xAsyncHandleDoesNotExist", message: "Async handle 999 does not exist."},
		{method: "DeleteVolumes", params: `{"accountIDs":[1]}`, want: map[string]string{"volumes.#": "2"}},
		{method: "PurgeDeletedVolumes", params: `{"accountIDs":[1]}`},
		{method: "RemoveAccount", params: `{"accountID":1}`},
		{method: "GetAccountByID", params: `{"accountID":1}`, fails: "xUnknownAccount"},
	})
}

// The volume plugin for Docker waits for a volume in the list of active ones.
func TestDockerDriver(t *testing.T) {
	r := newRig(t)
	docker := client{contentType: "json-rpc", envelope: `{"method":"%[1]s","params":%[2]s,"id":1}`, path: "/json-rpc/7.0"}
	r.replay(docker, []step{
		{method: "GetAccountByName", params: `{"username":"docker"}`, fails: "xUnknownAccount"},
		{method: "AddAccount", params: `{"username":"docker","initiatorSecret":"","targetSecret":"","attributes":null}`},
		{method: "ListVolumesForAccount", params: `{"accountID":1,"startVolumeID":0,"limit":0}`},
		{method: "CreateVolume", params: `{"name":"d1","accountID":1,"totalSize":1000000000,"enable512e":false,"qos":{},"attributes":null}`, want: map[string]string{"volume.qos.minIOPS": "50"}},
		{method: "ListActiveVolumes", params: `{"startVolumeID":1,"limit":1}`, want: map[string]string{"volumes.0.name": `"d1"`}},
		{method: "CloneVolume", params: `{"volumeID":1,"name":"d2","newAccountID":0,"newSize":2000000000,"access":"","snapshotID":0,"attributes":null}`,
			want: map[string]string{"volumeID": "2", "volume.totalSize": "2000683008", "volume.accountID": "1"}},
		{method: "DeleteVolume", params: `{"volumeID":1}`},
	})
}

// The Go SDK sends explicit secrets as objects, which no array takes.
func TestGolangSDK(t *testing.T) {
	golang := client{path: "/json-rpc/6.0", envelope: `{"id":1,"method":"%[1]s","params":%[2]s}`}
	newRig(t).replay(golang, []step{
		{method: "GetAPI"},
		{method: "GetClusterInfo"},
		{method: "AddAccount", params: `{"username":"go","initiatorSecret":{"Secret":"abcdefabcdef"}}`, fails: "xInvalidParameterType", message: "initiatorSecret"},
		{method: "AddAccount", params: `{"username":"go","initiatorSecret":null}`, want: map[string]string{"accountID": "1"}},
		{method: "CreateVolume", params: `{"name":"g","accountID":1,"totalSize":1000000000}`, want: map[string]string{"volume.enable512e": "false"}},
	})
}

// Terraform sends zeros for a QoS that is not set, and takes an unknown account
// or an empty list for a resource that is gone.
func TestTerraform(t *testing.T) {
	terraform := client{contentType: "application/json", envelope: `{"method":"%[1]s","params":%[2]s,"id":1}`}
	newRig(t).replay(terraform, []step{
		{method: "GetAccountByID", params: `{"accountID":1}`, fails: "xUnknownAccount"},
		{method: "AddAccount", params: `{"username":"tf","initiatorSecret":"secretsecret","targetSecret":"secretsecret"}`},
		{method: "CreateVolume", params: `{"name":"tf-1","accountID":1,"totalSize":1000000000,"enable512e":true,"qos":{"minIOPS":0,"maxIOPS":0,"burstIOPS":0}}`, want: map[string]string{"volume.qos.maxIOPS": "15000"}},
		{method: "ListVolumes", params: `{"accounts":[1],"volumeName":"tf-1"}`, want: map[string]string{"volumes.0.volumeID": "1"}},
		{method: "CreateInitiators", params: `{"initiators":[{"name":"iqn.1998-01.com.vmware:a","alias":"a"}]}`},
		{method: "ListInitiators", params: `{"initiators":[1]}`, want: map[string]string{"initiators.0.alias": `"a"`}},
		{method: "CreateVolumeAccessGroup", params: `{"name":"tf","volumes":[1],"initiators":[1],"id":"7"}`},
		{method: "DeleteVolumeAccessGroup", params: `{"volumeAccessGroupID":1}`},
		{method: "DeleteInitiators", params: `{"initiators":[1]}`},
		{method: "ListInitiators", params: `{"initiators":[1]}`, want: map[string]string{"initiators": "[]"}},
		{method: "DeleteVolume", params: `{"volumeID":1}`},
		{method: "PurgeDeletedVolume", params: `{"volumeID":1}`},
		{method: "ListVolumes", params: `{"volumeIDs":[1]}`, want: map[string]string{"volumes": "[]"}},
	})
}

// The exporter takes nothing but HTTP 200 and reads what it lists.
func TestExporter(t *testing.T) {
	exporter := client{contentType: "application/json", envelope: `{"method":"%[1]s","params":%[2]s,"id":1}`, path: "/json-rpc/11.3"}
	r := withVolumes(t, 1, func(c *api.Config) { c.Capacity = 64 << 20 })
	r.replay(exporter, []step{
		{method: "GetClusterCapacity", want: map[string]string{"clusterCapacity.maxIOPS": "1000", "clusterCapacity.provisionedSpace": "1000341504"}},
		{method: "GetClusterFullThreshold", want: map[string]string{"fullness": `"stage1Happy"`, "stage5BlockThresholdBytes": "67108800"}},
		{method: "GetClusterStats", want: map[string]string{"clusterStats.samplePeriodMsec": "500", "clusterStats.servicesTotal": "1"}},
		{method: "ListAllNodes", want: map[string]string{"nodes.0.nodeID": "1"}},
		{method: "ListClusterFaults", params: `{"faultTypes":"current","bestPractices":false}`, want: map[string]string{"faults": "[]"}},
		{method: "ListDrives", want: map[string]string{"drives": "[]"}},
		{method: "ListISCSISessions", want: map[string]string{"sessions": "[]"}},
		{method: "ListNodeStats", want: map[string]string{"nodeStats.nodes": "[]"}},
		{method: "ListVolumeQoSHistograms", want: map[string]string{"qosHistograms": "[]"}},
		{method: "ListVolumes", params: `{"includeVirtualVolumes":true}`, want: map[string]string{"volumes.#": "1"}},
		{method: "ListVolumeStats", params: `{"volumeIDs":[]}`, want: map[string]string{"volumeStats.#": "1"}},
		{method: "ListBulkVolumeJobs", want: map[string]string{"bulkVolumeJobs": "[]"}},
	})
}
