package santest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

func createTests() map[string]func(*testing.T, Subject) {
	return map[string]func(*testing.T, Subject){
		"Create/is idempotent":                createIsIdempotent,
		"Create/tells what was made":          createTells,
		"Create/100 at once make one":         createAtOnce,
		"Create/odd names do not meet":        createOddNames,
		"Create/refuses bad requests":         createRefuses,
		"Create/refuses another shape":        createOtherShape,
		"Create/takes a policy":               createPolicy,
		"Create/partial QoS":                  createPartialQoS,
		"Create/rounds sizes up":              createRounds,
		"Create/landing late, then retried":   createLandsBeforeRetry,
		"Create/landing after the retry":      createLandsAfterRetry,
		"Create/landing after the deletion":   createLandsAfterDelete,
		"Create/cut off between two calls":    createOfDeadCaller,
		"Create/longest name, note and owner": createLongest,
	}
}

func createIsIdempotent(t *testing.T, s Subject) {
	first := create(t, s.Array, "pvc-1")
	for _, a := range []san.Array{s.Array, s.Restart(t)} {
		if again := create(t, a, "pvc-1"); again.Handle != first.Handle {
			t.Errorf("the same name gives %v, then %v", first.Handle, again.Handle)
		}
	}
	counts(t, "volumes", s.Volumes(t), 1)
}

func createTells(t *testing.T, s Subject) {
	req := request("pvc-1")
	req.Note = `asked="min 100"`
	v, err := s.Array.Create(t.Context(), req)
	must(t, err)
	id, err := s.Array.Identity(t.Context())
	must(t, err)
	if v.Handle.Array != id.UniqueID || v.Handle.Volume <= 0 || len(v.Handle.UUID) != 8 {
		t.Errorf("handle %+v on array %+v", v.Handle, id)
	}
	if v.Name != "pvc-1" || v.SizeBytes != GiB || v.QoS != req.QoS.Values || v.Policy != "" || v.Note != req.Note {
		t.Errorf("volume %+v for request %+v", v, req)
	}
	if v.Owner.Cluster == "" || v.Owner.PVC != req.Owner.PVC || v.Owner.PV != req.Owner.PV || v.Owner.StorageClass != req.Owner.StorageClass {
		t.Errorf("owner %+v; want %+v in a cluster", v.Owner, req.Owner)
	}
	if len(v.NAA) != 32 || strings.Trim(v.NAA, "0123456789abcdef") != "" || !v.Blank || len(v.Nodes) != 0 {
		t.Errorf("NAA %q, blank %t, nodes %v; want 32 hex digits, blank, none", v.NAA, v.Blank, v.Nodes)
	}
	parsed, err := san.ParseHandle(v.Handle.String())
	if err != nil || parsed != v.Handle {
		t.Errorf("handle %v travels as %v, %v", v.Handle, parsed, err)
	}
}

func createAtOnce(t *testing.T, s Subject) {
	var wg sync.WaitGroup
	handles := make([]san.Handle, 100)
	for i := range handles {
		wg.Go(func() {
			v, err := s.Array.Create(t.Context(), request("pvc-1"))
			if err != nil {
				t.Error(err)
				return
			}
			handles[i] = v.Handle
		})
	}
	wg.Wait()
	for _, h := range handles {
		if h != handles[0] {
			t.Fatalf("one name gives %v and %v", handles[0], h)
		}
	}
	counts(t, "volumes", s.Volumes(t), 1)
}

func createOddNames(t *testing.T, s Subject) {
	names := []string{"a_b", "a.b", "a-b", "A-b", "ä", "-", "_", strings.Repeat("n", 64), strings.Repeat("n", 65),
		strings.Repeat("n", 127) + "a", strings.Repeat("n", 127) + "b", "a/b\x00c\"\\<>", "v-0123456789abcdef", " "}
	handles := map[san.Handle]string{}
	for _, name := range names {
		v := create(t, s.Array, name)
		if v.Name != name {
			t.Errorf("volume of %q says it is %q", name, v.Name)
		}
		if other, taken := handles[v.Handle]; taken {
			t.Errorf("%q and %q are one volume", name, other)
		}
		handles[v.Handle] = name
		if again := create(t, s.Restart(t), name); again.Handle != v.Handle {
			t.Errorf("%q gives %v, then %v", name, v.Handle, again.Handle)
		}
	}
}

