package api_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestAccounts(t *testing.T) {
	r := newRig(t)
	r.play([]step{
		{method: "AddAccount", params: `{"username":"Ä-tenant","attributes":{"a":"b"}}`, want: map[string]string{
			"accountID": "1", "account.status": `"active"`, "account.enableChap": "true", "account.attributes": `{"a":"b"}`,
			"account.storageContainerID": `"00000000-0000-0000-0000-000000000000"`}},
		{method: "AddAccount", params: `{"username":"Ä-tenant"}`, fails: "xDuplicateUsername"},
		{method: "AddAccount", params: `{"username":"` + strings.Repeat("n", 65) + `"}`, fails: "xExceededLimit"},
		{method: "AddAccount", params: `{"username":"b","initiatorSecret":"eleven-char"}`, fails: "xExceededLimit", message: "12 to 16"},
		{method: "AddAccount", params: `{"username":"b","targetSecret":"seventeen--------"}`, fails: "xExceededLimit", message: "12 to 16"},
		{method: "AddAccount", params: `{"username":"b","enableChap":false}`, want: map[string]string{"accountID": "2", "account.enableChap": "false"}},
		{method: "GetAccountByName", params: `{"username":"b"}`, want: map[string]string{"account.accountID": "2"}},
		{method: "GetAccountByName", params: `{"username":"B"}`, fails: "xUnknownAccount", message: "xUnknownAccount"},
		{method: "GetAccountByID", params: `{"accountID":9}`, fails: "xUnknownAccount", message: "xUnknownAccount"},
		{method: "ModifyAccount", params: `{"accountID":9}`, fails: "xAccountIDDoesNotExist", message: "Illegal AccountID 9"},
		{method: "ModifyAccount", params: `{"accountID":2,"username":"Ä-tenant"}`, fails: "xDuplicateUsername"},
		{method: "ModifyAccount", params: `{"accountID":2,"status":"gone"}`, fails: "xUnrecognizedEnumString"},
		{method: "ModifyAccount", params: `{"accountID":2,"username":"c","status":"locked"}`, want: map[string]string{"account.username": `"c"`, "account.status": `"locked"`}},
		{method: "GetAccountByName", params: `{"username":"b"}`, fails: "xUnknownAccount"},
		{method: "ModifyAccount", params: `{"accountID":1,"attributes":{}}`, want: map[string]string{"account.attributes": "{}"}},
		{method: "ListAccounts", params: `{"startAccountID":2,"limit":1}`, want: map[string]string{"accounts.#": "1", "accounts.0.accountID": "2"}},
		{method: "CreateVolume", params: `{"name":"v","accountID":2,"totalSize":1000000000}`},
		{method: "DeleteVolume", params: `{"volumeID":1}`},
		{method: "RemoveAccount", params: `{"accountID":2}`, fails: "xInvalidParameter", message: "1 volumes"},
		{method: "PurgeDeletedVolume", params: `{"volumeID":1}`},
		{method: "RemoveAccount", params: `{"accountID":2}`},
		{method: "RemoveAccount", params: `{"accountID":2}`, fails: "xAccountIDDoesNotExist"},
		{method: "AddAccount", params: `{"username":"c"}`, want: map[string]string{"accountID": "3"}},
	})
}

func TestSecretsAreKeptOrRegenerated(t *testing.T) {
	r := newRig(t)
	first := r.ok("AddAccount", `{"username":"a","initiatorSecret":null}`)
	made := at(first, "account.initiatorSecret")
	if len(made) != 18 || made == at(first, "account.targetSecret") {
		t.Fatalf("secrets %s and %s", made, at(first, "account.targetSecret"))
	}
	if got := at(r.ok("ModifyAccount", `{"accountID":1}`), "account.initiatorSecret"); got != made {
		t.Errorf("absent: %s, was %s", got, made)
	}
	if got := at(r.ok("ModifyAccount", `{"accountID":1,"initiatorSecret":null}`), "account.initiatorSecret"); got == made || len(got) != 18 {
		t.Errorf("null: %s, was %s", got, made)
	}
}

