//go:build guest

package node

import (
	"context"
	"maps"
	"strings"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"

	"github.com/san-csi/san-csi/pkg/chap"
	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
	"github.com/san-csi/san-csi/tests/lab"
)

// testCHAP: volumes of an array that asks for CHAP, one-way and mutual.
func testCHAP(t *testing.T, b *bench) {
	for _, c := range []struct{ mode, direction string }{{"node", "one-way"}, {"node-mutual", "two-way"}} {
		t.Run(c.mode, func(t *testing.T) {
			b.asks(t, map[string]any{"chap": c.mode})
			v := b.volume(t, "pvc-chap", mounted("ext4"), nil)
			calls := b.watchIscsiadm(t)
			must(t, v.stage, v.publish)
			if did := calls(); len(did) != 3 {
				t.Errorf("%d calls of iscsiadm for a first attach by one portal, at most 3: %q", len(did), did)
			}
			sum := v.write(t)
			s := b.sessions(t)
			if len(s) != 1 || s[0].Authentication.Method != "CHAP" || s[0].Authentication.Direction != c.direction || s[0].Authentication.Algorithm != "SHA3-256" {
				t.Errorf("sessions of the array: %+v", s)
			}
			must(t, v.unpublish, v.unstage, v.stage, v.publish)
			v.checkSum(t, sum)
			b.checkNoSecret(t, v, calls())
		})
	}
}

// testWrongSecret: refused while the array asks for another secret, and by
// whoever does not have this node's key; the retry succeeds.
func testWrongSecret(t *testing.T, b *bench) {
	b.asks(t, map[string]any{"chap": "node"})
	v := b.volume(t, "pvc-secret", mounted("ext4"), nil)
	i := b.initiator(t)
	b.setSecret(t, i.ID, "anothersecret01")
	refused(t, v.stage, codes.Unavailable, "exit code 24")
	if left := b.sh(t, "ls /sys/class/iscsi_session"); left != "" {
		t.Errorf("sessions after a wrong secret: %s", left)
	}
	b.setSecret(t, i.ID, i.InitiatorSecret)
	must(t, v.stage, v.unstage)

	stolen := maps.Clone(v.grant)
	stolen["chap"] = sealedToAnother(t, v.grant["iqn"], i.Name)
	refused(t, func(ctx context.Context) error { return v.stageWith(ctx, stolen) }, codes.FailedPrecondition, "sealed to key")
	other := b.volume(t, "pvc-secret-2", mounted("ext4"), nil)
	swapped := maps.Clone(v.grant)
	swapped["chap"] = other.grant["chap"]
	refused(t, func(ctx context.Context) error { return v.stageWith(ctx, swapped) }, codes.FailedPrecondition, "another volume")
	none := maps.Clone(v.grant)
	delete(none, "chap")
	refused(t, func(ctx context.Context) error { return v.stageWith(ctx, none) }, codes.Unavailable, "exit code 24")
	must(t, v.stage)

	keyless := *v
	keyless.b = &bench{lab: b.lab, node: b.node, id: b.id[:strings.LastIndex(b.id, "#")]}
	refused(t, keyless.publishTo, codes.FailedPrecondition, "no public key")
}

