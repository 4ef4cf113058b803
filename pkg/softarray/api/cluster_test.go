package api_test

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/san-csi/san-csi/pkg/softarray/api"
	"github.com/san-csi/san-csi/pkg/softarray/iscsi"
	"github.com/san-csi/san-csi/pkg/softarray/store"
)

func TestGetAPIListsEveryMethod(t *testing.T) {
	r := newRig(t)
	out := r.ok("GetAPI", "{}")
	for _, name := range out["12.5"].([]any) {
		if a := r.call(name.(string), "{}"); a.Error != nil && a.Error.Name == "xUnknownAPIMethod" {
			t.Errorf("%s is listed but unknown", name)
		}
	}
	versions := out["supportedVersions"].([]any)
	for _, v := range []any{"1.0", "7.0", "12.5"} {
		if !slices.Contains(versions, v) {
			t.Errorf("version %s is not supported: %v", v, versions)
		}
	}
}

func TestClusterInfo(t *testing.T) {
	r := newRig(t)
	info := r.ok("GetClusterInfo", "{}")["clusterInfo"].(map[string]any)
	if !regexp.MustCompile(`^[a-z0-9]{4}$`).MatchString(info["uniqueID"].(string)) {
		t.Errorf("uniqueID %v", info["uniqueID"])
	}
	if _, err := uuid.Parse(info["uuid"].(string)); err != nil {
		t.Error(err)
	}
	serial := at(r.ok("ListAllNodes", "{}"), "nodes.0.uuid")
	r.play([]step{
		{method: "GetClusterInfo", want: map[string]string{"clusterInfo.svip": `"192.0.2.1"`, "clusterInfo.mvip": `"192.0.2.1"`, "clusterInfo.attributes": "{}"}},
		{method: "GetClusterVersionInfo", want: map[string]string{"clusterAPIVersion": `"12.5"`, "clusterVersion": `"12.5.0.897"`, "clusterVersionInfo.0.nodeID": "1"}},
		{method: "GetClusterState", want: map[string]string{"state": `"Active"`}},
		{method: "GetClusterHardwareInfo", want: map[string]string{"clusterHardwareInfo.drives": "{}", "clusterHardwareInfo.nodes.1.serial": serial}},
		{method: "GetClusterHardwareInfo", params: `{"type":"drives"}`, want: map[string]string{"clusterHardwareInfo": `{"drives":{}}`}},
		{method: "GetClusterHardwareInfo", params: `{"type":"nodes"}`, want: map[string]string{"clusterHardwareInfo.nodes.1.serial": serial, "clusterHardwareInfo.drives": "(absent)"}},
		{method: "GetClusterHardwareInfo", params: `{"type":"odd"}`, fails: "xUnrecognizedEnumString"},
		{method: "ListActiveNodes", want: map[string]string{"nodes.0.nodeID": "1", "nodes.0.sip": `"192.0.2.1"`}},
		{method: "ListAllNodes", want: map[string]string{"nodes.#": "1", "pendingNodes": "[]", "pendingActiveNodes": "[]"}},
		{method: "ListVirtualNetworks", want: map[string]string{"virtualNetworks": "[]"}},
		{method: "ListDrives", want: map[string]string{"drives": "[]"}},
		{method: "ListSyncJobs", want: map[string]string{"syncJobs": "[]"}},
		{method: "ListBulkVolumeJobs", want: map[string]string{"bulkVolumeJobs": "[]"}},
		{method: "ListVolumeQoSHistograms", want: map[string]string{"qosHistograms": "[]"}},
		{method: "ListNodeStats", want: map[string]string{"nodeStats.nodes": "[]"}},
		{method: "GetFeatureStatus", want: map[string]string{"features": "[]"}},
		{method: "GetLimits", want: map[string]string{
			"volumeSizeMin": "1000000000", "volumeSizeMax": "17592186044416", "volumeMinIOPSMin": "50", "volumeMinIOPSMax": "15000",
			"volumeMaxIOPSMin": "100", "volumeMaxIOPSMax": "200000", "volumeBurstIOPSMax": "200000", "initiatorsPerVolumeAccessGroupCountMax": "128",
			"volumeAccessGroupsPerVolumeCountMax": "64", "volumeNameLengthMax": "64"}},
	})
}

