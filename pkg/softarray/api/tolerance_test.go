package api_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// What real clients depend on: each of these breaks one of them if it is wrong.
// The form of requests and of HTTP errors is in wire_test.go.

func TestStringsForNumbersAndBooleans(t *testing.T) {
	r := withVolumes(t, 2)
	r.play([]step{
		{method: "ListVolumes", params: `{"startVolumeID":"2","limit":"1"}`, want: map[string]string{"volumes.#": "1", "volumes.0.volumeID": "2"}},
		{method: "CreateVolume", params: `{"name":"s","accountID":"1","totalSize":"1000000000","enable512e":"true"}`,
			want: map[string]string{"volume.enable512e": "true"}},
		{method: "GetVolumeStats", params: `{"volumeID":2.0}`, want: map[string]string{"volumeStats.volumeID": "2"}},
	})
}

func TestEmptyValuesAreAbsent(t *testing.T) {
	r := withVolumes(t, 1)
	r.ok("ModifyVolume", `{"volumeID":1,"attributes":{"k":"v"},"qos":{"minIOPS":60,"maxIOPS":700,"burstIOPS":800}}`)
	unchanged := map[string]string{
		"volume.qos.minIOPS": "60", "volume.qos.maxIOPS": "700", "volume.qos.burstIOPS": "800",
		"volume.attributes": `{"k":"v"}`, "volume.access": `"readWrite"`, "volume.totalSize": "1000341504",
	}
	for _, params := range []string{
		`{"volumeID":1}`,
		`{"volumeID":1,"qos":{}}`,
		`{"volumeID":1,"qos":null}`,
		`{"volumeID":1,"qos":{"minIOPS":0,"maxIOPS":0,"burstIOPS":0}}`,
		`{"volumeID":1,"attributes":null}`,
		`{"volumeID":1,"attributes":""}`,
		`{"volumeID":1,"access":"","accountID":0,"totalSize":0,"qosPolicyID":0}`,
		`{"volumeID":1,"access":null,"accountID":null,"totalSize":null,"qosPolicyID":null,"enable512e":null}`,
		`{"volumeID":1,"name":"other","sliceCount":3,"enable512e":true}`,
	} {
		r.play([]step{{method: "ModifyVolume", params: params, want: unchanged}})
	}
	r.ok("CreateVolumeAccessGroup", `{"name":"g","initiators":null,"volumes":null,"attributes":null}`)
	r.play([]step{
		{method: "AddVolumesToVolumeAccessGroup", params: `{"volumeAccessGroupID":1,"volumes":null}`,
			want: map[string]string{"volumeAccessGroup.volumes": "[]"}},
	})
}

func TestCHAPSecretsAreShownAndMayBeEqual(t *testing.T) {
	newRig(t).play([]step{
		{method: "AddAccount", params: `{"username":"cinder","initiatorSecret":"twelve-chars","targetSecret":"twelve-chars"}`,
			want: map[string]string{"account.initiatorSecret": `"twelve-chars"`, "account.targetSecret": `"twelve-chars"`}},
		{method: "CreateInitiators", params: `{"initiators":[{"name":"iqn.2001-01.com.example:a","initiatorSecret":"twelve-chars","targetSecret":"twelve-chars"}]}`,
			want: map[string]string{"initiators.0.initiatorSecret": `"twelve-chars"`, "initiators.0.targetSecret": `"twelve-chars"`}},
	})
}

func TestNewVolumeIsVisibleAndActive(t *testing.T) {
	r := withVolumes(t, 1)
	for _, list := range []string{"ListVolumes", "ListActiveVolumes"} {
		r.play([]step{{method: list, want: map[string]string{"volumes.#": "1", "volumes.0.status": `"active"`}}})
	}
	r.play([]step{
		{method: "ListVolumesForAccount", params: `{"accountID":1}`, want: map[string]string{"volumes.0.name": `"v1"`}},
		{method: "ListVolumes", params: `{"accounts":[1],"startVolumeID":1,"limit":1}`, want: map[string]string{"volumes.0.volumeID": "1"}},
		{method: "GetAccountByID", params: `{"accountID":1}`, want: map[string]string{"account.volumes": "[1]"}},
	})
}

