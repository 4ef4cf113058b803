package iscsi

import (
	"testing"
)

func TestLoginStatus(t *testing.T) {
	for _, tt := range []struct {
		name     string
		flags    byte
		pairs    []pair
		required bool
		want     uint16
	}{
		{"straight to full feature phase", 0x87, named(), false, 0},
		{"from the security stage", 0x83, named(pair{"AuthMethod", "None"}), false, 0},
		{"CHAP,None without need", 0x83, named(pair{"AuthMethod", "CHAP,None"}), false, 0},
		{"upper-case name", 0x87, []pair{{"InitiatorName", "IQN.1993-08.ORG.DEBIAN:01:ABC"}, {"TargetName", testTarget}}, false, 0},
		{"no initiator name", 0x87, []pair{{"TargetName", testTarget}}, false, loginMissingParameter},
		{"no target name", 0x87, []pair{{"InitiatorName", testInitiator}}, false, loginMissingParameter},
		{"no such name", 0x87, []pair{{"InitiatorName", "bob"}, {"TargetName", testTarget}}, false, loginInitiatorError},
		{"no such target", 0x87, []pair{{"InitiatorName", testInitiator}, {"TargetName", "iqn.2010-01.com.solidfire:none"}}, false, loginNotFound},
		{"not allowed", 0x87, []pair{{"InitiatorName", "iqn.2001-04.com.example:other"}, {"TargetName", testTarget}}, false, loginForbidden},
		{"session type", 0x87, named(pair{"SessionType", "Other"}), false, loginSessionType},
		{"key twice", 0x87, named(pair{"InitialR2T", "No"}, pair{"InitialR2T", "No"}), false, loginInitiatorError},
		{"None where CHAP is required", 0x83, named(pair{"AuthMethod", "None"}), true, loginAuthFailed},
		{"security skipped where required", 0x87, named(), true, loginAuthFailed},
		{"nothing offered where required", 0x83, named(), true, loginAuthFailed},
		{"unknown method", 0x83, named(pair{"AuthMethod", "KRB5"}), false, loginAuthFailed},
		{"transit backwards", 0x84, named(), false, loginInvalidRequest},
		{"transit to stage 2", 0x86, named(), false, loginInvalidRequest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := serve(t, Options{})
			p.directory.forbidden["iqn.2001-04.com.example:other"] = true
			p.directory.admission.Required = tt.required
			i := p.dial(t)
			if i.step(tt.flags, tt.pairs...); i.status != tt.want {
				t.Errorf("status %#04x, want %#04x", i.status, tt.want)
			}
		})
	}
}

func TestNegotiation(t *testing.T) {
	for _, tt := range []struct{ key, offer, want string }{
		{"HeaderDigest", "CRC32C,None", "CRC32C"},
		{"HeaderDigest", "None,CRC32C", "None"},
		{"DataDigest", "SHA9", "Reject"},
		{"InitialR2T", "No", "No"},
		{"InitialR2T", "Yes", "Yes"},
		{"ImmediateData", "No", "No"},
		{"ImmediateData", "maybe", "Reject"},
		{"MaxBurstLength", "16776192", "1048576"},
		{"MaxBurstLength", "511", "Reject"},
		{"FirstBurstLength", "0x1000", "4096"},
		{"MaxOutstandingR2T", "65535", "4"},
		{"MaxConnections", "8", "1"},
		{"ErrorRecoveryLevel", "2", "0"},
		{"DefaultTime2Wait", "2", "2"},
		{"DefaultTime2Retain", "20", "0"},
		{"DataPDUInOrder", "No", "Yes"},
		{"IFMarker", "Yes", "No"},
		{"OFMarkInt", "1~2", "Reject"},
		{"X-com.example.key", "1", "NotUnderstood"},
	} {
		p := defaults()
		if got, reply := p.answer(tt.key, tt.offer); !reply || got != tt.want {
			t.Errorf("%s=%s: %q, %v; want %q", tt.key, tt.offer, got, reply, tt.want)
		}
	}
}

func TestReinstatementEndsTheOldSession(t *testing.T) {
	p := serve(t, Options{})
	old := p.dial(t).login()
	first := p.server.Sessions()[0]
	p.dial(t).login()
	old.gone()
	list := p.server.Sessions()
	if len(list) != 1 || list[0].ID == first.ID || list[0].TSIH == first.TSIH {
		t.Errorf("sessions %+v after %+v", list, first)
	}
}

// The directory is asked again once the session is listed: what it says then
// holds, whatever the initiator proved before.
func TestAccessThatChangesDuringTheLogin(t *testing.T) {
	p := serve(t, Options{})
	changed := *p.directory.admission
	changed.Required, changed.CHAP = true, &CHAP{User: "tenant", Initiator: "secretsecret"}
	p.directory.next = &changed
	i := p.dial(t)
	if i.step(0x87, named()...); i.status != loginAuthFailed {
		t.Errorf("status %#04x, want %#04x", i.status, loginAuthFailed)
	}
	if list := p.server.Sessions(); len(list) > 0 {
		t.Errorf("sessions %+v", list)
	}
}