// sealedToAnother are credentials for the right volume and initiator, sealed to a
// key that is not this node's.
func sealedToAnother(t *testing.T, target, initiator string) string {
	t.Helper()
	key, err := chap.OpenKey(t.TempDir() + "/key")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := chap.Seal(key.Public(), chap.Credentials{Username: "u", Secret: "anothersecret01"}, chap.Binding{Target: target, Initiator: initiator})
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// startedByIscsiadm is for a guest without systemd, which Debian's file names.
const startedByIscsiadm = `sed -i 's|^iscsid.startup.*|iscsid.startup = /sbin/iscsid|' /etc/iscsi/iscsid.conf`

// testRotation: a new secret while a volume is mounted. Its session goes on, and
// logs in again with the new one after the array was away, and after iscsid was
// killed; nothing is lost.
func testRotation(t *testing.T, b *bench) {
	b.sh(t, startedByIscsiadm)
	b.asks(t, map[string]any{"chap": "node-mutual", "chapRotation": "1ms"})
	v := b.volume(t, "pvc-rotate", mounted("ext4"), nil)
	must(t, v.stage, v.publish)
	sum, before, session := v.write(t), b.initiator(t), v.session(t)
	second := b.volume(t, "pvc-rotate-2", mounted("ext4"), nil)
	after := b.initiator(t)
	if after.InitiatorSecret == before.InitiatorSecret || after.TargetSecret == before.TargetSecret {
		t.Fatal("the grant of another volume did not bring a new secret")
	}
	must(t, second.stage)
	if now := v.session(t); now != session {
		t.Errorf("the session was %s and is %s", session, now)
	}
	want := strings.TrimSpace(string(after.InitiatorSecret) + " " + string(after.TargetSecret))
	if got := strings.TrimSpace(b.sh(t, "cd /sys/class/iscsi_session/"+session+"; echo $(cat password password_in)")); got != want {
		t.Error("the kernel's session does not have the new secrets")
	}
	if got := strings.TrimSpace(b.sh(t, `find /etc/iscsi/nodes /var/lib/iscsi/nodes -path '*`+v.grant["iqn"]+`*' -type f 2>/dev/null |
xargs sed -n 's/^node.session.auth.password\(_in\)* = //p' | xargs`)); got != want {
		t.Error("the node record does not have the new secrets")
	}
	v.checkSum(t, sum)

	for _, loss := range []struct {
		name string
		do   func(*testing.T)
	}{
		{"the array was away", func(t *testing.T) {
			if err := b.lab.Array.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := b.lab.Array.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		}},
		{"iscsid was killed", func(t *testing.T) { b.sh(t, "killall -9 iscsid; usleep 500000; iscsid") }},
	} {
		t.Run(loss.name, func(t *testing.T) {
			loss.do(t)
			b.awaitLogins(t)
			b.sh(t, "dd if=/dev/zero of="+v.target+"/more bs=64k count=16 oflag=direct conv=fsync 2>/dev/null")
			if now := v.session(t); now != session {
				t.Errorf("the session was %s and is %s", session, now)
			}
			v.checkSum(t, sum)
		})
	}
	// What was attached before the rotation still has the former secret in its
	// publish context.
	must(t, v.unpublish, v.unstage, v.stage, v.publish)
	v.checkSum(t, sum)
	b.checkNoSecret(t, v, nil)
}

// testOwnInitiator: under a name of the driver's own, beside the host's.
func testOwnInitiator(t *testing.T, b *bench) {
	host := b.id
	b.sh(t, "[ -s /etc/machine-id ] || tr -dc a-f0-9 </dev/urandom | head -c 32 >/etc/machine-id")
	if err := b.node.StartDriver(t.Context(), "--initiator=own"); err != nil {
		t.Fatal(err)
	}
	b.rename(t)
	own, err := san.ParseNode(b.id)
	if err != nil || !strings.HasPrefix(own.IQN, "iqn.2026-01.io.san-csi:") || own.Key == "" {
		t.Fatalf("the node is %q, %v; was %q", b.id, err, host)
	}
	b.asks(t, map[string]any{"chap": "node"})
	if again, err := san.ParseNode(b.id); err != nil || again != own {
		t.Errorf("after a restart the node is %v, was %v; %v", again, own, err)
	}
	foreign := b.hostVolume(t, host)
	before := foreign.state(t)
	v := b.volume(t, "pvc-own", mounted("ext4"), nil)
	must(t, v.stage, v.publish)
	sum := v.write(t)
	s := v.session(t)
	if got := strings.Fields(b.sh(t, "cd /sys/class/iscsi_session/"+s+"; echo $(cat initiatorname ifacename)")); len(got) != 2 || got[0] != own.IQN || got[1] != "san-csi" {
		t.Errorf("the session's initiator and interface are %q", got)
	}
	must(t, v.unpublish, v.unstage, v.stage, v.publish)
	v.checkSum(t, sum)
	must(t, v.unpublish, v.unstage)
	if after := foreign.state(t); after != before {
		t.Errorf("the host's own volume is now\n%s\nwas\n%s", after, before)
	}
}

// hostVolume is a volume in a group that an administrator made for the host's own
// initiator, logged in and mounted by hand.
func (b *bench) hostVolume(t *testing.T, host string) *other {
	t.Helper()
	ctx := t.Context()
	account, err := b.lab.Element.GetAccountByName(ctx, "by-hand")
	if err != nil {
		if account.AccountID, err = b.lab.Element.AddAccount(ctx, "by-hand"); err != nil {
			t.Fatal(err)
		}
	}
	made, err := b.lab.Element.CreateVolume(ctx, element.CreateVolumeRequest{Name: "of-the-host", AccountID: account.AccountID, TotalSize: gib, Enable512e: true})
	if err != nil {
		t.Fatal(err)
	}
	iqn, _, _ := strings.Cut(host, "#")
	g, err := b.lab.Element.CreateVolumeAccessGroup(ctx, element.CreateVolumeAccessGroupRequest{Name: "of-the-host", Initiators: []string{iqn}, Volumes: []int64{made.VolumeID}})
	if err != nil {
		t.Fatal(err)
	}
	o := &other{b: b, iqn: made.IQN}
	t.Cleanup(func() {
		o.undo(t, g.ID, made.VolumeID)
		if err := b.lab.Element.DeleteVolumeAccessGroup(context.Background(), g.ID, true); err != nil {
			t.Error(err)
		}
	})
	b.sh(t, "target="+made.IQN+" portal="+b.lab.Array.Portal()+"\n"+lab.LogIn+"\nmkfs.ext4 -q $d && mkdir -p /mnt/by-hand && mount $d /mnt/by-hand && echo kept > /mnt/by-hand/file && sync")
	return o
}

// rename asks the driver anew who the node is, until the test ends.
func (b *bench) rename(t *testing.T) {
	t.Helper()
	former := b.id
	info, err := csi.NewNodeClient(b.node.Conn).NodeGetInfo(t.Context(), &csi.NodeGetInfoRequest{})
	if err != nil {
		t.Fatal(err)
	}
	b.id = info.GetNodeId()
	t.Cleanup(func() { b.id = former })
}
