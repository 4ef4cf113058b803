package api_test

import (
	"encoding/json"
	"net/http"
	"testing"
)

// What clients in the field send, in their order, as far as the methods exist.

func TestTrident(t *testing.T) {
	newRig(t).play([]step{
		{method: "GetAccountByName", params: `{"username":"trident"}`, fails: "xUnknownAccount"},
		{method: "AddAccount", params: `{"username":"trident"}`, want: map[string]string{"accountID": "1"}},
		{method: "GetDefaultQoS", want: map[string]string{"minIOPS": "50"}},
		{method: "ListVolumesForAccount", params: `{"accountID":1}`, want: map[string]string{"volumes": "[]"}},
		{method: "GetClusterHardwareInfo", params: `{"type":"nodes"}`},
		{method: "CreateVolume", params: `{"name":"pvc-1","accountID":1,"totalSize":1073741824,"enable512e":true,"qos":{"minIOPS":1000,"maxIOPS":2000,"burstIOPS":4000},
			"attributes":{"docker-name":"pvc-1","fstype":"raw","provisioning":"","trident":"{\"version\":\"26.02\"}"}}`,
			want: map[string]string{"volumeID": "1", "volume.totalSize": "1073741824"}},
		{method: "ListVolumes", params: `{"accounts":[1],"startVolumeID":1,"limit":1}`, want: map[string]string{"volumes.0.volumeID": "1", "volumes.0.status": `"active"`}},
		{method: "GetAccountByID", params: `{"accountID":1}`, want: map[string]string{"account.volumes": "[1]"}},
		{method: "ListVolumeAccessGroups", params: `{"startVolumeAccessGroupID":1,"limit":1}`, want: map[string]string{"volumeAccessGroups": "[]"}},
		{method: "ModifyVolume", params: `{"volumeID":1,"accountID":1,"totalSize":2147483648,"qos":{}}`,
			want: map[string]string{"volume.totalSize": "2147483648", "volume.qos.maxIOPS": "2000"}},
		{method: "ListVolumesForAccount", params: `{"accountID":1}`, want: map[string]string{"volumes.#": "1"}},
		{method: "DeleteVolume", params: `{"volumeID":1}`},
		{method: "PurgeDeletedVolume", params: `{"volumeID":1}`},
		{method: "ListVolumesForAccount", params: `{"accountID":1}`, want: map[string]string{"volumes": "[]"}},
	})
}

// Cinder sends no id, and a version of its own with each method.
func TestCinder(t *testing.T) {
	r := newRig(t)
	for n, s := range []struct {
		path, method, params, fails string
		want                        map[string]string
	}{
		{"/json-rpc/1.0/", "GetClusterInfo", `{}`, "", map[string]string{"clusterInfo.svip": `"192.0.2.1"`}},
		{"/json-rpc/1.0/", "GetClusterVersionInfo", `{}`, "", nil},
		{"/json-rpc/8.0/", "GetClusterCapacity", `{}`, "", map[string]string{"clusterCapacity.uniqueBlocks": "0"}},
		{"/json-rpc/8.0/", "ListVolumes", `{}`, "", map[string]string{"volumes": "[]"}},
		{"/json-rpc/1.0/", "ListAccounts", `{}`, "", map[string]string{"accounts": "[]"}},
		{"/json-rpc/1.0/", "GetAccountByName", `{"username":"tenant"}`, "xUnknownAccount", nil},
		{"/json-rpc/1.0/", "AddAccount", `{"username":"tenant","initiatorSecret":"secretsecret","targetSecret":"secretsecret","attributes":{}}`, "", nil},
		{"/json-rpc/8.0/", "ListVolumes", `{"volumeName":"UUID-1"}`, "", map[string]string{"volumes": "[]"}},
		{"/json-rpc/1.0/", "CreateVolume", `{"name":"UUID-1","accountID":1,"sliceCount":1,"totalSize":1073741824,"enable512e":true,"attributes":{"uuid":"1","is_clone":"False"},"qos":null}`, "",
			map[string]string{"volume.attributes": `{"is_clone":"False","uuid":"1"}`}},
		{"/json-rpc/1.0/", "ListVolumesForAccount", `{"accountID":1}`, "", map[string]string{"volumes.0.status": `"active"`}},
		{"/json-rpc/7.0/", "ListVolumeAccessGroups", `{}`, "", map[string]string{"volumeAccessGroups": "[]"}},
		{"/json-rpc/7.0/", "CreateVolumeAccessGroup", `{"name":"iqn-1993-08-org-debian-01-a","initiators":["iqn.1993-08.org.debian:01:a"],"volumes":[1],"attributes":{"openstack":true}}`, "",
			map[string]string{"volumeAccessGroup.attributes": `{"openstack":true}`}},
		{"/json-rpc/7.0/", "AddVolumesToVolumeAccessGroup", `{"volumeAccessGroupID":1,"volumes":[1]}`, "xAlreadyInVolumeAccessGroup", nil},
		{"/json-rpc/5.0/", "ModifyVolume", `{"volumeID":1,"totalSize":2147483648,"name":"UUID-1"}`, "", map[string]string{"volume.totalSize": "2147483648"}},
		{"/json-rpc/7.0/", "DeleteVolumeAccessGroup", `{"volumeAccessGroupID":1}`, "", nil},
		{"/json-rpc/8.0/", "ListVolumes", `{"startVolumeID":"1","limit":1}`, "", map[string]string{"volumes.0.volumeID": "1"}},
		{"/json-rpc/1.0/", "DeleteVolume", `{"volumeID":1}`, "", nil},
		{"/json-rpc/1.0/", "PurgeDeletedVolume", `{"volumeID":1}`, "", nil},
	} {
		_, body := r.post(s.path, `{"method":"`+s.method+`","params":`+s.params+`}`)
		var a answer
		if err := json.Unmarshal([]byte(body), &a); err != nil {
			t.Fatalf("step %d, %s: %v", n, s.method, err)
		}
		if (a.Error != nil) != (s.fails != "") || a.Error != nil && a.Error.Name != s.fails {
			t.Fatalf("step %d, %s: %s", n, s.method, body)
		}
		for path, want := range s.want {
			if got := at(a.Result, path); got != want {
				t.Errorf("step %d, %s: %s is %s, want %s", n, s.method, path, got, want)
			}
		}
	}
}

