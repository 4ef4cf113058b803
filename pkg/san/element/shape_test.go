package element

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

func TestFillKeepsOrder(t *testing.T) {
	defaults := api.QoS{MinIOPS: 50, MaxIOPS: 15000, BurstIOPS: 15000}
	for _, c := range []struct {
		asked qos.Values
		want  api.QoS
	}{
		{qos.Values{Min: 100}, api.QoS{MinIOPS: 100, MaxIOPS: 15000, BurstIOPS: 15000}},
		{qos.Values{Max: 100}, api.QoS{MinIOPS: 50, MaxIOPS: 100, BurstIOPS: 15000}},
		{qos.Values{Max: 20000}, api.QoS{MinIOPS: 50, MaxIOPS: 20000, BurstIOPS: 20000}},
		{qos.Values{Burst: 100}, api.QoS{MinIOPS: 50, MaxIOPS: 100, BurstIOPS: 100}},
		{qos.Values{Burst: 20000}, api.QoS{MinIOPS: 50, MaxIOPS: 15000, BurstIOPS: 20000}},
		{qos.Values{Min: 1, Max: 2, Burst: 3}, api.QoS{MinIOPS: 1, MaxIOPS: 2, BurstIOPS: 3}},
		{qos.Values{Max: 20}, api.QoS{MinIOPS: 20, MaxIOPS: 20, BurstIOPS: 15000}},
	} {
		if got := fill(c.asked, defaults); got != c.want {
			t.Errorf("fill(%+v) = %+v; want %+v", c.asked, got, c.want)
		}
	}
}

func TestErrorsGetTheirSentinel(t *testing.T) {
	for name, want := range map[string]error{
		"xVolumeIDDoesNotExist":     san.ErrNotFound,
		"xQoSPolicyDoesNotExist":    san.ErrNotFound,
		"xExceededLimit":            san.ErrExhausted,
		"xMaxVolumeCountExceeded":   san.ErrExhausted,
		"xInvalidParameter":         san.ErrInvalid,
		"xMissingParameter":         san.ErrInvalid,
		"xUnrecognizedEnumString":   san.ErrInvalid,
		"xUnknownAccount":           san.ErrInvalid,
		"xVolumeShrinkProhibited":   san.ErrOutOfRange,
		"xDBVersionMismatch":        san.ErrUnavailable,
		"xPermissionDenied":         san.ErrUnavailable,
		"xSomethingNobodyHeardOfIt": san.ErrUnavailable,
	} {
		cause := &api.Error{Method: "M", Name: name, Code: 500}
		err := fail("change volume", 7, cause)
		expect(t, err, want, "change volume", "7", name)
		if !errors.Is(err, cause) {
			t.Errorf("%v does not hold its cause", err)
		}
	}
	for _, cause := range []error{&api.AuthError{}, &api.VersionError{}, &api.AnswerError{Err: errors.New("x")},
		&api.CertificateError{Err: errors.New("x")}, &api.UnreachableError{Err: errors.New("x")}} {
		expect(t, fail("read", "array", cause), san.ErrUnavailable)
	}
	kept := fail("create", "v", fmt.Errorf("taken: %w", san.ErrExists))
	if expect(t, kept, san.ErrExists); errors.Is(kept, san.ErrUnavailable) {
		t.Errorf("%v has two sentinels", kept)
	}
}

func TestCapacity(t *testing.T) {
	const capacity = `{"result":{"clusterCapacity":{"maxIOPS":5000,"maxOverProvisionableSpace":1000,"maxUsedSpace":200,"provisionedSpace":300}}}`
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, capacity) }))
	defer server.Close()
	client, err := api.New(api.Config{Endpoint: server.URL + "/json-rpc/12.5", Username: "u", Password: "p", CAFile: writeCA(t, server)})
	must(t, err)
	defer client.Close()
	a, err := New(Config{Client: client, Account: "k8s", Cluster: "east", Incarnation: "one"})
	must(t, err)
	got, err := a.Capacity(t.Context())
	if want := (san.Capacity{BoundBytes: 1000, BlockBytes: 200, MaxIOPS: 5000}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}