func TestCapacity(t *testing.T) {
	r := withVolumes(t, 2)
	r.data.activity = api.Activity{
		Usage:       api.Usage{Period: api.SamplePeriod, Sample: store.Counters{ReadOps: 30, WriteOps: 20}, Total: store.Counters{ReadOps: 300, WriteOps: 200}},
		AverageIOPS: 7, PeakIOPS: 450, PeakSessions: 3,
	}
	r.play([]step{{method: "GetClusterCapacity", want: map[string]string{
		"clusterCapacity.maxIOPS": "1000", "clusterCapacity.provisionedSpace": "2000683008", "clusterCapacity.currentIOPS": "100",
		"clusterCapacity.averageIOPS": "7", "clusterCapacity.peakIOPS": "450", "clusterCapacity.totalOps": "500",
		"clusterCapacity.activeSessions": "0", "clusterCapacity.peakActiveSessions": "3"}}})
	capacity := r.ok("GetClusterCapacity", "{}")["clusterCapacity"].(map[string]any)
	if capacity["maxOverProvisionableSpace"] != 5*capacity["maxProvisionedSpace"].(float64) {
		t.Errorf("maxOverProvisionableSpace %v, maxProvisionedSpace %v", capacity["maxOverProvisionableSpace"], capacity["maxProvisionedSpace"])
	}
	if used, total := capacity["usedSpace"].(float64), capacity["maxUsedSpace"].(float64); used > 1<<20 || total < 1<<20 {
		t.Errorf("two empty volumes take %v bytes of %v", used, total)
	}
	r.play([]step{{method: "GetClusterFullThreshold", want: map[string]string{"metadataFullness": `"stage1Happy"`, "maxMetadataOverProvisionFactor": "5"}}})
}

func TestSessions(t *testing.T) {
	r := withVolumes(t, 1)
	r.ok("CreateInitiators", `{"initiators":[{"name":"iqn.2001-01.com.example:a"}]}`)
	r.data.sessions = []iscsi.Session{
		{
			ID: 4, ISID: 0x23d000001, InitiatorName: "iqn.2001-01.com.example:a", TargetName: "iqn.t", InitiatorAddr: "192.0.2.9:4711", TargetAddr: "192.0.2.1:3260",
			VolumeID: 1, AccountID: 1, AccountName: "tenant", AuthMethod: "CHAP", CHAPAlgorithm: "MD5", CHAPUser: "tenant", CHAPDirection: "one-way",
			Created: start, LastPDU: start.Add(-time.Second), LastCommand: start.Add(-2 * time.Second),
		},
		{ID: 5, VolumeID: 1, AccountID: 1, AuthMethod: "None", InitiatorName: "iqn.unknown", Created: start},
	}
	r.play([]step{{method: "ListISCSISessions", want: map[string]string{
		"sessions.#": "2", "sessions.0.sessionID": "4", "sessions.0.volumeID": "1", "sessions.0.initiatorName": `"iqn.2001-01.com.example:a"`,
		"sessions.0.initiatorPortName": `"iqn.2001-01.com.example:a,i,0x00023d000001"`, "sessions.0.targetPortName": `"iqn.t,t,0x1"`,
		"sessions.0.initiatorIP": `"192.0.2.9:4711"`, "sessions.0.createTime": `"2031-05-06T07:08:09.123456Z"`,
		"sessions.0.msSinceLastIscsiPDU": "1000", "sessions.0.msSinceLastScsiCommand": "2000", "sessions.0.initiatorSessionID": "9613344769",
		"sessions.0.authentication":        `{"authMethod":"CHAP","chapAlgorithm":"MD5","chapUsername":"tenant","direction":"one-way"}`,
		"sessions.0.initiator.initiatorID": "1", "sessions.0.initiator.initiatorSecret": "null", "sessions.0.initiator.targetSecret": "null",
		"sessions.1.initiator": "null", "sessions.1.authentication.chapUsername": "null", "sessions.1.msSinceLastIscsiPDU": "0",
	}}})
}