func createRefuses(t *testing.T, s Subject) {
	limits, err := s.Array.Limits(t.Context())
	must(t, err)
	with := func(change func(*san.CreateRequest)) san.CreateRequest {
		req := request("pvc-1")
		change(&req)
		return req
	}
	values := func(v qos.Values) san.CreateRequest {
		return with(func(r *san.CreateRequest) { r.QoS.Values = v })
	}
	cases := map[string]struct {
		req  san.CreateRequest
		want error
		word string
	}{
		"no name":            {with(func(r *san.CreateRequest) { r.Name = "" }), san.ErrInvalid, "name"},
		"name of 300":        {with(func(r *san.CreateRequest) { r.Name = strings.Repeat("n", 300) }), san.ErrInvalid, "300"},
		"size 0":             {with(func(r *san.CreateRequest) { r.SizeBytes = 0 }), san.ErrInvalid, "size"},
		"size negative":      {with(func(r *san.CreateRequest) { r.SizeBytes = -1 }), san.ErrInvalid, "-1"},
		"1 byte too large":   {with(func(r *san.CreateRequest) { r.SizeBytes = limits.MaxSizeBytes + 1 }), san.ErrOutOfRange, "size"},
		"limit below size":   {with(func(r *san.CreateRequest) { r.LimitBytes = GiB - 1 }), san.ErrOutOfRange, "1073741823"},
		"limit negative":     {with(func(r *san.CreateRequest) { r.LimitBytes = -1 }), san.ErrInvalid, "limit"},
		"limit below step":   {with(func(r *san.CreateRequest) { r.SizeBytes, r.LimitBytes = GiB+1, GiB+2 }), san.ErrOutOfRange, "1073741826"},
		"note too long":      {with(func(r *san.CreateRequest) { r.Note = strings.Repeat("n", san.NoteLength+1) }), san.ErrInvalid, "note"},
		"unknown policy":     {with(func(r *san.CreateRequest) { r.QoS = san.QoS{Policy: "none-such"} }), san.ErrInvalid, "none-such"},
		"policy and values":  {with(func(r *san.CreateRequest) { r.QoS.Policy = s.Policy }), san.ErrInvalid, s.Policy},
		"unknown account":    {with(func(r *san.CreateRequest) { r.Account = "none-such" }), san.ErrInvalid, "none-such"},
		"other cluster":      {with(func(r *san.CreateRequest) { r.Owner.Cluster = "none-such" }), san.ErrInvalid, "none-such"},
		"floor under bound":  {values(qos.Values{Min: limits.QoS.Min.Low - 1}), san.ErrInvalid, "minIOPS"},
		"ceiling over bound": {values(qos.Values{Max: limits.QoS.Max.High + 1}), san.ErrInvalid, "maxIOPS"},
		"min over max":       {values(qos.Values{Min: 600, Max: 500}), san.ErrInvalid, "600"},
		"max over burst":     {values(qos.Values{Max: 600, Burst: 500}), san.ErrInvalid, "600"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := s.Array.Create(t.Context(), c.req)
			wants(t, err, c.want, c.word)
			counts(t, "volumes", s.Volumes(t), 0)
		})
	}
}

func createOtherShape(t *testing.T, s Subject) {
	made := create(t, s.Array, "pvc-1")
	cases := map[string]func(*san.CreateRequest){
		"larger":        func(r *san.CreateRequest) { r.SizeBytes = 2 * GiB },
		"limit smaller": func(r *san.CreateRequest) { r.SizeBytes, r.LimitBytes = 1, made.SizeBytes-1 },
		"other floor":   func(r *san.CreateRequest) { r.QoS.Values.Min = 101 },
		"policy":        func(r *san.CreateRequest) { r.QoS = san.QoS{Policy: s.Policy} },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			req := request("pvc-1")
			change(&req)
			_, err := s.Array.Create(t.Context(), req)
			wants(t, err, san.ErrExists, "pvc-1")
			if now := get(t, s.Array, made.Handle); now.SizeBytes != made.SizeBytes || now.QoS != made.QoS {
				t.Errorf("the volume is %+v now, was %+v", now, made)
			}
		})
	}
}

func createPolicy(t *testing.T, s Subject) {
	req := request("pvc-1")
	req.QoS = san.QoS{Policy: s.Policy}
	for _, a := range []san.Array{s.Array, s.Restart(t)} {
		v, err := a.Create(t.Context(), req)
		must(t, err)
		if v.Policy != s.Policy || v.QoS != s.PolicyValues {
			t.Errorf("policy %q, QoS %+v; want %q, %+v", v.Policy, v.QoS, s.Policy, s.PolicyValues)
		}
	}
	counts(t, "volumes", s.Volumes(t), 1)
}