func TestAccessGroups(t *testing.T) {
	const a, b = `"iqn.2001-01.com.example:a"`, `"iqn.2001-01.com.example:b"`
	r := withVolumes(t, 3)
	r.play([]step{
		{method: "CreateVolumeAccessGroup", params: `{"name":"g","initiators":[` + a + `],"volumes":[1,2],"attributes":{"k":1}}`, want: map[string]string{
			"volumeAccessGroupID": "1", "volumeAccessGroup.initiators": "[" + a + "]", "volumeAccessGroup.initiatorIDs": "[1]",
			"volumeAccessGroup.volumes": "[1,2]", "volumeAccessGroup.attributes": `{"k":1}`}},
		{method: "ListVolumes", params: `{"volumeIDs":[1]}`, want: map[string]string{"volumes.0.volumeAccessGroups": "[1]"}},
		{method: "ListInitiators", want: map[string]string{"initiators.0.volumeAccessGroups": "[1]", "initiators.0.chapUsername": a}},
		// An initiator is in one group at most; the message names it.
		{method: "CreateVolumeAccessGroup", params: `{"name":"h","initiators":[` + a + `]}`, fails: "xExceededLimit",
			message: "Exceeded maximum number of VolumeAccessGroups per Initiator"},
		{method: "CreateVolumeAccessGroup", params: `{"name":"h","initiators":[` + a + `]}`, fails: "xExceededLimit", message: "iqn.2001-01.com.example:a"},
		{method: "CreateVolumeAccessGroup", params: `{"name":"h","volumes":[9]}`, fails: "xVolumeIDDoesNotExist"},
		{method: "CreateVolumeAccessGroup", params: `{"name":"h","initiators":[77]}`, fails: "xInitiatorDoesNotExist"},
		{method: "CreateVolumeAccessGroup", params: `{"name":"h","initiators":["not an iqn"]}`, fails: "xInvalidParameter"},
		// The same name again is another group; what failed left nothing.
		{method: "CreateVolumeAccessGroup", params: `{"name":"g"}`, want: map[string]string{"volumeAccessGroupID": "2"}},
		{method: "ListVolumeAccessGroups", want: map[string]string{"volumeAccessGroups.#": "2"}},
		{method: "AddInitiatorsToVolumeAccessGroup", params: `{"volumeAccessGroupID":1,"initiators":[` + b + `]}`,
			want: map[string]string{"volumeAccessGroup.initiators": "[" + a + "," + b + "]"}},
		{method: "AddInitiatorsToVolumeAccessGroup", params: `{"volumeAccessGroupID":9,"initiators":[` + b + `]}`,
			fails: "xVolumeAccessGroupIDDoesNotExist", message: "VolumeAccessGroupID 9 does not exist."},
		{method: "RemoveInitiatorsFromVolumeAccessGroup", params: `{"volumeAccessGroupID":1,"initiators":[` + a + `]}`,
			want: map[string]string{"volumeAccessGroup.initiators": "[" + b + "]"}},
		{method: "RemoveInitiatorsFromVolumeAccessGroup", params: `{"volumeAccessGroupID":1,"initiators":[` + a + `]}`, fails: "xNotInVolumeAccessGroup"},
		{method: "AddVolumesToVolumeAccessGroup", params: `{"volumeAccessGroupID":2,"volumes":[1,3]}`, want: map[string]string{"volumeAccessGroup.volumes": "[1,3]"}},
		{method: "ListVolumes", params: `{"volumeIDs":[1]}`, want: map[string]string{"volumes.0.volumeAccessGroups": "[1,2]"}},
		// A list with a member in it fails as a whole.
		{method: "AddVolumesToVolumeAccessGroup", params: `{"volumeAccessGroupID":2,"volumes":[2,3]}`, fails: "xAlreadyInVolumeAccessGroup"},
		{method: "RemoveVolumesFromVolumeAccessGroup", params: `{"volumeAccessGroupID":2,"volumes":[1,2]}`, fails: "xNotInVolumeAccessGroup"},
		{method: "RemoveVolumesFromVolumeAccessGroup", params: `{"volumeAccessGroupID":2,"volumes":[1]}`, want: map[string]string{"volumeAccessGroup.volumes": "[3]"}},
		{method: "ModifyVolumeAccessGroup", params: `{"volumeAccessGroupID":1,"name":"new","initiators":[` + a + `],"volumes":[3,2]}`, want: map[string]string{
			"volumeAccessGroup.name": `"new"`, "volumeAccessGroup.initiators": "[" + a + "]", "volumeAccessGroup.volumes": "[2,3]"}},
		{method: "ModifyVolumeAccessGroup", params: `{"volumeAccessGroupID":1,"volumes":[]}`, want: map[string]string{
			"volumeAccessGroup.volumes": "[]", "volumeAccessGroup.initiators": "[" + a + "]"}},
		{method: "ListVolumeAccessGroups", params: `{"volumeAccessGroups":[2,9]}`, want: map[string]string{
			"volumeAccessGroups.#": "1", "volumeAccessGroupsNotFound": "[9]"}},
		{method: "ListVolumeAccessGroups", params: `{"startVolumeAccessGroupID":2,"limit":1}`, want: map[string]string{"volumeAccessGroups.0.volumeAccessGroupID": "2"}},
		{method: "DeleteVolumeAccessGroup", params: `{"volumeAccessGroupID":1,"deleteOrphanInitiators":true}`},
		{method: "DeleteVolumeAccessGroup", params: `{"volumeAccessGroupID":1}`, fails: "xVolumeAccessGroupIDDoesNotExist"},
		{method: "ListInitiators", want: map[string]string{"initiators.#": "1", "initiators.0.initiatorName": b, "initiators.0.volumeAccessGroups": "[]"}},
		{method: "ListVolumes", params: `{"volumeIDs":[3]}`, want: map[string]string{"volumes.0.volumeAccessGroups": "[2]"}},
	})
}

