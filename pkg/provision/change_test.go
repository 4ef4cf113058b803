package provision

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

func made(t *testing.T, f *Flows, params map[string]string) *san.Volume {
	t.Helper()
	c, err := f.Create(t.Context(), CreateRequest{Name: "pvc-1", Size: Size{Required: 10 * gib}, Parameters: params})
	if err != nil {
		t.Fatal(err)
	}
	return c.Volume
}

func TestModifyReplacesWhatItGives(t *testing.T) {
	class := map[string]string{"minIOPS": "100", "maxIOPS": "1000"}
	for name, tc := range map[string]struct {
		params map[string]string
		want   qos.Values
		policy string
	}{
		"one value":              {map[string]string{"maxIOPS": "2000"}, qos.Values{Min: 100, Max: 2000, Burst: 15000}, ""},
		"the other form":         {map[string]string{"maxIOPSPerGiB": "300"}, qos.Values{Min: 100, Max: 3000, Burst: 15000}, ""},
		"a policy":               {map[string]string{"qosPolicy": "gold"}, qos.Values{Min: 100, Max: 1000, Burst: 15000}, "gold"},
		"nothing":                {nil, qos.Values{Min: 100, Max: 1000, Burst: 15000}, ""},
		"past the array's burst": {map[string]string{"maxIOPS": "20000"}, qos.Values{Min: 100, Max: 20000, Burst: 20000}, ""},
		"a value not there yet":  {map[string]string{"burstIOPS": "5000"}, qos.Values{Min: 100, Max: 1000, Burst: 5000}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := newMemory("3eeu")
			f := flows(t, a)
			v := made(t, f, class)
			v.QoS.Burst = 15000 // as an array fills it in
			for range 2 {       // a repeated call changes nothing more
				if err := f.Modify(t.Context(), v.Handle.String(), tc.params); err != nil {
					t.Fatal(err)
				}
			}
			if v.QoS != tc.want || v.Policy != tc.policy {
				t.Errorf("got %+v %q, want %+v %q", v.QoS, v.Policy, tc.want, tc.policy)
			}
		})
	}
}

func TestModifyRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ key, value, want string }{
		"a ceiling under the class's floor": {"maxIOPS", "150", "minIOPS"},
		"a burst under the ceiling":         {"burstIOPS", "500", "maxIOPS"},
		"past the array's bound":            {"maxIOPS", "200001", "from 100 to 200000"},
		"an unknown key":                    {"iops", "1", "iops"},
	} {
		t.Run(name, func(t *testing.T) {
			f := flows(t, newMemory("3eeu"))
			v := made(t, f, map[string]string{"minIOPS": "200", "maxIOPS": "1000"})
			before := *v
			err := f.Modify(t.Context(), v.Handle.String(), map[string]string{tc.key: tc.value})
			var parameter *qos.ParameterError
			if !errors.As(err, &parameter) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want a parameter error that says %q", err, tc.want)
			}
			if v.QoS != before.QoS || v.Note != before.Note {
				t.Error("something was changed")
			}
		})
	}
}

func TestGrowthScalesTheQoSAgain(t *testing.T) {
	f := flows(t, newMemory("3eeu"))
	v := made(t, f, map[string]string{"maxIOPSPerGiB": "100"})
	if _, err := f.Expand(t.Context(), v.Handle.String(), Size{Required: 30 * gib}); err != nil {
		t.Fatal(err)
	}
	if v.SizeBytes != 30*gib || v.QoS.Max != 3000 {
		t.Errorf("got %d bytes and %d IOPS", v.SizeBytes, v.QoS.Max)
	}
	if _, err := f.Expand(t.Context(), v.Handle.String(), Size{}); !errors.Is(err, san.ErrInvalid) {
		t.Errorf("growth to nothing: got %v", err)
	}
}

func TestDeleteEndsAsTheClassSays(t *testing.T) {
	for _, end := range []string{"purge", "keep"} {
		a := newMemory("3eeu")
		f := flows(t, a)
		v := made(t, f, map[string]string{"onDelete": end})
		if err := f.Delete(t.Context(), v.Handle.String()); err != nil {
			t.Fatal(err)
		}
		if kept, done := a.deleted[v.Handle]; !done || kept != (end == "keep") {
			t.Errorf("onDelete %s: deleted %v, kept %v", end, done, kept)
		}
	}
}

func TestWhatIsNotThereIsGone(t *testing.T) {
	f := flows(t, newMemory("3eeu"))
	for name, id := range map[string]string{"no handle of ours": "vol-1", "no such volume": "3eeu:77:00000000"} {
		t.Run(name, func(t *testing.T) {
			if err := f.Delete(t.Context(), id); err != nil {
				t.Errorf("delete: %v", err)
			}
			if err := f.Revoke(t.Context(), id, ""); err != nil {
				t.Errorf("revoke: %v", err)
			}
		})
	}
	// But a volume of an array that the configuration lacks may well be there.
	if err := f.Delete(t.Context(), "zzzz:1:00000000"); !errors.Is(err, placement.ErrNoArray) {
		t.Errorf("a volume of another array: got %v", err)
	}
}

// overtaken is an array on which a dead leader's change lands between a look and
// the next call.
type overtaken struct {
	*memory
	lands qos.Values
}

func (o overtaken) Modify(ctx context.Context, h san.Handle, _ san.Change) (*san.Volume, error) {
	v, err := o.Get(ctx, h)
	if err != nil {
		return nil, err
	}
	now := *v
	now.QoS.Min = max(now.QoS.Min, o.lands.Min)
	return &now, nil
}

// TestRefusedChange: a change that does not fit is refused for good only where it
// has not been made by a leader that has died since.
func TestRefusedChange(t *testing.T) {
	for name, tc := range map[string]struct {
		lands int64
		want  error
	}{
		"nothing landed":      {0, san.ErrExhausted},
		"the change landed":   {600, san.ErrUnavailable},
		"another change, too": {300, san.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory("3eeu")
			m.iops = 500
			array := overtaken{m, qos.Values{Min: tc.lands}}
			f := New(placement.NewFleet("cluster-1", []placement.Member{{Name: "a", Array: array}}), "cluster-1")
			v := made(t, f, map[string]string{"minIOPS": "200", "maxIOPS": "1000"})
			err := f.Modify(t.Context(), v.Handle.String(), map[string]string{"minIOPS": "600"})
			if !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}