func createPartialQoS(t *testing.T, s Subject) {
	for name, asked := range map[string]qos.Values{
		"none": {}, "floor": {Min: 15000}, "low-ceiling": {Max: 100}, "high-ceiling": {Max: 150000}, "burst": {Burst: 100},
	} {
		req := request(name)
		req.QoS.Values = asked
		v, err := s.Array.Create(t.Context(), req)
		must(t, err)
		for _, m := range [][2]int64{{asked.Min, v.QoS.Min}, {asked.Max, v.QoS.Max}, {asked.Burst, v.QoS.Burst}} {
			if m[0] != 0 && m[0] != m[1] || m[1] == 0 {
				t.Errorf("asked for %+v, in force is %+v", asked, v.QoS)
			}
		}
		if v.QoS.Min > v.QoS.Max || v.QoS.Max > v.QoS.Burst {
			t.Errorf("in force is %+v, out of order", v.QoS)
		}
	}
}

func createRounds(t *testing.T, s Subject) {
	limits, err := s.Array.Limits(t.Context())
	must(t, err)
	req := request("tiny")
	req.SizeBytes = 1
	v, err := s.Array.Create(t.Context(), req)
	must(t, err)
	if v.SizeBytes < limits.MinSizeBytes || v.SizeBytes%limits.SizeStep != 0 || v.SizeBytes >= limits.MinSizeBytes+limits.SizeStep {
		t.Errorf("1 byte becomes %d, least %d, step %d", v.SizeBytes, limits.MinSizeBytes, limits.SizeStep)
	}
	req = request("odd")
	req.SizeBytes, req.LimitBytes = GiB+1, GiB+limits.SizeStep
	v, err = s.Array.Create(t.Context(), req)
	must(t, err)
	if v.SizeBytes != GiB+limits.SizeStep {
		t.Errorf("%d bytes become %d", req.SizeBytes, v.SizeBytes)
	}
}

func createLandsBeforeRetry(t *testing.T, s Subject) {
	hold := s.DelayCreate(t)
	_, err := s.Array.Create(t.Context(), request("pvc-1"))
	wants(t, err, san.ErrUnavailable, "pvc-1")
	hold.Land(t)
	a := s.Restart(t)
	if _, err := a.Find(t.Context(), "pvc-1", ""); !errors.Is(err, san.ErrNotFound) {
		t.Errorf("a volume that was never handed out is found: %v", err)
	}
	v := create(t, a, "pvc-1")
	must(t, a.Sweep(t.Context()))
	get(t, a, v.Handle)
	counts(t, "volumes", s.Volumes(t), 1)
}

func createLandsAfterRetry(t *testing.T, s Subject) {
	hold := s.DelayCreate(t)
	_, err := s.Array.Create(t.Context(), request("pvc-1"))
	wants(t, err, san.ErrUnavailable)
	a := s.Restart(t)
	v := create(t, a, "pvc-1")
	hold.Land(t)
	if again := create(t, a, "pvc-1"); again.Handle != v.Handle {
		t.Errorf("the name gives %v, then %v", v.Handle, again.Handle)
	}
	must(t, a.Sweep(t.Context()))
	get(t, a, v.Handle)
	counts(t, "volumes", s.Volumes(t), 1)
}

func createLandsAfterDelete(t *testing.T, s Subject) {
	hold := s.DelayCreate(t)
	_, err := s.Array.Create(t.Context(), request("pvc-1"))
	wants(t, err, san.ErrUnavailable)
	a := s.Restart(t)
	v := create(t, a, "pvc-1")
	remove(t, a, v.Handle)
	hold.Land(t)
	must(t, a.Sweep(t.Context()))
	counts(t, "volumes", s.Volumes(t), 0)
}

func createOfDeadCaller(t *testing.T, s Subject) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Array.Create(ctx, request("pvc-1")); err == nil {
		t.Error("a call whose context has ended succeeds")
	}
	counts(t, "volumes", s.Volumes(t), 0)
	create(t, s.Array, "pvc-1")
	counts(t, "volumes", s.Volumes(t), 1)
}

func createLongest(t *testing.T, s Subject) {
	req := request(strings.Repeat(`"`, 128))
	req.Note = strings.Repeat(`"`, san.NoteLength)
	req.Owner = san.Owner{PVC: strings.Repeat("p", 317), PV: strings.Repeat("v", 253), StorageClass: strings.Repeat("c", 253)}
	v, err := s.Array.Create(t.Context(), req)
	must(t, err)
	if v.Name != req.Name || v.Note != req.Note {
		t.Errorf("name %q and note %q do not come back", v.Name, v.Note)
	}
	n, err := san.NewNode("iqn.1993-08.org.debian:"+strings.Repeat("n", san.MaxNodeIDLength-len("iqn.1993-08.org.debian:#01234567")), "node")
	must(t, err)
	grant(t, s.Array, *v, n, san.Mode{})
	must(t, s.Array.Revoke(t.Context(), v.Handle, n))
}