func TestLUNAssignments(t *testing.T) {
	r := withVolumes(t, 3)
	r.ok("CreateVolumeAccessGroup", `{"name":"g","volumes":[1,2]}`)
	const luns = "volumeAccessGroupLunAssignments.lunAssignments"
	r.play([]step{
		{method: "GetVolumeAccessGroupLunAssignments", params: `{"volumeAccessGroupID":1}`, want: map[string]string{
			luns: `[{"lun":0,"volumeID":1},{"lun":1,"volumeID":2}]`, "volumeAccessGroupLunAssignments.deletedLunAssignments": "[]"}},
		{method: "ModifyVolumeAccessGroupLunAssignments", params: `{"volumeAccessGroupID":1,"lunAssignments":[{"volumeID":1,"lun":1}]}`, fails: "xInvalidParameter", message: "lun 1"},
		{method: "ModifyVolumeAccessGroupLunAssignments", params: `{"volumeAccessGroupID":1,"lunAssignments":[{"volumeID":1,"lun":16384}]}`, fails: "xExceededLimit"},
		{method: "ModifyVolumeAccessGroupLunAssignments", params: `{"volumeAccessGroupID":1,"lunAssignments":[{"volumeID":3,"lun":5}]}`, fails: "xNotInVolumeAccessGroup"},
		{method: "ModifyVolumeAccessGroupLunAssignments", params: `{"volumeAccessGroupID":1,"lunAssignments":[{"volumeID":1,"lun":1},{"volumeID":2,"lun":0}]}`,
			want: map[string]string{luns: `[{"lun":1,"volumeID":1},{"lun":0,"volumeID":2}]`}},
		{method: "AddVolumesToVolumeAccessGroup", params: `{"volumeAccessGroupID":1,"volumes":[3]}`},
		{method: "DeleteVolume", params: `{"volumeID":2}`},
		{method: "GetVolumeAccessGroupLunAssignments", params: `{"volumeAccessGroupID":1}`, want: map[string]string{
			luns: `[{"lun":1,"volumeID":1},{"lun":2,"volumeID":3}]`, "volumeAccessGroupLunAssignments.deletedLunAssignments": `[{"lun":0,"volumeID":2}]`}},
	})
}

