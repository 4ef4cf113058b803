package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// stored does something n times in one transaction, past the API.
func (r *rig) stored(n int, do func(tx *store.Tx, i int) error) {
	r.t.Helper()
	err := r.store.Update(func(tx *store.Tx) error {
		for i := range n {
			if err := do(tx, i); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func ids(from, n int) string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(from + i)
	}
	return strings.Join(out, ",")
}

// What GetLimits tells is what is enforced: at the limit nothing more fits.
func TestCountsAreLimited(t *testing.T) {
	for _, c := range []struct {
		limit        string // of GetLimits
		fill         func(tx *store.Tx, i int) error
		method, more string
	}{
		{"accountCountMax", func(tx *store.Tx, i int) error {
			_, err := tx.AddAccount(store.Account{Username: fmt.Sprint("a", i)})
			return err
		}, "AddAccount", `{"username":"one-more"}`},
		{"volumeAccessGroupCountMax", func(tx *store.Tx, _ int) error {
			_, err := tx.AddGroup(store.Group{Name: "g"})
			return err
		}, "CreateVolumeAccessGroup", `{"name":"one-more"}`},
		{"initiatorCountMax", func(tx *store.Tx, i int) error {
			_, err := tx.AddInitiator(store.Initiator{Name: fmt.Sprint("iqn.2001-01.com.example:", i)})
			return err
		}, "CreateInitiators", `{"initiators":[{"name":"iqn.2001-01.com.example:one-more"}]}`},
		{"qosPolicyCountMax", func(tx *store.Tx, _ int) error {
			_, err := tx.AddPolicy(store.Policy{Name: "p"})
			return err
		}, "CreateQoSPolicy", `{"name":"one-more","qos":{"minIOPS":50}}`},
	} {
		t.Run(c.limit, func(t *testing.T) {
			r := newRig(t)
			limit := int(r.ok("GetLimits", "{}")[c.limit].(float64))
			r.stored(limit-1, c.fill)
			r.ok(c.method, c.more)
			if m := r.fails("xExceededLimit", c.method, strings.ReplaceAll(c.more, "one-more", "two-more")); !strings.Contains(m, fmt.Sprint(limit)) {
				t.Errorf("message %q", m)
			}
		})
	}
}

func TestVolumesOfAnAccountAndOfAGroupAreLimited(t *testing.T) {
	r := withVolumes(t, 2)
	r.stored(1, func(tx *store.Tx, _ int) error {
		a, err := tx.Accounts().Get(1)
		if err != nil {
			return err
		}
		a.VolumeCount = 2000
		if err := tx.PutAccount(a); err != nil {
			return err
		}
		members := make([]int64, 1998)
		for i := range members {
			members[i] = int64(100 + i)
		}
		_, err = tx.AddGroup(store.Group{Name: "full", Volumes: members, LUNs: map[int64]int64{}})
		return err
	})
	r.ok("AddAccount", `{"username":"other"}`)
	r.play([]step{
		{method: "CreateVolume", params: `{"name":"n","accountID":1,"totalSize":1000000000}`, fails: "xExceededLimit", message: "volumes per account: 2000"},
		{method: "CloneVolume", params: `{"volumeID":1,"name":"n"}`, fails: "xExceededLimit", message: "volumes per account: 2000"},
		{method: "CreateVolume", params: `{"name":"n","accountID":2,"totalSize":1000000000}`, want: map[string]string{"volumeID": "3"}},
		{method: "ModifyVolume", params: `{"volumeID":3,"accountID":1}`, fails: "xExceededLimit"},
		{method: "AddVolumesToVolumeAccessGroup", params: `{"volumeAccessGroupID":1,"volumes":[1,2,3]}`, fails: "xExceededLimit", message: "2000"},
	})
}

func TestListsInCallsAreLimited(t *testing.T) {
	r := withVolumes(t, 1)
	r.play([]step{
		{method: "ModifyVolumes", params: `{"volumeIDs":[` + ids(1, 501) + `]}`, fails: "xExceededLimit", message: "500"},
		{method: "DeleteVolumes", params: `{"volumeIDs":[` + ids(1, 501) + `]}`, fails: "xExceededLimit", message: "500"},
		{method: "CreateGroupSnapshot", params: `{"volumes":[` + ids(1, 33) + `]}`, fails: "xExceededLimit", message: "32"},
		{method: "CloneMultipleVolumes", params: `{"volumes":[` + strings.TrimSuffix(strings.Repeat(`{"volumeID":1},`, 501), ",") + `]}`, fails: "xExceededLimit", message: "500"},
	})
	for i := range 64 {
		r.ok("CreateVolumeAccessGroup", fmt.Sprintf(`{"name":"g%d","volumes":[1]}`, i))
	}
	r.play([]step{
		{method: "CreateVolumeAccessGroup", params: `{"name":"g","volumes":[1]}`, fails: "xExceededLimit", message: "64"},
		{method: "ListVolumeAccessGroups", want: map[string]string{"volumeAccessGroups.#": "64"}},
		{method: "ListVolumeAccessGroups", params: `{"startVolumeAccessGroupID":60,"limit":3}`, want: map[string]string{"volumeAccessGroups.#": "3", "volumeAccessGroups.2.volumeAccessGroupID": "62"}},
	})
}

// Names that are too long are refused, and nothing is left of the call.
func TestLengthsAreLimited(t *testing.T) {
	r := withVolumes(t, 1)
	long := strings.Repeat("n", 65)
	for _, c := range []struct{ method, params string }{
		{"AddAccount", `{"username":"` + long + `"}`},
		{"ModifyAccount", `{"accountID":1,"username":"` + long + `"}`},
		{"CreateVolume", `{"name":"` + long + `","accountID":1,"totalSize":1000000000}`},
		{"CloneVolume", `{"volumeID":1,"name":"` + long + `"}`},
		{"CreateVolumeAccessGroup", `{"name":"` + long + `"}`},
		{"CreateQoSPolicy", `{"name":"` + long + `","qos":{"minIOPS":50}}`},
		{"CreateSnapshot", `{"volumeID":1,"name":"` + strings.Repeat("n", 256) + `"}`},
		{"CreateGroupSnapshot", `{"volumes":[1],"name":"` + strings.Repeat("n", 256) + `"}`},
		{"CreateInitiators", `{"initiators":[{"name":"iqn.2001-01.com.example:a","chapUsername":"` + strings.Repeat("n", 225) + `"}]}`},
	} {
		r.fails("xExceededLimit", c.method, c.params)
	}
	for list, n := range map[string]string{"ListAccounts": "1", "ListVolumes": "1", "ListVolumeAccessGroups": "0", "ListQoSPolicies": "0", "ListSnapshots": "0", "ListGroupSnapshots": "0", "ListInitiators": "0"} {
		for member, value := range r.ok(list, "{}") {
			if got := at(value, "#"); got != n && !strings.HasSuffix(member, "NotFound") {
				t.Errorf("%s: %s of %s, want %s", list, got, member, n)
			}
		}
	}
}