// CloudStack asks for the API before every call, omits params, labels JSON as
// form data, and never purges.
func TestCloudStack(t *testing.T) {
	r := newRig(t)
	probe := func() {
		resp, body := r.post("/json-rpc/7.0", `{"json-rpc":"2.0","method":"GetAPI","id":1}`,
			func(q *http.Request) { q.Header.Set("Content-Type", "application/x-www-form-urlencoded") })
		if resp.StatusCode != 200 {
			t.Fatalf("GetAPI: HTTP %d: %s", resp.StatusCode, body)
		}
	}
	for _, s := range []step{
		{method: "GetAccountByName", params: `{"username":"CloudStack_1"}`, fails: "xUnknownAccount"},
		{method: "AddAccount", params: `{"username":"CloudStack_1"}`},
		{method: "GetAccountByID", params: `{"accountID":1}`, want: map[string]string{"account.username": `"CloudStack_1"`}},
		{method: "CreateVolume", params: `{"name":"primary-1","accountID":1,"totalSize":5368709120,"enable512e":true,"qos":{"minIOPS":100,"maxIOPS":15000,"burstIOPS":15000},"attributes":{"cloudstack":"x"}}`},
		{method: "ListVolumes", params: `{"startVolumeID":1,"limit":1}`, want: map[string]string{"volumes.#": "1"}},
		{method: "ListVolumeAccessGroups", want: map[string]string{"volumeAccessGroups": "[]"}},
		{method: "CreateVolumeAccessGroup", params: `{"name":"CloudStack-1","initiators":["iqn.1994-05.com.redhat:a"],"volumes":[1]}`},
		{method: "AddInitiatorsToVolumeAccessGroup", params: `{"volumeAccessGroupID":1,"initiators":["iqn.1994-05.com.redhat:b"]}`},
		{method: "ModifyVolume", params: `{"volumeID":1,"qos":{"minIOPS":200,"maxIOPS":300,"burstIOPS":400}}`},
		{method: "DeleteVolume", params: `{"volumeID":1}`, want: map[string]string{"volume.status": `"deleted"`}},
	} {
		probe()
		r.play([]step{s})
	}
}

// solidfire-csi works on the full version of the cluster and leaves out
// enable512e where it is false.
func TestSolidFireCSI(t *testing.T) {
	r := newRig(t)
	if resp, body := r.post("/json-rpc/12.5.0.897", `{"method":"GetAPI","params":null,"id":1}`); resp.StatusCode != 200 {
		t.Fatalf("HTTP %d: %s", resp.StatusCode, body)
	}
	r.ok("AddAccount", `{"username":"csi"}`)
	r.play([]step{
		{method: "GetAccountByName", params: `{"username":"csi"}`},
		{method: "GetLimits", want: map[string]string{"volumeSizeMin": "1000000000"}},
		{method: "GetClusterVersionInfo", want: map[string]string{"clusterVersion": `"12.5.0.897"`}},
		{method: "CreateVolume", params: `{"name":"pvc-2","accountID":1,"totalSize":1073741824,"qos":{"minIOPS":50,"maxIOPS":100,"burstIOPS":200}}`,
			want: map[string]string{"volume.enable512e": "false"}},
		{method: "ListActiveVolumes", params: `{"startVolumeID":1,"limit":1}`, want: map[string]string{"volumes.0.volumeID": "1"}},
		{method: "ListISCSISessions", want: map[string]string{"sessions": "[]"}},
		{method: "DeleteVolume", params: `{"volumeID":1}`},
		{method: "PurgeDeletedVolume", params: `{"volumeID":1}`},
		{method: "DeleteVolume", params: `{"volumeID":1}`, fails: "xVolumeIDDoesNotExist", message: "Volume 1 does not exist."},
	})
}