func TestInitiators(t *testing.T) {
	r := newRig(t)
	r.ok("CreateVolumeAccessGroup", `{"name":"g"}`)
	r.ok("CreateVolumeAccessGroup", `{"name":"h"}`)
	r.play([]step{
		{method: "CreateInitiators", params: `{"initiators":[{"name":"iqn.2001-01.com.example:a","alias":"A","volumeAccessGroupID":1,"requireChap":true,"chapUsername":"me"},{"name":"eui.0123456789abcdef"}]}`,
			want: map[string]string{"initiators.#": "2", "initiators.0.volumeAccessGroups": "[1]", "initiators.0.requireChap": "true",
				"initiators.0.chapUsername": `"me"`, "initiators.1.requireChap": "false", "initiators.1.volumeAccessGroups": "[]", "initiators.1.virtualNetworkIDs": "[]"}},
		{method: "CreateInitiators", params: `{"initiators":[{"name":"iqn.2001-01.com.example:c"},{"name":"iqn.2001-01.com.example:a"}]}`, fails: "xInitiatorExists"},
		{method: "CreateInitiators", params: `{"initiators":[{"name":"iqn.2001-01.com.example:c"},{"name":"iqn.2001-01.com.example:c"}]}`, fails: "xInitiatorExists"},
		{method: "CreateInitiators", params: `{"initiators":[{"name":"iqn.2001-01.com.example:c_d"}]}`, fails: "xInvalidParameter"},
		{method: "CreateInitiators", params: `{"initiators":[{"name":"iqn.2001-01.com.example:c","volumeAccessGroupID":9}]}`, fails: "xVolumeAccessGroupIDDoesNotExist"},
		{method: "CreateInitiators", params: `{"initiators":[{"name":"iqn.2001-01.com.example:` + strings.Repeat("x", 224) + `"}]}`, fails: "xExceededLimit"},
		{method: "CreateInitiators", params: `{"initiators":[{"name":"iqn.2001-01.com.example:c","alias":"` + strings.Repeat("x", 225) + `"}]}`, fails: "xExceededLimit"},
		{method: "ListInitiators", want: map[string]string{"initiators.#": "2"}},
		{method: "ModifyInitiators", params: `{"initiators":[{"initiatorID":1,"volumeAccessGroupID":2,"alias":""}]}`,
			want: map[string]string{"initiators.0.volumeAccessGroups": "[2]", "initiators.0.alias": `""`, "initiators.0.chapUsername": `"me"`}},
		{method: "ModifyInitiators", params: `{"initiators":[{"initiatorID":1,"alias":"B"}]}`, want: map[string]string{"initiators.0.volumeAccessGroups": "[2]"}},
		{method: "ListVolumeAccessGroups", want: map[string]string{"volumeAccessGroups.0.initiatorIDs": "[]", "volumeAccessGroups.1.initiatorIDs": "[1]"}},
		{method: "ModifyInitiators", params: `{"initiators":[{"initiatorID":2,"alias":"z"},{"initiatorID":9}]}`, fails: "xInitiatorDoesNotExist"},
		{method: "ListInitiators", params: `{"initiators":[2]}`, want: map[string]string{"initiators.#": "1", "initiators.0.alias": `""`}},
		{method: "ModifyInitiators", params: `{"initiators":[{"initiatorID":1,"volumeAccessGroupID":null}]}`, want: map[string]string{"initiators.0.volumeAccessGroups": "[]"}},
		{method: "ListInitiators", params: `{"startInitiatorID":2,"limit":5}`, want: map[string]string{"initiators.#": "1", "initiators.0.initiatorID": "2"}},
		{method: "DeleteInitiators", params: `{"initiators":[1,9]}`, fails: "xInitiatorDoesNotExist"},
		{method: "DeleteInitiators", params: `{"initiators":[1]}`},
		{method: "ListInitiators", params: `{"initiators":[1]}`, want: map[string]string{"initiators": "[]"}},
	})
}

func TestMembersPerGroupAreLimited(t *testing.T) {
	var names []string
	for i := range 129 {
		names = append(names, fmt.Sprintf(`"iqn.2001-01.com.example:n%d"`, i))
	}
	newRig(t).play([]step{
		{method: "CreateVolumeAccessGroup", params: `{"name":"g","initiators":[` + strings.Join(names[:128], ",") + `]}`,
			want: map[string]string{"volumeAccessGroup.initiators.#": "128"}},
		{method: "AddInitiatorsToVolumeAccessGroup", params: `{"volumeAccessGroupID":1,"initiators":[` + names[128] + `]}`, fails: "xExceededLimit", message: "128"},
		{method: "ListInitiators", want: map[string]string{"initiators.#": "128"}},
	})
}
