package api_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/san-csi/san-csi/pkg/softarray/api"
	"github.com/san-csi/san-csi/pkg/softarray/iscsi"
	"github.com/san-csi/san-csi/pkg/softarray/store"
)

const (
	username = "admin"
	password = "correct horse"
)

var start = time.Date(2031, 5, 6, 7, 8, 9, 123456000, time.UTC)

// rig is an API server behind real HTTPS on a store of its own.
type rig struct {
	t      testing.TB
	store  *store.Store
	data   *dataSide
	clock  *clocktesting.FakeClock
	server *api.Server
	http   *httptest.Server
}

func newRig(t testing.TB, options ...func(*api.Config)) *rig {
	t.Helper()
	s, err := store.Open(t.TempDir(), start)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, store: s, data: &dataSide{usage: map[int64]api.Usage{}}, clock: clocktesting.NewFakeClock(start)}
	config := api.Config{
		Store: s, Data: r.data, Clock: r.clock, Username: username, Password: password,
		TotalIOPS: 1000, Address: "192.0.2.1",
	}
	for _, change := range options {
		change(&config)
	}
	r.server = api.New(config)
	r.http = httptest.NewTLSServer(r.server)
	t.Cleanup(func() {
		r.http.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// dataSide records what the API asks of the data side.
type dataSide struct {
	mu        sync.Mutex
	sessions  []iscsi.Session
	refreshed []int64
	released  []int64
	usage     map[int64]api.Usage
	activity  api.Activity
	full      bool
	squeeze   float64
}

func (d *dataSide) Sessions() []iscsi.Session {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.sessions)
}

func (d *dataSide) Drop(match func(iscsi.Session) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sessions = slices.DeleteFunc(d.sessions, match)
}

func (d *dataSide) Refresh(ids ...int64) {
	d.mu.Lock()
	d.refreshed = append(d.refreshed, ids...)
	d.mu.Unlock()
}
func (d *dataSide) Release(ids ...int64) {
	d.mu.Lock()
	d.released = append(d.released, ids...)
	d.mu.Unlock()
}
func (d *dataSide) SetFull(full bool)              { d.full = full }
func (d *dataSide) Squeeze(by float64)             { d.squeeze = by }
func (d *dataSide) Usage(v store.Volume) api.Usage { return d.usage[v.ID] }
func (d *dataSide) Activity() api.Activity         { return d.activity }

// post sends a body as a client would; options change the request.
func (r *rig) post(path, body string, options ...func(*http.Request)) (*http.Response, string) {
	r.t.Helper()
	resp, err := r.send(path, body, options...)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, string(data)
}

// send is post where the connection may break.
func (r *rig) send(path, body string, options ...func(*http.Request)) (*http.Response, error) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.http.URL+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.SetBasicAuth(username, password)
	for _, change := range options {
		change(req)
	}
	return r.http.Client().Do(req)
}

type answer struct {
	Result map[string]any
	Error  *struct {
		Code          int
		Name, Message string
	}
}

// client is how one client in the field writes its requests.
type client struct {
	path        string // "" = /json-rpc/12.5
	contentType string
	envelope    string // with %[1]s for the method and %[2]s for the params
}

// sdk writes requests as the documentation has them.
var sdk = client{contentType: "application/json-rpc", envelope: `{"method":"%[1]s","params":%[2]s,"id":1}`}

func (r *rig) call(method, params string) answer {
	r.t.Helper()
	return r.callAs(sdk, step{method: method, params: params})
}

func (r *rig) callAs(c client, s step) answer {
	r.t.Helper()
	resp, body := r.post(cmp.Or(s.path, c.path, "/json-rpc/12.5"), fmt.Sprintf(c.envelope, s.method, cmp.Or(s.params, "{}")),
		func(q *http.Request) { q.Header.Set("Content-Type", c.contentType) })
	if resp.StatusCode != http.StatusOK {
		r.t.Fatalf("%s: HTTP %d: %s", s.method, resp.StatusCode, body)
	}
	var a answer
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		r.t.Fatalf("%s: %v in %s", s.method, err, body)
	}
	if (a.Result == nil) == (a.Error == nil) {
		r.t.Fatalf("%s: neither or both of result and error: %s", s.method, body)
	}
	return a
}

// ok is a call that must succeed.
func (r *rig) ok(method, params string) map[string]any {
	r.t.Helper()
	a := r.call(method, params)
	if a.Error != nil {
		r.t.Fatalf("%s %s: %+v", method, params, *a.Error)
	}
	return a.Result
}

// fails is a call that must be refused by that name; it returns the message.
func (r *rig) fails(name, method, params string) string {
	r.t.Helper()
	a := r.call(method, params)
	if a.Error == nil {
		r.t.Fatalf("%s %s succeeded, want %s", method, params, name)
	}
	if a.Error.Name != name || a.Error.Code != 500 || a.Error.Message == "" {
		r.t.Fatalf("%s %s: %+v, want %s", method, params, *a.Error, name)
	}
	return a.Error.Message
}

// step is one call of a scenario and what of its answer matters.
type step struct {
	method, params string
	fails          string            // error name; "" = success
	message        string            // part of the error's message
	want           map[string]string // path in the result -> JSON
	path           string            // of the URL, "" = the client's
}

// play runs a scenario in order.
func (r *rig) play(steps []step) {
	r.t.Helper()
	r.replay(sdk, steps)
}

// replay is play as a certain client writes requests.
func (r *rig) replay(c client, steps []step) {
	r.t.Helper()
	for n, s := range steps {
		a := r.callAs(c, s)
		r.check(n, s, a)
	}
}

func (r *rig) check(n int, s step, a answer) {
	r.t.Helper()
	if a.Error != nil {
		if a.Error.Name != s.fails || a.Error.Code != 500 || a.Error.Message == "" || !strings.Contains(a.Error.Message, s.message) {
			r.t.Fatalf("step %d, %s %s: %+v, want %q with %q", n, s.method, s.params, *a.Error, s.fails, s.message)
		}
		return
	}
	if s.fails != "" {
		r.t.Fatalf("step %d, %s %s succeeded, want %s", n, s.method, s.params, s.fails)
	}
	for path, want := range s.want {
		if got := at(a.Result, path); got != want {
			r.t.Errorf("step %d, %s %s: %s is %s, want %s", n, s.method, s.params, path, got, want)
		}
	}
}

// at is the JSON of what a dotted path leads to; numbers index lists, "#" is
// a list's length.
func at(v any, path string) string {
	v = dig(v, path)
	if v == nothing {
		return "(absent)"
	}
	data, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// nothing is where a path leads nowhere.
const nothing = absence("nothing")

type absence string

func dig(v any, path string) any {
	if path == "" {
		return v
	}
	for part := range strings.SplitSeq(path, ".") {
		switch node := v.(type) {
		case map[string]any:
			inner, ok := node[part]
			if !ok {
				return nothing
			}
			v = inner
		case []any:
			if part == "#" {
				return len(node)
			}
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(node) {
				return nothing
			}
			v = node[i]
		default:
			return nothing
		}
	}
	return v
}

const gigabyte = "1000000000"

// withVolumes is a rig with account 1 and n volumes v1, v2, ... of it.
func withVolumes(t testing.TB, n int, options ...func(*api.Config)) *rig {
	t.Helper()
	r := newRig(t, options...)
	r.ok("AddAccount", `{"username":"tenant"}`)
	for i := range n {
		r.ok("CreateVolume", fmt.Sprintf(`{"name":"v%d","accountID":1,"totalSize":%s,"enable512e":true}`, i+1, gigabyte))
	}
	return r
}
