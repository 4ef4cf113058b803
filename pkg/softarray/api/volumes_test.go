package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/san-csi/san-csi/pkg/softarray/iscsi"
)

func TestVolumeSizes(t *testing.T) {
	for _, c := range []struct{ ask, got string }{
		{"1000000000", "1000341504"},
		{"1000341504", "1000341504"},
		{"1000341505", "1001390080"},
		{"10000000000", "10000269312"},
	} {
		withVolumes(t, 0).play([]step{{method: "CreateVolume", params: `{"name":"a","accountID":1,"totalSize":` + c.ask + `}`,
			want: map[string]string{"volume.totalSize": c.got, "volumeID": "1", "volume.enable512e": "false"}}})
	}
}

func TestVolumesThatAreRefused(t *testing.T) {
	r := withVolumes(t, 1)
	for _, c := range []struct{ params, fails, message string }{
		{`{"name":"a","accountID":1,"totalSize":999999999}`, "xExceededLimit", "totalSize 999999999"},
		{`{"name":"a","accountID":1,"totalSize":17592186044417}`, "xExceededLimit", "17592186044416"},
		{`{"name":"a","accountID":1,"totalSize":-1}`, "xExceededLimit", "-1"},
		{`{"name":"a_b","accountID":1,"totalSize":1000000000}`, "xInvalidParameter", "a_b"},
		{`{"name":"a.b","accountID":1,"totalSize":1000000000}`, "xInvalidParameter", "a.b"},
		{`{"name":"` + strings.Repeat("n", 65) + `","accountID":1,"totalSize":1000000000}`, "xExceededLimit", "65"},
		{`{"name":"a","accountID":9,"totalSize":1000000000}`, "xAccountIDDoesNotExist", "Illegal AccountID 9"},
		{`{"name":"a","accountID":1,"totalSize":1000000000,"qos":{"minIOPS":49}}`, "xExceededLimit", "minIOPS 49"},
		{`{"name":"a","accountID":1,"totalSize":1000000000,"qos":{"minIOPS":15001}}`, "xExceededLimit", "15000"},
		{`{"name":"a","accountID":1,"totalSize":1000000000,"qos":{"maxIOPS":99}}`, "xExceededLimit", "maxIOPS 99"},
		{`{"name":"a","accountID":1,"totalSize":1000000000,"qos":{"burstIOPS":200001}}`, "xExceededLimit", "burstIOPS 200001"},
		{`{"name":"a","accountID":1,"totalSize":1000000000,"qos":{"maxIOPS":-5}}`, "xExceededLimit", "-5"},
		{`{"name":"a","accountID":1,"totalSize":1000000000,"qos":{"minIOPS":500,"maxIOPS":400}}`, "xInvalidParameter", "minIOPS 500 is greater than maxIOPS 400"},
		{`{"name":"a","accountID":1,"totalSize":1000000000,"qos":{"maxIOPS":500,"burstIOPS":400}}`, "xInvalidParameter", "maxIOPS 500 is greater than burstIOPS 400"},
		{`{"name":"a","accountID":1,"totalSize":1000000000,"qosPolicyID":3}`, "xQoSPolicyDoesNotExist", "3"},
		{`{"name":"a","accountID":1,"totalSize":1000000000,"qosPolicyID":3,"qos":{"minIOPS":50}}`, "xInvalidParameter", "mutually exclusive"},
	} {
		if m := r.fails(c.fails, "CreateVolume", c.params); !strings.Contains(m, c.message) {
			t.Errorf("%s: message %q lacks %q", c.params, m, c.message)
		}
	}
	// Nothing is left of them; the id of the next volume is the next.
	r.play([]step{
		{method: "GetVolumeCount", want: map[string]string{"count": "1"}},
		{method: "CreateVolume", params: `{"name":"a","accountID":1,"totalSize":1000000000}`, want: map[string]string{"volumeID": "2"}},
	})
}

