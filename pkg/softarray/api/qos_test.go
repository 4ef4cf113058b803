package api_test

import (
	"slices"
	"testing"
)

func TestQoSOfNewVolumes(t *testing.T) {
	for _, c := range []struct{ name, qos, min, max, burst string }{
		{"defaults", `{}`, "50", "15000", "15000"},
		{"all given", `{"minIOPS":100,"maxIOPS":200,"burstIOPS":300}`, "100", "200", "300"},
		{"burst not given", `{"minIOPS":50,"maxIOPS":100}`, "50", "100", "15000"},
		{"burst rises with the ceiling", `{"maxIOPS":20000}`, "50", "20000", "20000"},
		{"at the bounds", `{"minIOPS":15000,"maxIOPS":200000,"burstIOPS":200000}`, "15000", "200000", "200000"},
		{"the array's own members are ignored", `{"burstTime":5,"curve":{"4096":1},"maxIOPS":"300"}`, "50", "300", "15000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			withVolumes(t, 0).play([]step{{method: "CreateVolume",
				params: `{"name":"a","accountID":1,"totalSize":1000000000,"qos":` + c.qos + `}`,
				want: map[string]string{"volume.qos.minIOPS": c.min, "volume.qos.maxIOPS": c.max, "volume.qos.burstIOPS": c.burst,
					"volume.qos.burstTime": "60", "volume.qos.curve.4096": "100", "volume.qos.curve.1048576": "15000", "curve.8192": "160"}}})
		})
	}
}

func TestDefaultQoS(t *testing.T) {
	r := withVolumes(t, 1)
	r.play([]step{
		{method: "GetDefaultQoS", want: map[string]string{"minIOPS": "50", "maxIOPS": "15000", "burstIOPS": "15000", "burstTime": "60", "curve.262144": "3900"}},
		{method: "SetDefaultQoS", params: `{"minIOPS":70,"maxIOPS":800,"burstIOPS":900}`, want: map[string]string{"minIOPS": "70"}},
		{method: "SetDefaultQoS", params: `{"minIOPS":801}`, fails: "xInvalidParameter"},
		{method: "SetDefaultQoS", params: `{"maxIOPS":99}`, fails: "xExceededLimit"},
		{method: "GetDefaultQoS", want: map[string]string{"minIOPS": "70", "maxIOPS": "800", "burstIOPS": "900"}},
		{method: "CreateVolume", params: `{"name":"b","accountID":1,"totalSize":1000000000}`, want: map[string]string{"volume.qos.maxIOPS": "800"}},
		{method: "ListVolumes", params: `{"volumeIDs":[1]}`, want: map[string]string{"volumes.0.qos.maxIOPS": "15000"}},
	})
}

func TestQoSPolicies(t *testing.T) {
	r := withVolumes(t, 1)
	r.play([]step{
		{method: "CreateQoSPolicy", params: `{"name":"gold","qos":{"minIOPS":500,"maxIOPS":1000,"burstIOPS":2000}}`,
			want: map[string]string{"qosPolicy.qosPolicyID": "1", "qosPolicy.volumeIDs": "[]", "qosPolicy.qos.maxIOPS": "1000"}},
		{method: "CreateQoSPolicy", params: `{"name":"bad","qos":{"minIOPS":10}}`, fails: "xExceededLimit"},
		{method: "CreateVolume", params: `{"name":"p","accountID":1,"totalSize":1000000000,"qosPolicyID":1}`,
			want: map[string]string{"volume.qosPolicyID": "1", "volume.qos.minIOPS": "500"}},
		{method: "ModifyVolume", params: `{"volumeID":1,"qosPolicyID":1}`, want: map[string]string{"volume.qosPolicyID": "1"}},
		{method: "GetQoSPolicy", params: `{"qosPolicyID":1}`, want: map[string]string{"qosPolicy.volumeIDs": "[1,2]"}},
		// A change reaches the volumes that use it.
		{method: "ModifyQoSPolicy", params: `{"qosPolicyID":1,"name":"au","qos":{"maxIOPS":1500}}`,
			want: map[string]string{"qosPolicy.name": `"au"`, "qosPolicy.qos.minIOPS": "500", "qosPolicy.qos.maxIOPS": "1500"}},
		{method: "ListVolumes", want: map[string]string{"volumes.0.qos.maxIOPS": "1500", "volumes.1.qos.maxIOPS": "1500"}},
		// Values of its own detach a volume.
		{method: "ModifyVolume", params: `{"volumeID":1,"qos":{"minIOPS":60}}`, want: map[string]string{"volume.qosPolicyID": "null", "volume.qos.maxIOPS": "1500"}},
		{method: "ModifyVolume", params: `{"volumeID":1,"qosPolicyID":1}`},
		{method: "ModifyVolume", params: `{"volumeID":1,"associateWithQoSPolicy":false}`, want: map[string]string{"volume.qosPolicyID": "null"}},
		{method: "ListQoSPolicies", want: map[string]string{"qosPolicies.#": "1", "qosPolicies.0.volumeIDs": "[2]"}},
		{method: "DeleteQoSPolicy", params: `{"qosPolicyID":1}`},
		{method: "ListVolumes", params: `{"volumeIDs":[2]}`, want: map[string]string{"volumes.0.qosPolicyID": "null", "volumes.0.qos.maxIOPS": "1500"}},
		{method: "GetQoSPolicy", params: `{"qosPolicyID":1}`, fails: "xQoSPolicyDoesNotExist"},
		{method: "ModifyQoSPolicy", params: `{"qosPolicyID":1}`, fails: "xQoSPolicyDoesNotExist"},
		{method: "DeleteQoSPolicy", params: `{"qosPolicyID":1}`, fails: "xQoSPolicyDoesNotExist"},
		{method: "CreateQoSPolicy", params: `{"name":"next","qos":{"minIOPS":50}}`, want: map[string]string{"qosPolicy.qosPolicyID": "2"}},
	})
	for _, id := range []int64{1, 2} {
		if !slices.Contains(r.data.refreshed, id) {
			t.Errorf("volume %d was not refreshed: %v", id, r.data.refreshed)
		}
	}
}
