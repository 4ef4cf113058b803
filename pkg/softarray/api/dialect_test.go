package api_test

import (
	"strings"
	"testing"

	"github.com/san-csi/san-csi/pkg/softarray/api"
)

// speaking is a rig's option for one switch of the dialect; "" = none.
func speaking(t *testing.T, name string) func(*api.Config) {
	t.Helper()
	var d api.Dialect
	if name != "" {
		if err := d.Set(name); err != nil {
			t.Fatal(err)
		}
	}
	return func(c *api.Config) { c.Dialect = d }
}

// Each switch changes what its name says; without it the default holds.
func TestDialects(t *testing.T) {
	const newVolume = `{"name":"n","accountID":1,"totalSize":1000000000}`
	groups := make([]step, 5)
	for i := range groups {
		groups[i] = step{method: "CreateVolumeAccessGroup", params: `{"name":"g","volumes":[1]}`}
	}
	last := groups[4]
	last.fails = "xExceededLimit"
	for name, c := range map[string]struct {
		before         []step
		byDefault, one step
	}{
		"specific-errors": {nil, step{method: "CreateVolume", params: newVolume, fails: "xExceededLimit"},
			step{method: "CreateVolume", params: newVolume, fails: "xTotalCapacityExceeded"}},
		"strict-burst": {nil, step{method: "ModifyVolume", params: `{"volumeID":1,"qos":{"maxIOPS":20000}}`},
			step{method: "ModifyVolume", params: `{"volumeID":1,"qos":{"maxIOPS":20000}}`, fails: "xInvalidParameter"}},
		"repeatable-delete": {[]step{{method: "DeleteVolume", params: `{"volumeID":1}`}},
			step{method: "DeleteVolume", params: `{"volumeID":1}`, fails: "xVolumeIDDoesNotExist"},
			step{method: "DeleteVolume", params: `{"volumeID":1}`, want: map[string]string{"volume.status": `"deleted"`}}},
		"clone-result-source": {[]step{{method: "CopyVolume", params: `{"volumeID":1,"dstVolumeID":2}`}},
			step{method: "GetAsyncResult", params: `{"asyncHandle":1}`, want: map[string]string{"details.volumeID": "2"}},
			step{method: "GetAsyncResult", params: `{"asyncHandle":1}`, want: map[string]string{"details.volumeID": "1"}}},
		"old-limits": {groups[:4], groups[4], last},
		"severe-floors": {[]step{{method: "ModifyVolume", params: `{"volumeID":1,"qos":{"minIOPS":2000}}`}},
			step{method: "ListClusterFaults", want: map[string]string{"faults.0.severity": `"warning"`}},
			step{method: "ListClusterFaults", want: map[string]string{"faults.0.severity": `"error"`}}},
	} {
		t.Run(name, func(t *testing.T) {
			for spoken, check := range map[string]step{"": c.byDefault, name: c.one} {
				// 16 MiB x 32 x 5 may be promised: two volumes and no third.
				r := withVolumes(t, 2, speaking(t, spoken), func(c *api.Config) { c.Capacity = 16 << 20 })
				r.play(c.before)
				r.checkFaults()
				r.play([]step{check})
			}
		})
	}
}

func TestDialectNames(t *testing.T) {
	var d api.Dialect
	if err := d.Set("strict-burst, old-limits"); err != nil || d != (api.Dialect{StrictBurst: true, OldLimits: true}) {
		t.Errorf("%+v, %v", d, err)
	}
	if d.String() != "old-limits,strict-burst" {
		t.Errorf("String %q", d.String())
	}
	if err := d.Set("klingon"); err == nil || !strings.Contains(err.Error(), "severe-floors") {
		t.Errorf("error %v", err)
	}
}
