package sanity

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"

	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/san"
)

// byHand is a call of the array's API as its administrator makes it, past the
// driver.
func byHand(t *testing.T, array element.Config, method string, params, result any) {
	t.Helper()
	pem, err := os.ReadFile(array.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	body, err := json.Marshal(map[string]any{"method": method, "params": params, "id": 1})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, array.Endpoint, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(array.Username, array.Password)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer := struct{ Result, Error any }{Result: result}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Error != nil {
		t.Fatalf("%s: %v, %v", method, err, answer.Error)
	}
}

// policyOf makes a QoS policy on the array.
func policyOf(t *testing.T, array element.Config, name string, low, high, burst int) {
	t.Helper()
	byHand(t, array, "CreateQoSPolicy", map[string]any{"name": name, "qos": map[string]any{"minIOPS": low, "maxIOPS": high, "burstIOPS": burst}}, nil)
}

// volume is the volume as the array has it.
func (s *stack) volume(t *testing.T, id string) element.Volume {
	t.Helper()
	client, err := element.New(s.array)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	all, err := client.ListVolumes(t.Context(), element.ListVolumesRequest{VolumeIDs: []int64{handle(t, id).Volume}})
	if err != nil || len(all) != 1 {
		t.Fatalf("volume %s: %d are there, %v", id, len(all), err)
	}
	return all[0]
}

func (s *stack) modify(t *testing.T, id string, pairs ...string) error {
	t.Helper()
	_, err := csi.NewControllerClient(s.conn).ControllerModifyVolume(t.Context(), &csi.ControllerModifyVolumeRequest{
		VolumeId: id, MutableParameters: parameters(pairs...)})
	return err
}

func parameters(pairs ...string) map[string]string {
	all := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}

func qosOf(low, high, burst int64) element.QoS {
	return element.QoS{MinIOPS: low, MaxIOPS: high, BurstIOPS: burst}
}

// TestModify: a volume of 2 GiB with a floor of 500 and a ceiling of 5000, granted
// to a node, gets a VolumeAttributesClass. The change is live: the grant, its epoch
// and the volume's content marks stay. A repeated call makes no call that changes
// anything.
func TestModify(t *testing.T) {
	array := startArray(t)
	policyOf(t, array, "silver", 300, 3000, 4000)
	var changes atomic.Int64
	array.Observe = func(method string, _ error, _ time.Duration) {
		if method == "ModifyVolume" {
			changes.Add(1)
		}
	}
	s := startWith(t, array, "test", placement.Budget{CapacityIOPS: 1000})
	for name, tc := range map[string]struct {
		class  []string
		want   element.QoS
		policy bool
	}{
		"absolute":                      {[]string{"minIOPS", "600", "maxIOPS", "6000", "burstIOPS", "7000"}, qosOf(600, 6000, 7000), false},
		"one alone, the rest stays":     {[]string{"maxIOPS", "700"}, qosOf(500, 700, 15000), false},
		"per GiB":                       {[]string{"minIOPSPerGiB", "100", "maxIOPSPerGiB", "1000.5"}, qosOf(200, 2001, 15000), false},
		"per GiB, to the array's bound": {[]string{"maxIOPSPerGiB", "1000000"}, qosOf(500, 200000, 200000), false},
		"a policy":                      {[]string{"qosPolicy", "silver"}, qosOf(300, 3000, 4000), true},
		"nothing":                       {nil, qosOf(500, 5000, 15000), false},
		"beside what Kubernetes adds":   {[]string{"maxIOPS", "700", "csi.storage.k8s.io/pvc/name", "data"}, qosOf(500, 700, 15000), false},
	} {
		t.Run(name, func(t *testing.T) {
			c := csi.NewControllerClient(s.conn)
			made, err := c.CreateVolume(t.Context(), wanted(func(r *csi.CreateVolumeRequest) {
				r.CapacityRange.RequiredBytes, r.Parameters = 2*gib, parameters("minIOPS", "500", "maxIOPS", "5000")
			}))
			check(t, err, codes.OK)
			id := made.GetVolume().GetVolumeId()
			grant, err := c.ControllerPublishVolume(t.Context(), &csi.ControllerPublishVolumeRequest{
				VolumeId: id, NodeId: node, VolumeCapability: filesystemCapability()})
			check(t, err, codes.OK)
			for round := range 2 {
				before := changes.Load()
				check(t, s.modify(t, id, tc.class...), codes.OK)
				if made := changes.Load() - before; made > 1 || round > 0 && made > 0 {
					t.Errorf("call %d: %d changes on the array", round+1, made)
				}
				v := s.volume(t, id)
				if v.QoS != tc.want || (v.QoSPolicyID != nil) != tc.policy {
					t.Errorf("the array has %+v, policy %v; want %+v", v.QoS, v.QoSPolicyID, tc.want)
				}
			}
			s.checkLedger(t, "after the change", 1)
			again, err := c.ControllerPublishVolume(t.Context(), &csi.ControllerPublishVolumeRequest{
				VolumeId: id, NodeId: node, VolumeCapability: filesystemCapability()})
			check(t, err, codes.OK)
			for key, value := range grant.GetPublishContext() {
				if again.GetPublishContext()[key] != value {
					t.Errorf("the grant's %s was %q and is %q", key, value, again.GetPublishContext()[key])
				}
			}
			_, err = c.ControllerUnpublishVolume(t.Context(), &csi.ControllerUnpublishVolumeRequest{VolumeId: id})
			check(t, err, codes.OK)
			_, err = c.DeleteVolume(t.Context(), &csi.DeleteVolumeRequest{VolumeId: id})
			check(t, err, codes.OK)
		})
	}
}

// TestModifyRefused: what can never be is InvalidArgument, which the resizer takes
// as infeasible; what does not fit today is ResourceExhausted, which it tries again.
// Nothing is changed, and the class from before is taken at once.
func TestModifyRefused(t *testing.T) {
	array := startArray(t)
	policyOf(t, array, "gold", 1100, 9000, 9000)
	s := startWith(t, array, "test", placement.Budget{CapacityIOPS: 1000})
	v, err := s.create(t.Context(), "pvc-1")
	check(t, err, codes.OK)
	before := s.volume(t, v.GetVolumeId())
	for name, tc := range map[string]struct {
		class []string
		code  codes.Code
		says  []string
	}{
		"a floor over the class's ceiling":      {[]string{"minIOPS", "5001"}, codes.InvalidArgument, []string{"minIOPS", "5001", "5000"}},
		"a ceiling under the class's floor":     {[]string{"maxIOPS", "499"}, codes.InvalidArgument, []string{"minIOPS", "500", "499"}},
		"a burst under the ceiling":             {[]string{"burstIOPS", "4999"}, codes.InvalidArgument, []string{"maxIOPS", "5000", "4999"}},
		"below the array's bound":               {[]string{"minIOPS", "49"}, codes.InvalidArgument, []string{"minIOPS", `"49"`, "50"}},
		"above the array's bound":               {[]string{"maxIOPS", "200001"}, codes.InvalidArgument, []string{"maxIOPS", "200000"}},
		"no number":                             {[]string{"maxIOPS", "many"}, codes.InvalidArgument, []string{"maxIOPS", `"many"`}},
		"a policy that is not there":            {[]string{"qosPolicy", "none"}, codes.InvalidArgument, []string{"qos policy", `"none"`}},
		"a policy beside numbers":               {[]string{"qosPolicy", "gold", "maxIOPS", "100"}, codes.InvalidArgument, []string{"qosPolicy", "gold"}},
		"both forms":                            {[]string{"maxIOPS", "1000", "maxIOPSPerGiB", "10"}, codes.InvalidArgument, []string{"maxIOPS", "maxIOPSPerGiB"}},
		"an unknown key":                        {[]string{"maxiops", "1000"}, codes.InvalidArgument, []string{"maxiops", "one of"}},
		"a key of a StorageClass alone":         {[]string{"onDelete", "keep"}, codes.InvalidArgument, []string{"onDelete", "one of"}},
		"a floor past the budget":               {[]string{"minIOPS", "1001"}, codes.ResourceExhausted, []string{"501 IOPS", "500 of 1000 IOPS", `"a"`}},
		"a floor that scales past the budget":   {[]string{"minIOPSPerGiB", "1001"}, codes.ResourceExhausted, []string{"501 IOPS", "500 of 1000 IOPS"}},
		"a policy with a floor past the budget": {[]string{"qosPolicy", "gold"}, codes.ResourceExhausted, []string{"600 IOPS", "500 of 1000 IOPS"}},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, s.modify(t, v.GetVolumeId(), tc.class...), tc.code, tc.says...)
			if now := s.volume(t, v.GetVolumeId()); now.QoS != before.QoS || now.QoSPolicyID != nil || string(now.Attributes["san-csi.note"]) != string(before.Attributes["san-csi.note"]) {
				t.Errorf("it was %+v and is %+v", before.QoS, now.QoS)
			}
			s.checkLedger(t, "after a refusal", 1)
			check(t, s.modify(t, v.GetVolumeId(), "minIOPS", "500", "maxIOPS", "5000"), codes.OK)
		})
	}
	check(t, s.modify(t, "", "maxIOPS", "1000"), codes.InvalidArgument, "volume_id")
	check(t, s.modify(t, "no-handle", "maxIOPS", "1000"), codes.NotFound)
	check(t, s.modify(t, v.GetVolumeId()+"0", "maxIOPS", "1000"), codes.NotFound)
}