func TestVolumeStats(t *testing.T) {
	r := withVolumes(t, 2)
	r.ok("ModifyVolume", `{"volumeID":1,"qos":{"maxIOPS":400}}`)
	r.data.usage[1] = api.Usage{
		Total:  store.Counters{ReadOps: 1000, WriteOps: 500, ReadBytes: 4096000, WriteBytes: 2048000, ReadMicros: 9000, WriteMicros: 8000, UnalignedReads: 3, UnalignedWrites: 4},
		Sample: store.Counters{ReadOps: 40, WriteOps: 10, ReadBytes: 163840, WriteBytes: 163840, ReadMicros: 400, WriteMicros: 600, Cost: 40*100 + 10*270},
		Period: api.SamplePeriod, Queue: 2, LastIO: start, MaxIOPS: 400, BurstCredit: 600000,
	}
	r.play([]step{
		{method: "GetVolumeStats", params: `{"volumeID":1}`, want: map[string]string{
			"volumeStats.readOps": "1000", "volumeStats.writeOps": "500", "volumeStats.readBytes": "4096000", "volumeStats.writeBytes": "2048000",
			"volumeStats.readOpsLastSample": "40", "volumeStats.writeBytesLastSample": "163840", "volumeStats.actualIOPS": "100",
			"volumeStats.normalizedIOPS": "134", "volumeStats.volumeUtilization": "0.335", "volumeStats.averageIOPSize": "6553",
			"volumeStats.latencyUSec": "20", "volumeStats.readLatencyUSec": "10", "volumeStats.writeLatencyUSec": "60", "volumeStats.readLatencyUSecTotal": "9000",
			"volumeStats.unalignedReads": "3", "volumeStats.unalignedWrites": "4", "volumeStats.clientQueueDepth": "2",
			"volumeStats.volumeSize": "1000341504", "volumeStats.nonZeroBlocks": "0", "volumeStats.zeroBlocks": "244224",
			"volumeStats.asyncDelay": "null", "volumeStats.throttle": "0", "volumeStats.burstIOPSCredit": "600000", "volumeStats.timestamp": `"2031-05-06T07:08:09.123456Z"`}},
		{method: "ListVolumes", params: `{"volumeIDs":[1]}`, want: map[string]string{"volumes.0.lastAccessTimeIO": `"2031-05-06T07:08:09Z"`}},
		{method: "GetVolumeStats", params: `{"volumeID":9}`, fails: "xVolumeIDDoesNotExist"},
		{method: "ListVolumeStats", params: `{"volumeIDs":[2]}`, want: map[string]string{"volumeStats.#": "1", "volumeStats.0.volumeID": "2", "volumeStats.0.readOps": "0"}},
		{method: "ListVolumeStatsByVolume", want: map[string]string{"volumeStats.#": "2"}},
		{method: "ListVolumeStatsByAccount", params: `{"accounts":[9]}`, want: map[string]string{"volumeStats": "[]"}},
		{method: "ListVolumeStatsByVolumeAccessGroup", params: `{"volumeAccessGroups":[1]}`, want: map[string]string{"volumeStats": "[]"}},
		{method: "GetVolumeEfficiency", params: `{"volumeID":1}`, want: map[string]string{"compression": "1", "deduplication": "1", "missingVolumes": "[]"}},
	})
}

func TestThrottle(t *testing.T) {
	r := withVolumes(t, 1)
	r.ok("ModifyVolume", `{"volumeID":1,"qos":{"maxIOPS":1000}}`)
	for _, c := range []struct {
		usage api.Usage
		want  string
	}{
		{api.Usage{}, "0"},
		{api.Usage{MaxIOPS: 1000}, "0"},
		{api.Usage{MaxIOPS: 1000, Withheld: 0.25}, "0.25"},
		{api.Usage{MaxIOPS: 500}, "0.5"},                 // the array is nearly full
		{api.Usage{MaxIOPS: 500, Withheld: 0.5}, "0.75"}, // and busy
		{api.Usage{MaxIOPS: 2000, Withheld: 0.5}, "0.5"}, // of before the change
	} {
		r.data.usage[1] = c.usage
		r.play([]step{{method: "GetVolumeStats", params: `{"volumeID":1}`, want: map[string]string{"volumeStats.throttle": c.want}}})
	}
}

// A sample is as long as it took.
func TestLateSample(t *testing.T) {
	r := withVolumes(t, 1)
	r.data.usage[1] = api.Usage{Period: 2 * api.SamplePeriod, Sample: store.Counters{ReadOps: 50, Cost: 5000}}
	r.play([]step{{method: "GetVolumeStats", params: `{"volumeID":1}`, want: map[string]string{"volumeStats.actualIOPS": "50", "volumeStats.normalizedIOPS": "50"}}})
}
