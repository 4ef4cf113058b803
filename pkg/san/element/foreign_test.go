package element

import (
	"testing"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

func TestInitiatorInForeignGroup(t *testing.T) {
	n := testNode(t, "a")
	cases := map[string]struct {
		attributes api.Attributes
		initiators []string
		word       string
	}{
		"made by hand":      {nil, []string{n.IQN}, "did not make"},
		"of other cluster":  {api.Attributes{keyCluster: quote("west"), keyTag: quote(n.Tag)}, []string{n.IQN}, "west"},
		"of another node":   {api.Attributes{keyCluster: quote("east"), keyTag: quote("00000000")}, []string{n.IQN}, "00000000"},
		"with a second IQN": {api.Attributes{keyCluster: quote("east"), keyTag: quote(n.Tag)}, []string{n.IQN, "iqn.2020-01.org.x:y"}, "2 initiators"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			a := b.open(t, "east", "one")
			v := makeVolume(t, a, "pvc-1")
			_, err := b.client.CreateVolumeAccessGroup(t.Context(), api.CreateVolumeAccessGroupRequest{
				Name: "by-hand", Initiators: c.initiators, Attributes: c.attributes})
			must(t, err)
			_, err = a.Grant(t.Context(), v.Handle, n, san.Mode{})
			expect(t, err, san.ErrBusy, "by-hand", n.IQN, c.word)
			if now, err := a.Get(t.Context(), v.Handle); err != nil || len(now.Nodes) != 0 {
				t.Errorf("after the refusal %+v, %v", now, err)
			}
			must(t, a.Revoke(t.Context(), v.Handle, n))
			if groups := b.groups(t); len(groups) != 1 {
				t.Errorf("%d groups; want the foreign one, untouched", len(groups))
			}
		})
	}
}

func TestVolumeInForeignGroup(t *testing.T) {
	b := newBench(t)
	a := b.open(t, "east", "one")
	v := makeVolume(t, a, "pvc-1")
	_, err := b.client.CreateVolumeAccessGroup(t.Context(), api.CreateVolumeAccessGroupRequest{
		Name: "by-hand", Initiators: []string{"iqn.2020-01.org.x:y"}, Volumes: []int64{v.Handle.Volume}})
	must(t, err)
	_, err = a.Grant(t.Context(), v.Handle, testNode(t, "a"), san.Mode{})
	expect(t, err, san.ErrBusy, "by-hand")
	if now, err := a.Get(t.Context(), v.Handle); err != nil || len(now.Nodes) != 0 {
		t.Errorf("refused, and nodes %v have a grant, %v", now.Nodes, err)
	}
	expect(t, deletion(t, a, v.Handle), san.ErrBusy, "by-hand")
	must(t, a.Sweep(t.Context()))
	if groups := b.groups(t); len(groups) != 1 || len(groups[0].Volumes) != 1 {
		t.Errorf("groups %+v; want the foreign one, untouched", groups)
	}
}

func TestOtherClustersVolumes(t *testing.T) {
	b := newBench(t)
	east, west := b.open(t, "east", "one"), b.open(t, "west", "one")
	v := makeVolume(t, west, "pvc-1")
	_, err := east.Create(t.Context(), san.CreateRequest{Name: "pvc-1", SizeBytes: gib})
	expect(t, err, san.ErrExists, "west", "east")
	_, err = east.Get(t.Context(), v.Handle)
	expect(t, err, san.ErrBusy, "west")
	expect(t, deletion(t, east, v.Handle), san.ErrBusy, "west")
	_, err = east.Find(t.Context(), "pvc-1", "")
	expect(t, err, san.ErrNotFound)
	if listed, _, err := east.List(t.Context(), "", 0); err != nil || len(listed) != 0 {
		t.Errorf("%d volumes are listed, %v", len(listed), err)
	}
	must(t, east.Sweep(t.Context()))
	_, err = west.Get(t.Context(), v.Handle)
	must(t, err)
}

func TestVolumeImportedByHand(t *testing.T) {
	b := newBench(t)
	a, n := b.open(t, "east", "one"), testNode(t, "a")
	account, err := a.account(t.Context(), "")
	must(t, err)
	raw := plant(t, b, account, "legacy", nil)
	id, err := a.Identity(t.Context())
	must(t, err)
	h := san.Handle{Array: id.UniqueID, Volume: raw.VolumeID}
	v, err := a.Get(t.Context(), h)
	must(t, err)
	if v.Blank || v.Name != "legacy" || v.Handle.UUID == "" {
		t.Errorf("volume %+v; want one that is not blank", v)
	}
	g, err := a.Grant(t.Context(), h, n, san.Mode{})
	must(t, err)
	if g.Blank || g.Epoch != 1 {
		t.Errorf("grant %+v; want epoch 1 of a volume that is not blank", g)
	}
	_, err = b.open(t, "west", "one").Grant(t.Context(), h, testNode(t, "b"), san.Mode{Shared: true})
	expect(t, err, san.ErrBusy, "east")
	must(t, a.Revoke(t.Context(), h, n))
	for range 2 {
		must(t, deletion(t, a, h))
		if b.volume(t, raw.VolumeID).Status != api.StatusDeleted {
			t.Error("an imported volume does not stay in the recycle bin")
		}
	}
}

func TestArrayIsVerified(t *testing.T) {
	b := newBench(t)
	a, err := New(Config{Client: b.client, ClusterID: "none", Account: "k8s", Cluster: "east", Incarnation: "one"})
	must(t, err)
	_, err = a.Identity(t.Context())
	expect(t, err, san.ErrUnavailable, "none")
	_, err = a.Get(t.Context(), san.Handle{Array: "none", Volume: 1})
	expect(t, err, san.ErrUnavailable)
}

func TestNewRefuses(t *testing.T) {
	b := newBench(t)
	good := Config{Client: b.client, Account: "k8s", Cluster: "east", Incarnation: "one"}
	for name, change := range map[string]func(*Config){
		"no client":      func(c *Config) { c.Client = nil },
		"no cluster":     func(c *Config) { c.Cluster = "" },
		"odd cluster":    func(c *Config) { c.Cluster = "a b" },
		"no account":     func(c *Config) { c.Account = "" },
		"no incarnation": func(c *Config) { c.Incarnation = "" },
		"odd portal":     func(c *Config) { c.Portals = []string{"10.0.0.1"} },
	} {
		c := good
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