// TestModifyThenGrow: what a modification asked for per GiB goes on to scale, and
// what it gave as a number does not.
func TestModifyThenGrow(t *testing.T) {
	s := startWith(t, startArray(t), "test", placement.Budget{CapacityIOPS: 1000})
	v, err := s.create(t.Context(), "pvc-1")
	check(t, err, codes.OK)
	check(t, s.modify(t, v.GetVolumeId(), "maxIOPSPerGiB", "1000"), codes.OK)
	_, err = csi.NewControllerClient(s.conn).ControllerExpandVolume(t.Context(), &csi.ControllerExpandVolumeRequest{
		VolumeId: v.GetVolumeId(), CapacityRange: &csi.CapacityRange{RequiredBytes: 4 * gib}})
	check(t, err, codes.OK)
	if now := s.volume(t, v.GetVolumeId()); now.QoS != qosOf(500, 4000, 15000) {
		t.Errorf("the array has %+v", now.QoS)
	}
}

// TestModifyWhileTheArrayIsDown is for a retry.
func TestModifyWhileTheArrayIsDown(t *testing.T) {
	reached, end := startStoppable(t)
	reached.Attempts = 1
	s := startOn(t, reached)
	v, err := s.create(t.Context(), "pvc-1")
	check(t, err, codes.OK)
	end()
	check(t, s.modify(t, v.GetVolumeId(), "maxIOPS", "1000"), codes.Unavailable)
}