func TestModifyVolume(t *testing.T) {
	r := withVolumes(t, 2)
	r.ok("AddAccount", `{"username":"other"}`)
	r.play([]step{
		{method: "ModifyVolume", params: `{"volumeID":1,"totalSize":2000000000}`, want: map[string]string{"volume.totalSize": "2000683008"}},
		{method: "ModifyVolume", params: `{"volumeID":1,"totalSize":1000000000}`, fails: "xVolumeShrinkProhibited", message: "Lowering a volume size is not allowed."},
		{method: "ModifyVolume", params: `{"volumeID":1,"totalSize":17592186044417}`, fails: "xExceededLimit"},
		{method: "ModifyVolume", params: `{"volumeID":9}`, fails: "xVolumeIDDoesNotExist", message: "VolumeID 9 does not exist."},
		{method: "ModifyVolume", params: `{"volumeID":1,"access":"sometimes"}`, fails: "xUnrecognizedEnumString", message: "sometimes"},
		{method: "ModifyVolume", params: `{"volumeID":1,"access":"readOnly"}`, want: map[string]string{"volume.access": `"readOnly"`}},
		{method: "ModifyVolume", params: `{"volumeID":1,"accountID":2}`, want: map[string]string{"volume.accountID": "2"}},
		{method: "GetAccountByID", params: `{"accountID":1}`, want: map[string]string{"account.volumes": "[2]"}},
		{method: "GetAccountByID", params: `{"accountID":2}`, want: map[string]string{"account.volumes": "[1]"}},
		{method: "ModifyVolumes", params: `{"volumeIDs":[1,2],"qos":{"maxIOPS":900}}`,
			want: map[string]string{"volumes.#": "2", "volumes.0.qos.maxIOPS": "900", "volumes.1.qos.maxIOPS": "900"}},
		// All or nothing.
		{method: "ModifyVolumes", params: `{"volumeIDs":[1,9],"attributes":{"a":1}}`, fails: "xVolumeIDDoesNotExist"},
		{method: "ListVolumes", params: `{"volumeIDs":[1]}`, want: map[string]string{"volumes.0.attributes": "{}"}},
	})
	if len(r.data.refreshed) == 0 || r.data.refreshed[0] != 1 {
		t.Errorf("volumes refreshed: %v", r.data.refreshed)
	}
}

func TestChangesOfAccessEndSessions(t *testing.T) {
	sessions := []iscsi.Session{{ID: 1, VolumeID: 1, AccountID: 1}, {ID: 2, VolumeID: 2, AccountID: 1}, {ID: 3, VolumeID: 3, AccountID: 7}}
	for _, c := range []struct {
		method, params string
		left           []int64
	}{
		{"DeleteVolume", `{"volumeID":1}`, []int64{2, 3}},
		{"DeleteVolumes", `{"volumeIDs":[1,2]}`, []int64{3}},
		{"ModifyVolume", `{"volumeID":2,"access":"locked"}`, []int64{1, 3}},
		{"ModifyVolume", `{"volumeID":2,"access":"replicationTarget"}`, []int64{1, 3}},
		{"ModifyVolume", `{"volumeID":2,"access":"readOnly"}`, []int64{1, 2, 3}},
		{"ModifyAccount", `{"accountID":1,"status":"locked"}`, []int64{3}},
		{"ModifyAccount", `{"accountID":1,"initiatorSecret":null}`, []int64{1, 2, 3}},
		{"RemoveVolumesFromVolumeAccessGroup", `{"volumeAccessGroupID":1,"volumes":[1]}`, []int64{1, 2, 3}},
		{"DeleteVolumeAccessGroup", `{"volumeAccessGroupID":1}`, []int64{1, 2, 3}},
	} {
		t.Run(c.method, func(t *testing.T) {
			r := withVolumes(t, 2)
			r.ok("CreateVolumeAccessGroup", `{"name":"g","volumes":[1]}`)
			r.data.sessions = append([]iscsi.Session{}, sessions...)
			r.ok(c.method, c.params)
			var left []int64
			for _, s := range r.data.Sessions() {
				left = append(left, s.ID)
			}
			if fmt.Sprint(left) != fmt.Sprint(c.left) {
				t.Errorf("%s: sessions left %v, want %v", c.params, left, c.left)
			}
		})
	}
}