func TestNewCloneIsVisibleAndCanBeModified(t *testing.T) {
	r := withVolumes(t, 1)
	r.ok("CloneVolume", `{"volumeID":1,"name":"c"}`)
	for _, list := range []step{{method: "ListVolumes"}, {method: "ListVolumesForAccount", params: `{"accountID":1}`}} {
		list.want = map[string]string{"volumes.#": "2", "volumes.1.name": `"c"`, "volumes.1.status": `"init"`}
		r.play([]step{list})
	}
	r.play([]step{{method: "ModifyVolume", params: `{"volumeID":2,"qos":{"minIOPS":60},"attributes":{"a":1}}`, want: map[string]string{"volume.qos.minIOPS": "60"}}})
	r.finishJobs()
	r.play([]step{{method: "ListActiveVolumes", want: map[string]string{"volumes.1.qos.minIOPS": "60", "volumes.1.attributes": `{"a":1}`}}})
}

func TestGrowToThePresentSizeIsSuccess(t *testing.T) {
	r := withVolumes(t, 1)
	for _, size := range []string{gigabyte, "1000341504", `"1000341504"`} {
		r.play([]step{{method: "ModifyVolume", params: `{"volumeID":1,"totalSize":` + size + `,"qos":{}}`,
			want: map[string]string{"volume.totalSize": "1000341504", "volume.qos.maxIOPS": "15000"}}})
	}
}

func TestAttributesAreReplacedWholeAndKeptAsWritten(t *testing.T) {
	r := withVolumes(t, 1)
	r.play([]step{
		{method: "ModifyVolume", params: `{"volumeID":1,"attributes":{"a":"1","trident":"{\"version\":\"26\",\"n\":1}"}}`},
		{method: "ModifyVolume", params: `{"volumeID":1,"attributes":{"cloned_count":1,"big":12345678901234567890}}`},
		{method: "ModifyVolume", params: `{"volumeID":1,"attributes":{}}`, want: map[string]string{"volume.attributes": "{}"}},
	})
	_, body := r.post("/json-rpc/12.5", `{"method":"ModifyVolume","params":{"volumeID":1,"attributes":{"cloned_count":1,"big":12345678901234567890,"j":"{\"x\":1}"}}}`)
	if want := `"attributes":{"cloned_count":1,"big":12345678901234567890,"j":"{\"x\":1}"}`; !strings.Contains(body, want) {
		t.Errorf("%s lacks %s", body, want)
	}
	r.fails("xExceededLimit", "ModifyVolume", fmt.Sprintf(`{"volumeID":1,"attributes":{"k":%q}}`, strings.Repeat("x", 1000)))
}

func TestDuplicateMembersAreErrors(t *testing.T) {
	r := withVolumes(t, 1)
	r.play([]step{
		{method: "CreateVolumeAccessGroup", params: `{"name":"g","volumes":[1],"initiators":["iqn.2001-01.com.example:a"]}`},
		{method: "AddVolumesToVolumeAccessGroup", params: `{"volumeAccessGroupID":1,"volumes":[1]}`, fails: "xAlreadyInVolumeAccessGroup"},
		{method: "AddInitiatorsToVolumeAccessGroup", params: `{"volumeAccessGroupID":1,"initiators":["iqn.2001-01.com.example:a"]}`, fails: "xAlreadyInVolumeAccessGroup"},
	})
}

func TestIQNEndsInTheVolumeID(t *testing.T) {
	r := withVolumes(t, 3)
	unique := r.ok("GetClusterInfo", "{}")["clusterInfo"].(map[string]any)["uniqueID"].(string)
	for id := 1; id <= 3; id++ {
		v := r.ok("ListVolumes", fmt.Sprintf(`{"volumeIDs":[%d]}`, id))["volumes"].([]any)[0].(map[string]any)
		if want := fmt.Sprintf("iqn.2010-01.com.solidfire:%s.v%d.%d", unique, id, id); v["iqn"] != want {
			t.Errorf("iqn %s, want %s", v["iqn"], want)
		}
		if want := fmt.Sprintf("6f47acc100000000%x%08x", unique, id); v["scsiNAADeviceID"] != want {
			t.Errorf("NAA %s, want %s", v["scsiNAADeviceID"], want)
		}
		if want := fmt.Sprintf("%x%08xf47acc0100000000", unique, id); v["scsiEUIDeviceID"] != want {
			t.Errorf("EUI %s, want %s", v["scsiEUIDeviceID"], want)
		}
	}
}