// TestCreateWithAttributesClass: a VolumeAttributesClass named by the claim is over
// the StorageClass, and is refused by the same codes.
func TestCreateWithAttributesClass(t *testing.T) {
	array := startArray(t)
	policyOf(t, array, "silver", 300, 3000, 4000)
	s := startWith(t, array, "test", placement.Budget{CapacityIOPS: 1000})
	for name, tc := range map[string]struct {
		class, mutable []string
		code           codes.Code
		want           element.QoS
	}{
		"over the class's value":          {[]string{"minIOPS", "500", "maxIOPS", "5000"}, []string{"maxIOPS", "700"}, codes.OK, qosOf(500, 700, 15000)},
		"in the other form":               {[]string{"maxIOPS", "5000"}, []string{"maxIOPSPerGiB", "300"}, codes.OK, qosOf(50, 300, 15000)},
		"a policy over numbers":           {[]string{"minIOPS", "500", "maxIOPS", "5000"}, []string{"qosPolicy", "silver"}, codes.OK, qosOf(300, 3000, 4000)},
		"numbers over a policy":           {[]string{"qosPolicy", "silver"}, []string{"minIOPS", "400", "maxIOPS", "4000"}, codes.OK, qosOf(400, 4000, 15000)},
		"a floor over the class's own":    {[]string{"maxIOPS", "500"}, []string{"minIOPS", "501"}, codes.InvalidArgument, element.QoS{}},
		"a floor past the budget":         {nil, []string{"minIOPS", "1001"}, codes.ResourceExhausted, element.QoS{}},
		"a key of a StorageClass alone":   {nil, []string{"account", "other"}, codes.InvalidArgument, element.QoS{}},
		"a policy that is not there":      {nil, []string{"qosPolicy", "none"}, codes.InvalidArgument, element.QoS{}},
		"nothing, which leaves the class": {[]string{"maxIOPS", "5000"}, nil, codes.OK, qosOf(50, 5000, 15000)},
	} {
		t.Run(name, func(t *testing.T) {
			c := csi.NewControllerClient(s.conn)
			for range 2 { // the second one finds what the first one made
				made, err := c.CreateVolume(t.Context(), wanted(func(r *csi.CreateVolumeRequest) {
					r.Parameters, r.MutableParameters = parameters(tc.class...), parameters(tc.mutable...)
				}))
				check(t, err, tc.code)
				if err != nil {
					return
				}
				if v := s.volume(t, made.GetVolume().GetVolumeId()); v.QoS != tc.want {
					t.Errorf("the array has %+v, want %+v", v.QoS, tc.want)
				}
				defer func() {
					_, err := c.DeleteVolume(t.Context(), &csi.DeleteVolumeRequest{VolumeId: made.GetVolume().GetVolumeId()})
					check(t, err, codes.OK)
				}()
			}
		})
	}
}

func handle(t *testing.T, id string) san.Handle {
	t.Helper()
	h, err := san.ParseHandle(id)
	if err != nil {
		t.Fatal(err)
	}
	return h
}