func TestListVolumes(t *testing.T) {
	r := withVolumes(t, 5)
	r.ok("AddAccount", `{"username":"other"}`)
	r.ok("CreateVolume", `{"name":"v1","accountID":2,"totalSize":1000000000}`)
	r.ok("DeleteVolume", `{"volumeID":2}`)
	for _, c := range []struct{ method, params, ids string }{
		{"ListVolumes", `{}`, "1 2 3 4 5 6"},
		{"ListVolumes", `{"volumeStatus":"active"}`, "1 3 4 5 6"},
		{"ListVolumes", `{"volumeStatus":"deleted"}`, "2"},
		{"ListVolumes", `{"volumeStatus":"init"}`, ""},
		{"ListVolumes", `{"startVolumeID":3,"limit":2}`, "3 4"},
		{"ListVolumes", `{"startVolumeID":7}`, ""},
		{"ListVolumes", `{"volumeIDs":[4,2,9,4]}`, "2 4"},
		{"ListVolumes", `{"volumeIDs":[]}`, "1 2 3 4 5 6"},
		{"ListVolumes", `{"volumeName":"v1"}`, "1 6"},
		{"ListVolumes", `{"volumeName":"v"}`, ""},
		{"ListVolumes", `{"volumeName":"v1","accounts":[2]}`, "6"},
		{"ListVolumes", `{"volumeName":"v1","startVolumeID":2}`, "6"},
		{"ListVolumes", `{"accounts":[2]}`, "6"},
		{"ListVolumes", `{"isPaired":true}`, ""},
		{"ListVolumes", `{"isPaired":false,"limit":1}`, "1"},
		{"ListActiveVolumes", `{"startVolumeID":2,"limit":1}`, "3"},
		{"ListActiveVolumes", `{"limit":0}`, "1 3 4 5 6"},
		{"ListDeletedVolumes", `{}`, "2"},
		{"ListVolumesForAccount", `{"accountID":1}`, "1 2 3 4 5"},
		{"ListVolumesForAccount", `{"accountID":1,"startVolumeID":2,"limit":2}`, "2 3"},
	} {
		var ids []string
		for _, v := range r.ok(c.method, c.params)["volumes"].([]any) {
			ids = append(ids, at(v, "volumeID"))
		}
		if got := strings.Join(ids, " "); got != c.ids {
			t.Errorf("%s %s: %s, want %s", c.method, c.params, got, c.ids)
		}
	}
	r.play([]step{
		{method: "ListVolumes", params: `{"volumeStatus":"weird"}`, fails: "xUnrecognizedEnumString", message: "weird"},
		{method: "ListVolumes", params: `{"volumeIDs":[1],"limit":1}`, fails: "xInvalidParameter"},
		{method: "ListVolumes", params: `{"limit":-1}`, fails: "xExceededLimit"},
		{method: "ListVolumesForAccount", params: `{"accountID":9}`, fails: "xAccountIDDoesNotExist"},
		{method: "GetVolumeCount", want: map[string]string{"count": "6"}},
	})
}

func TestRecycleBin(t *testing.T) {
	r := withVolumes(t, 3)
	r.ok("CreateVolumeAccessGroup", `{"name":"g","volumes":[1,2],"initiators":["iqn.2001-01.com.example:a"]}`)
	r.play([]step{
		{method: "PurgeDeletedVolume", params: `{"volumeID":1}`, fails: "xInvalidParameter", message: "not deleted"},
		{method: "RestoreDeletedVolume", params: `{"volumeID":1}`, fails: "xInvalidParameter", message: "not deleted"},
		{method: "PurgeDeletedVolume", params: `{"volumeID":9}`, fails: "xVolumeIDDoesNotExist", message: "does not exist"},
		{method: "DeleteVolume", params: `{"volumeID":1}`, want: map[string]string{
			"volumeID": "1", "volume.status": `"deleted"`, "volume.volumeAccessGroups": "[1]",
			"volume.deleteTime": `"2031-05-06T07:08:09Z"`, "volume.purgeTime": `"2031-05-06T15:08:09Z"`}},
		{method: "ListVolumeAccessGroups", want: map[string]string{
			"volumeAccessGroups.0.volumes": "[2]", "volumeAccessGroups.0.deletedVolumes": "[1]"}},
		{method: "GetAccountByID", params: `{"accountID":1}`, want: map[string]string{"account.volumes": "[1,2,3]"}},
		{method: "ModifyVolume", params: `{"volumeID":1,"attributes":{"a":1}}`, fails: "xVolumeIDDoesNotExist"},
		{method: "RestoreDeletedVolume", params: `{"volumeID":1}`},
		{method: "ListVolumes", params: `{"volumeIDs":[1]}`, want: map[string]string{
			"volumes.0.status": `"active"`, "volumes.0.deleteTime": `""`, "volumes.0.purgeTime": `""`, "volumes.0.volumeAccessGroups": "[1]"}},
		{method: "DeleteVolumes", params: `{"volumeIDs":[1],"accountIDs":[1]}`, fails: "xInvalidParameter"},
		{method: "DeleteVolumes", fails: "xInvalidParameter"},
		{method: "DeleteVolumes", params: `{"volumeAccessGroupIDs":[1]}`, want: map[string]string{"volumes.#": "2", "volumes.1.volumeID": "2"}},
		{method: "PurgeDeletedVolumes", params: `{"volumeIDs":[1,3]}`, fails: "xInvalidParameter"},
		{method: "ListDeletedVolumes", want: map[string]string{"volumes.#": "2"}},
		{method: "PurgeDeletedVolumes", params: `{"accountIDs":[1]}`},
		{method: "ListVolumes", want: map[string]string{"volumes.#": "1", "volumes.0.volumeID": "3"}},
		{method: "ListVolumeAccessGroups", want: map[string]string{
			"volumeAccessGroups.0.volumes": "[]", "volumeAccessGroups.0.deletedVolumes": "[]", "volumeAccessGroups.0.initiatorIDs": "[1]"}},
		{method: "CreateVolume", params: `{"name":"n","accountID":1,"totalSize":1000000000}`, want: map[string]string{"volumeID": "4"}},
	})
	if fmt.Sprint(r.data.released) != "[1 2]" {
		t.Errorf("released %v", r.data.released)
	}
}

