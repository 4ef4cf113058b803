package softarray

import (
	"errors"
	"slices"
	"testing"

	"github.com/san-csi/san-csi/pkg/softarray/iscsi"
	"github.com/san-csi/san-csi/pkg/softarray/scsi"
)

const (
	nodeA  = "iqn.2001-01.com.example:a" // member of the group of volumes 1 and 2
	nodeB  = "iqn.2001-01.com.example:b" // member that must prove itself
	nodeC  = "iqn.2001-01.com.example:c" // known, in no group
	nobody = "iqn.2001-01.com.example:nobody"
)

// accessRig has volumes 1 and 2 of account chap, 3 of account open (no CHAP),
// 4 of account chap and locked, 5 deleted; 1 to 5 are in one group.
func accessRig(t *testing.T) *running {
	t.Helper()
	r := startArray(t, t.TempDir())
	r.call("AddAccount", `{"username":"chap","initiatorSecret":"initiator-s1","targetSecret":"target-secr1"}`)
	r.call("AddAccount", `{"username":"open","enableChap":false}`)
	for _, v := range []string{`"v1","accountID":1`, `"v2","accountID":1`, `"v3","accountID":2`, `"v4","accountID":1`, `"v5","accountID":1`} {
		r.call("CreateVolume", `{"totalSize":1000000000,"name":`+v+`}`)
	}
	r.call("CreateVolumeAccessGroup", `{"name":"g","volumes":[1,2,3,4,5],"initiators":["`+nodeA+`"]}`)
	r.call("CreateInitiators", `{"initiators":[
		{"name":"`+nodeB+`","volumeAccessGroupID":1,"requireChap":true,"chapUsername":"bee","initiatorSecret":"bee-secret-1","targetSecret":"bee-secret-2"},
		{"name":"`+nodeC+`"}]}`)
	r.call("RemoveVolumesFromVolumeAccessGroup", `{"volumeAccessGroupID":1,"volumes":[2]}`)
	r.call("ModifyVolume", `{"volumeID":4,"access":"locked"}`)
	r.call("DeleteVolume", `{"volumeID":5}`)
	return r
}

