package api_test

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/san-csi/san-csi/pkg/softarray/api"
	"github.com/san-csi/san-csi/pkg/softarray/store"
)

func (r *rig) checkFaults() {
	r.t.Helper()
	if err := r.server.CheckFaults(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func promising(name string, minIOPS string) step {
	return step{method: "CreateVolume", params: `{"name":"` + name + `","accountID":1,"totalSize":1000000000,"qos":{"minIOPS":` + minIOPS + `}}`}
}

func TestFaultOfOverProvisionedIOPS(t *testing.T) {
	r := withVolumes(t, 0) // the rig declares 1000 IOPS
	none := step{method: "ListClusterFaults", want: map[string]string{"faults": "[]"}}
	r.play([]step{promising("a", "600")})
	r.checkFaults()
	r.play([]step{none, promising("b", "600"), none}) // served all the same; told at the next check
	r.checkFaults()
	r.play([]step{
		{method: "ListClusterFaults", params: `{"faultTypes":"current"}`, want: map[string]string{
			"faults.0.code": `"clusterIOPSAreOverProvisioned"`, "faults.0.severity": `"warning"`, "faults.0.resolved": "false", "faults.0.type": `"cluster"`,
			"faults.0.date": `"2031-05-06T07:08:09.123456Z"`, "faults.0.resolvedDate": `""`, "faults.0.driveIDs": "[]", "faults.0.clusterFaultID": "1",
			"faults.0.details": `"The sum of all minimum IOPS, 1200, is greater than the expected IOPS of the cluster, 1000."`}},
		{method: "ListClusterFaults", params: `{"faultTypes":"resolved"}`, want: map[string]string{"faults": "[]"}},
		{method: "ListClusterFaults", params: `{"faultTypes":"odd"}`, fails: "xUnrecognizedEnumString"},
		{method: "ModifyVolume", params: `{"volumeID":2,"qos":{"minIOPS":700}}`},
		{method: "DeleteVolume", params: `{"volumeID":1}`},
	})
	r.clock.Step(30 * time.Second)
	r.checkFaults() // promised until purged; the fault is the same, its numbers are new
	r.play([]step{
		{method: "ListClusterFaults", want: map[string]string{"faults.#": "1", "faults.0.clusterFaultID": "1", "faults.0.date": `"2031-05-06T07:08:09.123456Z"`,
			"faults.0.details": `"The sum of all minimum IOPS, 1300, is greater than the expected IOPS of the cluster, 1000."`}},
		{method: "PurgeDeletedVolume", params: `{"volumeID":1}`},
	})
	r.checkFaults()
	r.play([]step{
		{method: "ListClusterFaults", params: `{"faultTypes":"current"}`, want: map[string]string{"faults": "[]"}},
		{method: "ListClusterFaults", params: `{"faultTypes":"resolved"}`, want: map[string]string{
			"faults.#": "1", "faults.0.resolved": "true", "faults.0.resolvedDate": `"2031-05-06T07:08:39.123456Z"`}},
		promising("c", "600"),
	})
	r.checkFaults()
	r.play([]step{{method: "ListClusterFaults", params: `{"faultTypes":"all"}`, want: map[string]string{
		"faults.#": "2", "faults.1.clusterFaultID": "2", "faults.1.resolved": "false"}}})
}

// fill writes n bytes into volume 1.
func (r *rig) fill(from, n int) {
	r.t.Helper()
	err := r.store.View(func(tx *store.Tx) error {
		v, err := tx.Volumes().Get(1)
		if err != nil {
			return err
		}
		d, err := r.store.OpenDisk(v)
		if err != nil {
			return err
		}
		defer d.Close()
		_, err = d.WriteAt(bytes.Repeat([]byte{1}, n), int64(from))
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func TestFullnessStages(t *testing.T) {
	const capacity = 64 << 20
	r := withVolumes(t, 1, func(c *api.Config) { c.Capacity = capacity })
	written := 0
	for _, c := range []struct {
		percent         int
		stage, severity string
		refused         bool    // new volumes
		squeeze         float64 // of ceilings
	}{
		{50, "stage1Happy", "", false, 0},
		{82, "stage2Aware", "", false, 0},
		{92, "stage3Low", `"warning"`, false, 0},
		{98, "stage4Critical", `"error"`, true, 1.0 / 3},
		{101, "stage5CompletelyConsumed", `"critical"`, true, 1},
	} {
		to := capacity / 100 * c.percent
		r.fill(written, to-written)
		written = to
		r.checkFaults()
		r.play([]step{
			{method: "GetClusterFullThreshold", want: map[string]string{"blockFullness": `"` + c.stage + `"`, "fullness": `"` + c.stage + `"`, "sumTotalClusterBytes": "67108864"}},
			{method: "GetClusterCapacity", want: map[string]string{"clusterCapacity.maxUsedSpace": "67108864"}},
		})
		faults := r.ok("ListClusterFaults", `{"faultTypes":"current"}`)
		if got := at(faults, "faults.0.severity"); c.severity != "" && got != c.severity || c.severity == "" && at(faults, "faults.#") != "0" {
			t.Errorf("%s: faults %s", c.stage, at(faults, "faults"))
		}
		if full := c.percent > 100; r.data.full != full {
			t.Errorf("%s: the data side is told full %v", c.stage, r.data.full)
		}
		if got := r.data.squeeze; math.Abs(got-c.squeeze) > 0.01 {
			t.Errorf("%s: ceilings are squeezed by %.3f, want %.3f", c.stage, got, c.squeeze)
		}
		create := `{"name":"n","accountID":1,"totalSize":1000000000}`
		if c.refused {
			r.fails("xExceededLimit", "CreateVolume", create)
			continue
		}
		r.ok("CreateVolume", create)
	}
}

func TestProvisionedSpaceIsLimited(t *testing.T) {
	// 8 MiB x 32 x 5 = 1280 MiB may be promised: one volume of 954 MiB.
	r := withVolumes(t, 1, func(c *api.Config) { c.Capacity = 8 << 20 })
	r.checkFaults()
	r.play([]step{
		{method: "ListClusterFaults", want: map[string]string{"faults": "[]"}},
		{method: "CreateVolume", params: `{"name":"b","accountID":1,"totalSize":1000000000}`, fails: "xExceededLimit", message: "1342177280"},
		{method: "ModifyVolume", params: `{"volumeID":1,"totalSize":1400000000}`, fails: "xExceededLimit", message: "provisioned space"},
		{method: "ModifyVolume", params: `{"volumeID":1,"totalSize":1300000000}`},
	})
	r.checkFaults()
	r.play([]step{{method: "ListClusterFaults", want: map[string]string{
		"faults.#": "1", "faults.0.code": `"provisionedSpaceTooFull"`, "faults.0.severity": `"warning"`}}})
}

func TestStrictAdmission(t *testing.T) {
	r := withVolumes(t, 0, func(c *api.Config) { c.StrictAdmission = true })
	r.play([]step{
		promising("a", "600"),
		promising("b", "400"),
		{method: "CreateVolume", params: `{"name":"c","accountID":1,"totalSize":1000000000,"qos":{"minIOPS":50}}`, fails: "xExceededLimit",
			message: "the sum of all minIOPS would be 1050, 50 more than now: the array can do 1000"},
		{method: "ModifyVolume", params: `{"volumeID":1,"qos":{"minIOPS":601}}`, fails: "xExceededLimit"},
		{method: "ModifyVolumes", params: `{"volumeIDs":[1,2],"qos":{"minIOPS":500}}`},
		{method: "CreateQoSPolicy", params: `{"name":"p","qos":{"minIOPS":100}}`},
		{method: "ModifyVolume", params: `{"volumeID":2,"qosPolicyID":1}`},
		{method: "ModifyQoSPolicy", params: `{"qosPolicyID":1,"qos":{"minIOPS":501}}`, fails: "xExceededLimit"},
		{method: "ModifyQoSPolicy", params: `{"qosPolicyID":1,"qos":{"minIOPS":500}}`},
		// What is deleted is promised until it is purged, and can come back.
		{method: "DeleteVolume", params: `{"volumeID":2}`},
		{method: "CreateVolume", params: `{"name":"c","accountID":1,"totalSize":1000000000}`, fails: "xExceededLimit"},
		{method: "RestoreDeletedVolume", params: `{"volumeID":2}`},
		{method: "DeleteVolume", params: `{"volumeID":2}`},
		{method: "PurgeDeletedVolume", params: `{"volumeID":2}`},
		{method: "CreateVolume", params: `{"name":"c","accountID":1,"totalSize":1000000000}`, want: map[string]string{"volumeID": "3"}},
	})
}
