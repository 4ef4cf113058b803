package santest

import (
	"testing"

	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

func promiseTests() map[string]func(*testing.T, Subject) {
	return map[string]func(*testing.T, Subject){
		"Promises/of every state":      promisesOfEveryState,
		"Usage/of those asked for":     usageOfThose,
		"InForce/is what Create gives": inForce,
	}
}

func promisesOfEveryState(t *testing.T, s Subject) {
	used, kept, purged := create(t, s.Array, "pvc-used"), createKept(t, s.Array, "pvc-kept"), create(t, s.Array, "pvc-purged")
	grant(t, s.Array, used, node(t, 1), san.Mode{})
	remove(t, s.Array, kept.Handle)
	remove(t, s.Array, purged.Handle)
	held := s.DelayCreate(t)
	if _, err := s.Array.Create(t.Context(), request("pvc-late")); err == nil {
		t.Fatal("a create that was held back succeeded")
	}
	held.Land(t)
	promises, err := s.Restart(t).Promises(t.Context())
	must(t, err)
	got := map[string]san.Promise{}
	for _, p := range promises {
		if p.Volume <= 0 || p.Owner.Cluster != used.Owner.Cluster || p.SizeBytes != GiB || p.QoS != request("").QoS.Values {
			t.Errorf("promise %+v", p)
		}
		got[p.Name] = p
	}
	counts(t, "promises", len(promises), 3)
	if p := got["pvc-used"]; p.Volume != used.Handle.Volume || !p.Claimed || p.Deleted || p.Nodes != 1 {
		t.Errorf("of a volume in use: %+v", p)
	}
	if p := got["pvc-kept"]; !p.Claimed || !p.Deleted || p.Nodes != 0 {
		t.Errorf("of a volume in the recycle bin: %+v", p)
	}
	if p := got["pvc-late"]; p.Claimed || p.Deleted {
		t.Errorf("of a volume that was never handed out: %+v", p)
	}
}

func usageOfThose(t *testing.T, s Subject) {
	a, b := create(t, s.Array, "pvc-1"), create(t, s.Array, "pvc-2")
	for _, asked := range [][]int64{nil, {a.Handle.Volume}, {a.Handle.Volume, b.Handle.Volume}} {
		usage, err := s.Array.Usage(t.Context(), asked)
		must(t, err)
		counts(t, "volumes told of", len(usage), len(asked))
		for _, id := range asked {
			if u, ok := usage[id]; !ok || u.ActualIOPS != 0 || u.Throttle < 0 || u.Throttle > 1 {
				t.Errorf("volume %d, which nobody uses: %+v", id, u)
			}
		}
	}
}

func inForce(t *testing.T, s Subject) {
	for name, q := range map[string]san.QoS{
		"nothing": {},
		"a floor": {Values: qos.Values{Min: 300}},
		"all":     {Values: qos.Values{Min: 100, Max: 1000, Burst: 2000}},
		"policy":  {Policy: s.Policy},
	} {
		want, err := s.Array.InForce(t.Context(), q)
		must(t, err)
		req := request("pvc-" + name)
		req.QoS = q
		v, err := s.Array.Create(t.Context(), req)
		must(t, err)
		if v.QoS != want || want.Min == 0 {
			t.Errorf("%s: %+v is told, the volume has %+v", name, want, v.QoS)
		}
	}
	_, err := s.Array.InForce(t.Context(), san.QoS{Policy: "no such policy"})
	wants(t, err, san.ErrInvalid, "no such policy")
}