func TestAdmit(t *testing.T) {
	r := accessRig(t)
	for _, c := range []struct {
		name      string
		initiator string
		target    string
		err       error
		required  bool
		user      string // "" = no CHAP
		secret    string
	}{
		{"member", nodeA, r.iqn(1), nil, false, "chap", "initiator-s1"},
		{"member in upper case", "IQN.2001-01.com.example:A", r.iqn(1), nil, false, "chap", "initiator-s1"},
		{"member, account without CHAP", nodeA, r.iqn(3), nil, false, "", ""},
		{"member that must prove itself", nodeB, r.iqn(1), nil, true, "bee", "bee-secret-1"},
		{"member of a group, volume of none", nodeA, r.iqn(2), nil, true, "chap", "initiator-s1"},
		{"known, in no group", nodeC, r.iqn(1), nil, true, "chap", "initiator-s1"},
		{"unknown", nobody, r.iqn(1), nil, true, "chap", "initiator-s1"},
		{"unknown, account without CHAP", nobody, r.iqn(3), iscsi.ErrForbidden, false, "", ""},
		{"locked", nodeA, r.iqn(4), iscsi.ErrNoTarget, false, "", ""},
		{"deleted", nodeA, r.iqn(5), iscsi.ErrNoTarget, false, "", ""},
		{"no such volume", nodeA, r.iqn(1) + "7", iscsi.ErrNoTarget, false, "", ""},
		{"another cluster's volume", nodeA, "iqn.2010-01.com.solidfire:0000.v1.1", iscsi.ErrNoTarget, false, "", ""},
		{"no number", nodeA, "iqn.2001-01.com.example:disk", iscsi.ErrNoTarget, false, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := r.directory().Admit(c.initiator, c.target)
			if c.err != nil {
				if !errors.Is(err, c.err) {
					t.Errorf("error %v, want %v", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.LUN == nil || got.Throttle == nil || got.VolumeID == 0 || got.AccountName == "" {
				t.Errorf("admission %+v", got)
			}
			if got.Required != c.required || (got.CHAP != nil) != (c.user != "") {
				t.Fatalf("required %v, CHAP %v", got.Required, got.CHAP != nil)
			}
			if got.CHAP != nil && (got.CHAP.User != c.user || got.CHAP.Initiator != c.secret) {
				t.Errorf("CHAP of user %s", got.CHAP.User)
			}
		})
	}
}

func TestAdmitFollowsEveryChange(t *testing.T) {
	r := accessRig(t)
	d, iqn := r.directory(), r.iqn(1)
	for _, c := range []struct {
		method, params string
		want           error
	}{
		{"GetLimits", `{}`, nil},
		{"ModifyAccount", `{"accountID":1,"status":"locked"}`, iscsi.ErrNoTarget},
		{"ModifyAccount", `{"accountID":1,"status":"active","enableChap":false}`, nil},
		{"RemoveInitiatorsFromVolumeAccessGroup", `{"volumeAccessGroupID":1,"initiators":["` + nodeA + `"]}`, iscsi.ErrForbidden},
		{"AddInitiatorsToVolumeAccessGroup", `{"volumeAccessGroupID":1,"initiators":["` + nodeA + `"]}`, nil},
		{"RemoveVolumesFromVolumeAccessGroup", `{"volumeAccessGroupID":1,"volumes":[1]}`, iscsi.ErrForbidden},
		{"AddVolumesToVolumeAccessGroup", `{"volumeAccessGroupID":1,"volumes":[1]}`, nil},
		{"ModifyVolume", `{"volumeID":1,"access":"locked"}`, iscsi.ErrNoTarget},
		{"ModifyVolume", `{"volumeID":1,"access":"readOnly"}`, nil},
		{"DeleteVolume", `{"volumeID":1}`, iscsi.ErrNoTarget},
		{"RestoreDeletedVolume", `{"volumeID":1}`, nil},
		{"DeleteVolumeAccessGroup", `{"volumeAccessGroupID":1}`, iscsi.ErrForbidden},
	} {
		r.call(c.method, c.params)
		if _, err := d.Admit(nodeA, iqn); !errors.Is(err, c.want) {
			t.Errorf("after %s %s: %v, want %v", c.method, c.params, err, c.want)
		}
	}
}

func TestTargets(t *testing.T) {
	r := accessRig(t)
	for _, c := range []struct {
		initiator, user string
		want            []string
	}{
		{nodeA, "", []string{r.iqn(1), r.iqn(3)}},
		{nodeA, "chap", []string{r.iqn(1), r.iqn(2), r.iqn(3)}},
		{nodeB, "", nil},
		{nodeB, "bee", []string{r.iqn(1), r.iqn(3)}},
		{nodeC, "", nil},
		{nobody, "", nil},
		{nobody, "chap", []string{r.iqn(1), r.iqn(2)}},
		{nobody, "open", nil}, // it has no CHAP to prove
	} {
		if got := r.directory().Targets(c.initiator, c.user); !slices.Equal(got, c.want) {
			t.Errorf("%s as %q: %v, want %v", c.initiator, c.user, got, c.want)
		}
	}
}

func TestSecrets(t *testing.T) {
	r := accessRig(t)
	for user, want := range map[string]string{"chap": "initiator-s1", "bee": "bee-secret-1", "open": "", nodeA: "", "": ""} {
		got, ok := r.directory().Secrets(user)
		if ok != (want != "") || ok && got.Initiator != want {
			t.Errorf("%q: found %v", user, ok)
		}
	}
	r.call("ModifyAccount", `{"accountID":1,"status":"locked"}`)
	if _, ok := r.directory().Secrets("chap"); ok {
		t.Error("the secrets of a locked account are found")
	}
}

func TestFullArrayTakesNoLoginsAndNoWrites(t *testing.T) {
	r := accessRig(t)
	admission, err := r.directory().Admit(nodeA, r.iqn(1))
	if err != nil {
		t.Fatal(err)
	}
	nexus := admission.LUN.Attach(scsi.InitiatorPort{Name: nodeA}, idle{})
	command := func(cdb [16]byte) scsi.Status {
		var c scsi.Command
		nexus.Prepare(&c, 0, cdb)
		return c.Run(nil, make([]byte, c.DataOut)).Status
	}
	if got := command([16]byte{0x00}); got != scsi.StatusCheckCondition { // TEST UNIT READY takes the unit attention of power on
		t.Fatalf("first command: status %#x", got)
	}
	write := func() scsi.Status { // WRITE(10) of block 0, after the unit attention of a change
		command([16]byte{0x00})
		return command([16]byte{0x2a, 8: 1})
	}
	if got := write(); got != scsi.StatusGood {
		t.Fatalf("write: status %#x", got)
	}
	r.array.volumes.SetFull(true)
	if _, err := r.directory().Admit(nodeA, r.iqn(1)); !errors.Is(err, errFull) {
		t.Errorf("login: %v", err)
	}
	if got := write(); got != scsi.StatusCheckCondition {
		t.Errorf("write: status %#x", got)
	}
	r.array.volumes.SetFull(false)
	if _, err := r.directory().Admit(nodeA, r.iqn(1)); err != nil {
		t.Errorf("login: %v", err)
	}
	if got := write(); got != scsi.StatusGood {
		t.Errorf("write: status %#x", got)
	}
}