func TestPurgeAfterEightHours(t *testing.T) {
	r := withVolumes(t, 2)
	r.ok("DeleteVolume", `{"volumeID":1}`)
	for _, c := range []struct {
		after time.Duration
		left  string
	}{{8*time.Hour - 2*time.Second, "2"}, {8 * time.Hour, "1"}} {
		r.clock.SetTime(start.Add(c.after))
		if err := r.server.PurgeDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := at(r.ok("GetVolumeCount", "{}"), "count"); got != c.left {
			t.Errorf("after %v: %s volumes, want %s", c.after, got, c.left)
		}
	}
}

func TestVolumeOptions(t *testing.T) {
	r := withVolumes(t, 1)
	r.play([]step{
		{method: "ListVolumes", want: map[string]string{"volumes.0.fifoSize": "24", "volumes.0.minFifoSize": "0", "volumes.0.dontMoveForIopsRebalance": "false"}},
		{method: "CreateVolume", params: `{"name":"o","accountID":1,"totalSize":1000000000,"fifoSize":5,"minFifoSize":2,"dontMoveForIopsRebalance":true,"access":"snapMirrorTarget","sliceCount":3}`,
			want: map[string]string{"volume.fifoSize": "5", "volume.minFifoSize": "2", "volume.dontMoveForIopsRebalance": "true", "volume.access": `"snapMirrorTarget"`, "volume.sliceCount": "1"}},
		{method: "CreateVolume", params: `{"name":"o","accountID":1,"totalSize":1000000000,"fifoSize":5,"minFifoSize":6}`, fails: "xExceededLimit", message: "minFifoSize 6"},
		{method: "CreateVolume", params: `{"name":"o","accountID":1,"totalSize":1000000000,"access":"odd"}`, fails: "xUnrecognizedEnumString"},
		{method: "ModifyVolume", params: `{"volumeID":2,"access":"readWrite","dontMoveForIopsRebalance":"false","fifoSize":0,"minFifoSize":null,"mode":"asynch"}`,
			want: map[string]string{"volume.fifoSize": "5", "volume.minFifoSize": "2", "volume.dontMoveForIopsRebalance": "false"}},
		{method: "ModifyVolume", params: `{"volumeID":2,"setCreateTime":true,"createTime":"2030-02-03T04:05:06Z"}`, want: map[string]string{"volume.createTime": `"2030-02-03T04:05:06Z"`}},
		{method: "ModifyVolume", params: `{"volumeID":2,"createTime":"2029-02-03T04:05:06Z"}`, want: map[string]string{"volume.createTime": `"2030-02-03T04:05:06Z"`}},
		{method: "ModifyVolume", params: `{"volumeID":2,"setCreateTime":true}`, fails: "xInvalidParameter", message: "createTime"},
	})
}