func TestStatisticsShapes(t *testing.T) {
	r := withVolumes(t, 1)
	r.play([]step{
		{method: "GetVolumeStats", params: `{"volumeID":1}`, want: map[string]string{"volumeStats.samplePeriodMSec": "500"}},
		{method: "GetClusterStats", want: map[string]string{"clusterStats.samplePeriodMsec": "500", "clusterStats.samplePeriodMSec": "(absent)"}},
	})
	versions := r.ok("GetAPI", "{}")["supportedVersions"].([]any)
	for _, v := range versions {
		if _, err := strconv.ParseFloat(v.(string), 64); err != nil {
			t.Error(err)
		}
	}
}

func TestUUIDsAreValidAndListsNeverNull(t *testing.T) {
	r := withVolumes(t, 1)
	r.ok("CreateVolumeAccessGroup", `{"name":"g"}`)
	r.ok("CreateGroupSnapshot", `{"volumes":[1]}`)
	for list, members := range map[string][]string{
		"volumes":        {"volumeUUID", "volumeConsistencyGroupUUID"},
		"snapshots":      {"snapshotUUID", "instanceSnapshotUUID", "groupSnapshotUUID"},
		"groupSnapshots": {"groupSnapshotUUID"},
	} {
		method := "List" + strings.ToUpper(list[:1]) + list[1:]
		object := r.ok(method, "{}")[list].([]any)[0].(map[string]any)
		for _, member := range members {
			if _, err := uuid.Parse(object[member].(string)); err != nil {
				t.Errorf("%s: %v", member, err)
			}
		}
	}
	r.play([]step{
		{method: "ListVolumes", want: map[string]string{
			"volumes.0.volumeAccessGroups": "[]", "volumes.0.volumePairs": "[]", "volumes.0.attributes": "{}",
			"volumes.0.deleteTime": `""`, "volumes.0.purgeTime": `""`, "volumes.0.lastAccessTime": "null",
			"volumes.0.qosPolicyID": "null", "volumes.0.blockSize": "4096", "volumes.0.virtualVolumeID": "null",
			"volumes.0.createTime": `"2031-05-06T07:08:09Z"`, "volumes.0.sliceCount": "1",
		}},
		{method: "ListVolumeAccessGroups", want: map[string]string{
			"volumeAccessGroups.0.initiators": "[]", "volumeAccessGroups.0.initiatorIDs": "[]", "volumeAccessGroups.0.volumes": "[]",
			"volumeAccessGroups.0.deletedVolumes": "[]", "volumeAccessGroups.0.attributes": "{}",
		}},
		{method: "AddAccount", params: `{"username":"b"}`, want: map[string]string{"account.volumes": "[]", "account.attributes": "{}"}},
	})
}

func TestDeleteTwice(t *testing.T) {
	withVolumes(t, 1).play([]step{
		{method: "DeleteVolume", params: `{"volumeID":1}`},
		{method: "DeleteVolume", params: `{"volumeID":1}`, fails: "xVolumeIDDoesNotExist", message: "already deleted"},
		{method: "DeleteVolume", params: `{"volumeID":1}`, fails: "xVolumeIDDoesNotExist", message: "does not exist"},
		{method: "PurgeDeletedVolume", params: `{"volumeID":1}`},
		{method: "DeleteVolume", params: `{"volumeID":1}`, fails: "xVolumeIDDoesNotExist", message: "Volume 1 does not exist."},
	})
}

func TestInitiatorsAreNamesInLowerCase(t *testing.T) {
	newRig(t).play([]step{
		{method: "CreateInitiators", params: `{"initiators":[{"name":"iqn.2001-01.COM.Example:Node-A"}]}`,
			want: map[string]string{"initiators.0.initiatorName": `"iqn.2001-01.com.example:node-a"`, "initiators.0.alias": `""`}},
		{method: "CreateVolumeAccessGroup", params: `{"name":"g","initiators":[1]}`,
			want: map[string]string{"volumeAccessGroup.initiators": `["iqn.2001-01.com.example:node-a"]`, "volumeAccessGroup.initiatorIDs": "[1]"}},
		{method: "AddInitiatorsToVolumeAccessGroup", params: `{"volumeAccessGroupID":1,"initiators":["IQN.2001-01.com.example:NODE-A"]}`,
			fails: "xAlreadyInVolumeAccessGroup"},
	})
}
