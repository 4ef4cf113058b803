package element

import (
	"context"
	"strings"
	"testing"
)

// TestMethods holds what each method sends and reads.
func TestMethods(t *testing.T) {
	cases := map[string]struct {
		call   func(context.Context, *Client) (any, error)
		params string
		answer string
		want   any
	}{
		"ModifyVolume": {func(ctx context.Context, c *Client) (any, error) {
			v, err := c.ModifyVolume(ctx, ModifyVolumeRequest{VolumeID: 3, Access: AccessLocked})
			return v.Access, err
		}, `{"volumeID":3,"access":"locked"}`, `{"volume":{"volumeID":3,"access":"locked"}}`, AccessLocked},
		"ListVolumes": {func(ctx context.Context, c *Client) (any, error) {
			v, err := c.ListVolumes(ctx, ListVolumesRequest{Accounts: []int64{1}, VolumeName: "v", VolumeStatus: StatusActive})
			return len(v), err
		}, `{"accounts":[1],"volumeName":"v","volumeStatus":"active"}`, `{"volumes":[{"volumeID":1,"attributes":""},{"volumeID":2,"attributes":null}]}`, 2},
		"DeleteVolume": {func(ctx context.Context, c *Client) (any, error) {
			v, err := c.DeleteVolume(ctx, 3)
			return v.Status, err
		}, `{"volumeID":3}`, `{"volume":{"volumeID":3,"status":"deleted"},"volumeID":3}`, StatusDeleted},
		"DeleteVolumes": {func(ctx context.Context, c *Client) (any, error) {
			v, err := c.DeleteVolumes(ctx, []int64{3, 4})
			return len(v), err
		}, `{"volumeIDs":[3,4]}`, `{"volumes":[{"volumeID":3},{"volumeID":4}]}`, 2},
		"RestoreDeletedVolume": {func(ctx context.Context, c *Client) (any, error) { return nil, c.RestoreDeletedVolume(ctx, 3) },
			`{"volumeID":3}`, `{}`, nil},
		"PurgeDeletedVolume": {func(ctx context.Context, c *Client) (any, error) { return nil, c.PurgeDeletedVolume(ctx, 3) },
			`{"volumeID":3}`, `{}`, nil},
		"CreateVolumeAccessGroup": {func(ctx context.Context, c *Client) (any, error) {
			g, err := c.CreateVolumeAccessGroup(ctx, CreateVolumeAccessGroupRequest{Name: "g", Initiators: []string{"iqn.x"}})
			return g.ID, err
		}, `{"name":"g","initiators":["iqn.x"]}`, `{"volumeAccessGroup":{"volumeAccessGroupID":9}}`, int64(9)},
		"ListVolumeAccessGroups": {func(ctx context.Context, c *Client) (any, error) {
			g, err := c.ListVolumeAccessGroups(ctx, ListVolumeAccessGroupsRequest{IDs: []int64{9}})
			return g[0].Initiators[0], err
		}, `{"volumeAccessGroups":[9]}`, `{"volumeAccessGroups":[{"initiators":["iqn.x"]}]}`, "iqn.x"},
		"AddVolumesToVolumeAccessGroup": {func(ctx context.Context, c *Client) (any, error) {
			g, err := c.AddVolumesToVolumeAccessGroup(ctx, 9, 3)
			return g.ID, err
		}, `{"volumeAccessGroupID":9,"volumes":[3]}`, `{"volumeAccessGroup":{"volumeAccessGroupID":9}}`, int64(9)},
		"RemoveVolumesFromVolumeAccessGroup": {func(ctx context.Context, c *Client) (any, error) {
			g, err := c.RemoveVolumesFromVolumeAccessGroup(ctx, 9, 3)
			return g.ID, err
		}, `{"volumeAccessGroupID":9,"volumes":[3]}`, `{"volumeAccessGroup":{"volumeAccessGroupID":9}}`, int64(9)},
		"DeleteVolumeAccessGroup": {func(ctx context.Context, c *Client) (any, error) {
			return nil, c.DeleteVolumeAccessGroup(ctx, 9, true)
		}, `{"volumeAccessGroupID":9,"deleteOrphanInitiators":true}`, `{}`, nil},
		"GetAccountByName": {func(ctx context.Context, c *Client) (any, error) {
			a, err := c.GetAccountByName(ctx, "k8s")
			return a.AccountID, err
		}, `{"username":"k8s"}`, `{"account":{"accountID":4}}`, int64(4)},
		"AddAccount": {func(ctx context.Context, c *Client) (any, error) { return c.AddAccount(ctx, "k8s") },
			`{"username":"k8s","enableChap":false}`, `{"accountID":4}`, int64(4)},
		"GetClusterInfo": {func(ctx context.Context, c *Client) (any, error) { return c.GetClusterInfo(ctx) },
			`{}`, `{"clusterInfo":{"name":"a","uniqueID":"3eeu","svip":"10.0.0.1"}}`, ClusterInfo{Name: "a", UniqueID: "3eeu", SVIP: "10.0.0.1"}},
		"GetClusterCapacity": {func(ctx context.Context, c *Client) (any, error) { return c.GetClusterCapacity(ctx) },
			`{}`, `{"clusterCapacity":{"maxIOPS":5,"maxOverProvisionableSpace":6}}`, ClusterCapacity{MaxIOPS: 5, MaxOverProvisionableSpace: 6}},
		"GetLimits": {func(ctx context.Context, c *Client) (any, error) { return c.GetLimits(ctx) },
			`{}`, `{"volumeSizeMin":1,"volumeBurstIOPSMax":2}`, Limits{VolumeSizeMin: 1, VolumeBurstIOPSMax: 2}},
		"GetDefaultQoS": {func(ctx context.Context, c *Client) (any, error) { return c.GetDefaultQoS(ctx) },
			`{}`, `{"minIOPS":50,"maxIOPS":15000,"burstIOPS":15000,"curve":{"4096":100}}`, QoS{50, 15000, 15000}},
		"ListISCSISessions": {func(ctx context.Context, c *Client) (any, error) {
			s, err := c.ListISCSISessions(ctx)
			return s[0], err
		}, `{}`, `{"sessions":[{"sessionID":1,"initiatorName":"iqn.x","volumeID":3,"initiator":null}]}`, Session{SessionID: 1, InitiatorName: "iqn.x", VolumeID: 3}},
		"ListVolumeStats": {func(ctx context.Context, c *Client) (any, error) {
			s, err := c.ListVolumeStats(ctx, 3, 4)
			return s[0], err
		}, `{"volumeIDs":[3,4]}`, `{"volumeStats":[{"volumeID":3,"actualIOPS":70,"throttle":0.5,"asyncDelay":null}]}`, VolumeStats{3, 70, 0.5}},
		"CreateSnapshot": {func(ctx context.Context, c *Client) (any, error) {
			s, err := c.CreateSnapshot(ctx, CreateSnapshotRequest{VolumeID: 3, Name: "s"})
			return s.SnapshotUUID, err
		}, `{"volumeID":3,"name":"s"}`, `{"snapshotID":5,"snapshot":{"snapshotID":5,"snapshotUUID":"u"}}`, "u"},
		"ListSnapshots": {func(ctx context.Context, c *Client) (any, error) {
			s, err := c.ListSnapshots(ctx, ListSnapshotsRequest{VolumeID: 3})
			return s[0].GroupID, err
		}, `{"volumeID":3}`, `{"snapshots":[{"snapshotID":5,"groupID":7,"attributes":null}]}`, int64(7)},
		"ModifySnapshot": {func(ctx context.Context, c *Client) (any, error) { return nil, c.RenameSnapshot(ctx, 5, "s") },
			`{"snapshotID":5,"name":"s"}`, `{"snapshot":{}}`, nil},
		"DeleteSnapshot": {func(ctx context.Context, c *Client) (any, error) { return nil, c.DeleteSnapshot(ctx, 5) },
			`{"snapshotID":5}`, `{}`, nil},
		"CreateGroupSnapshot": {func(ctx context.Context, c *Client) (any, error) {
			g, err := c.CreateGroupSnapshot(ctx, CreateGroupSnapshotRequest{Volumes: []int64{3, 4}, Name: "g"})
			return len(g.Members), err
		}, `{"volumes":[3,4],"name":"g"}`, `{"groupSnapshot":{"groupSnapshotID":7,"members":[{"snapshotID":5},{"snapshotID":6}]}}`, 2},
		"ListGroupSnapshots": {func(ctx context.Context, c *Client) (any, error) {
			g, err := c.ListGroupSnapshots(ctx, ListGroupSnapshotsRequest{})
			return g[0].GroupSnapshotID, err
		}, `{}`, `{"groupSnapshots":[{"groupSnapshotID":7,"attributes":""}]}`, int64(7)},
		"ModifyGroupSnapshot": {func(ctx context.Context, c *Client) (any, error) { return nil, c.RenameGroupSnapshot(ctx, 7, "g") },
			`{"groupSnapshotID":7,"name":"g"}`, `{"groupSnapshot":{}}`, nil},
		"DeleteGroupSnapshot": {func(ctx context.Context, c *Client) (any, error) { return nil, c.DeleteGroupSnapshot(ctx, 7) },
			`{"groupSnapshotID":7,"saveMembers":false}`, `{}`, nil},
		"CloneVolume": {func(ctx context.Context, c *Client) (any, error) {
			return c.CloneVolume(ctx, CloneVolumeRequest{VolumeID: 3, SnapshotID: 5, Name: "v", NewSize: 1 << 30})
		}, `{"volumeID":3,"snapshotID":5,"name":"v","newSize":1073741824}`, `{"volumeID":4,"cloneID":8,"asyncHandle":9}`, Clone{4, 9}},
		"GetAsyncResult": {func(ctx context.Context, c *Client) (any, error) { return c.GetAsyncResult(ctx, 9) },
			`{"asyncHandle":9,"keepResult":true}`, `{"status":"complete","result":{"volumeID":4}}`, true},
		"ModifyVolumeAccessGroup": {func(ctx context.Context, c *Client) (any, error) {
			return nil, c.ModifyVolumeAccessGroup(ctx, 9, Attributes{"k": []byte(`"v"`)})
		}, `{"volumeAccessGroupID":9,"attributes":{"k":"v"}}`, `{"volumeAccessGroup":{}}`, nil},
		"ListInitiators": {func(ctx context.Context, c *Client) (any, error) {
			i, err := c.ListInitiators(ctx, 5)
			return string(i[0].InitiatorSecret) + string(i[0].TargetSecret), err
		}, `{"initiators":[5]}`, `{"initiators":[{"initiatorID":5,"initiatorSecret":"one","targetSecret":"two","attributes":null}]}`, "onetwo"},
		"ModifyInitiators": {func(ctx context.Context, c *Client) (any, error) {
			return nil, c.ModifyInitiator(ctx, ModifyInitiatorRequest{ID: 5, CHAPUsername: "u", InitiatorSecret: "s", RequireCHAP: new(false)})
		}, `{"initiators":[{"initiatorID":5,"chapUsername":"u","initiatorSecret":"s","requireChap":false}]}`, `{"initiators":[]}`, nil},
		"ListQoSPolicies": {func(ctx context.Context, c *Client) (any, error) {
			p, err := c.ListQoSPolicies(ctx)
			return p[0], err
		}, `{}`, `{"qosPolicies":[{"qosPolicyID":2,"name":"gold","qos":{"minIOPS":50}}]}`, QoSPolicy{2, "gold", QoS{MinIOPS: 50}}},
	}
	for method, tc := range cases {
		t.Run(method, func(t *testing.T) {
			c, a, _ := serve(t, result(tc.answer))
			got, err := tc.call(t.Context(), c)
			if err != nil || got != tc.want {
				t.Fatalf("got %+v, %v; want %+v", got, err, tc.want)
			}
			if want := `{"method":"` + method + `","params":` + tc.params + `,"id":`; !strings.HasPrefix(a.bodies[0], want) {
				t.Errorf("sent %s; want %s", a.bodies[0], want)
			}
		})
	}
}

// TestAsyncResult: a job that failed is complete as well, and is told by its
// error, which has a name and no code.
func TestAsyncResult(t *testing.T) {
	for name, tc := range map[string]struct {
		answer string
		done   bool
		failed string
	}{
		"running": {`{"status":"running","details":{}}`, false, ""},
		"done":    {`{"status":"complete","result":{"volumeID":4}}`, true, ""},
		"failed":  {`{"status":"complete","error":{"name":"xSliceNotRegistered","message":"m"}}`, true, "xSliceNotRegistered"},
	} {
		t.Run(name, func(t *testing.T) {
			c, _, _ := serve(t, result(tc.answer))
			done, err := c.GetAsyncResult(t.Context(), 9)
			if done != tc.done || (err != nil) != (tc.failed != "") || err != nil && !IsName(err, tc.failed) {
				t.Errorf("got %t, %v", done, err)
			}
		})
	}
}
