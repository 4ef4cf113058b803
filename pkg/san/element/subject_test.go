package element

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
	"github.com/san-csi/san-csi/pkg/san/santest"
	"github.com/san-csi/san-csi/pkg/softarray"
)

const (
	testUser     = "admin"
	testPassword = "correct horse"
	testPolicy   = "silver"
)

// bench is the software array with real HTTPS and iSCSI, and a gate before its API.
type bench struct {
	client *api.Client // through the gate, as the driver's
	gate   *gate
	portal string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	array, err := softarray.Open(softarray.Config{DataDir: t.TempDir(), Username: testUser, Password: testPassword, FaultInjection: true})
	must(t, err)
	control, data := listen(t), listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- array.Run(ctx, control, data) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("array: %v", err)
		}
		must(t, array.Close())
	})
	g := &gate{behind: trusting(t, array.CAFile()), target: endpoint(control.Addr().String())}
	front := httptest.NewTLSServer(g)
	t.Cleanup(front.Close)
	client, err := api.New(api.Config{Endpoint: endpoint(front.Listener.Addr().String()), Username: testUser, Password: testPassword, CAFile: writeCA(t, front)})
	must(t, err)
	t.Cleanup(client.Close)
	return &bench{client: client, gate: g, portal: data.Addr().String()}
}

// writeCA is a PEM file of the server's certificate.
func writeCA(t *testing.T, s *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600))
	return file
}

// trusting is an HTTP client that trusts the CA of that file.
func trusting(t *testing.T, caFile string) *http.Client {
	t.Helper()
	text, err := os.ReadFile(caFile)
	must(t, err)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatalf("%s holds no certificate", caFile)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func endpoint(address string) string { return "https://" + address + "/json-rpc/12.5" }

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	return l
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open is the array as a controller process sees it.
func (b *bench) open(t *testing.T, cluster, incarnation string) *Array {
	t.Helper()
	a, err := New(Config{Client: b.client, Account: "k8s", Cluster: cluster, Incarnation: incarnation, Portals: []string{b.portal}})
	must(t, err)
	return a
}

func (b *bench) subject(t *testing.T) santest.Subject {
	values := qos.Values{Min: 200, Max: 3000, Burst: 4000}
	b.gate.call(t, "CreateQoSPolicy", map[string]any{"name": testPolicy, "qos": map[string]any{"minIOPS": 200, "maxIOPS": 3000, "burstIOPS": 4000}})
	restarts := 1
	return santest.Subject{
		Array: b.open(t, "east", "process-1"),
		Restart: func(t *testing.T) san.Array {
			restarts++
			return b.open(t, "east", fmt.Sprintf("process-%d", restarts))
		},
		Policy: testPolicy, PolicyValues: values,
		Login:         b.login,
		Sessions:      func() int { return len(b.sessions()) },
		DelayCreate:   func(*testing.T) santest.Held { return b.gate.hold("CreateVolume") },
		DelaySnapshot: func(*testing.T) santest.Held { return b.gate.hold("CreateSnapshot") },
		DelayGroup:    func(*testing.T) santest.Held { return b.gate.hold("CreateGroupSnapshot") },
		DelayClone:    func(*testing.T) santest.Held { return b.gate.hold("CloneVolume") },
		Snapshots:     func(t *testing.T) int { return len(b.snapshots(t)) },
		Volumes: func(t *testing.T) int {
			volumes, err := b.client.ListVolumes(t.Context(), api.ListVolumesRequest{})
			must(t, err)
			return len(volumes)
		},
		Doors:     func(t *testing.T) int { return len(b.groups(t)) },
		AddAccess: b.addAccess,
	}
}

func (b *bench) sessions() []api.Session {
	sessions, err := b.client.ListISCSISessions(context.Background())
	if err != nil {
		panic(err) // a count of 0 would let a test pass
	}
	return sessions
}

func (b *bench) groups(t *testing.T) []api.VolumeAccessGroup {
	t.Helper()
	groups, err := b.client.ListVolumeAccessGroups(t.Context(), api.ListVolumeAccessGroupsRequest{})
	must(t, err)
	return groups
}

func (b *bench) snapshots(t *testing.T) []api.Snapshot {
	t.Helper()
	snapshots, err := b.client.ListSnapshots(t.Context(), api.ListSnapshotsRequest{})
	must(t, err)
	return snapshots
}

func (b *bench) addAccess(t *testing.T, v san.Volume, n san.Node) {
	t.Helper()
	for _, g := range b.groups(t) {
		if slices.Contains(g.Initiators, n.IQN) {
			_, err := b.client.AddVolumesToVolumeAccessGroup(t.Context(), g.ID, v.Handle.Volume)
			must(t, err)
			return
		}
	}
	t.Fatalf("%s is in no group", n.IQN)
}

func (b *bench) volume(t *testing.T, id int64) api.Volume {
	t.Helper()
	volumes, err := b.client.ListVolumes(t.Context(), api.ListVolumesRequest{VolumeIDs: []int64{id}})
	must(t, err)
	if len(volumes) != 1 {
		t.Fatalf("%d volumes of id %d", len(volumes), id)
	}
	return volumes[0]
}

// bin deletes a volume behind the driver's back.
func (b *bench) bin(t *testing.T, id int64) {
	t.Helper()
	_, err := b.client.DeleteVolume(t.Context(), id)
	must(t, err)
}

// login makes an iSCSI session with one Login Request (RFC 7143 §11.12) and
// keeps its connection open.
func (b *bench) login(t *testing.T, v san.Volume, n san.Node) (logout func()) {
	t.Helper()
	conn, err := net.Dial("tcp", b.portal)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	text := fmt.Sprintf("InitiatorName=%s\x00TargetName=%s\x00SessionType=Normal\x00", n.IQN, b.volume(t, v.Handle.Volume).IQN)
	header := make([]byte, 48)
	header[0], header[1] = 0x43, 0x87 // immediate; transit from operational negotiation to full feature phase
	binary.BigEndian.PutUint32(header[4:], uint32(len(text)))
	copy(header[8:], []byte{0x80, 0, 0, 1, 0, 1})
	padding := make([]byte, (4-len(text)%4)%4)
	_, err = conn.Write(slices.Concat(header, []byte(text), padding))
	must(t, err)
	answer := make([]byte, 48)
	_, err = io.ReadFull(conn, answer)
	must(t, err)
	if answer[0] != 0x23 || answer[36] != 0 || answer[37] != 0 {
		t.Fatalf("login of %s to volume %d: opcode %#x, status %d/%d", n.IQN, v.Handle.Volume, answer[0], answer[36], answer[37])
	}
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	return func() { _ = conn.Close() }
}

// gate forwards API calls to the array, and can keep one back past its caller's
// death, as a network does.
type gate struct {
	behind *http.Client
	target string

	mu   sync.Mutex
	next map[string]*heldCall
	got  []string // methods called
	then map[string]func()
	left int    // calls until the caller's death, 0 = none is near
	die  func() // the caller's death
}

// heldCall is a call kept back.
type heldCall struct {
	gate *gate
	body chan []byte
	die  func() // the caller's death
}

func (g *gate) hold(method string) *heldCall {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.next == nil {
		g.next = map[string]*heldCall{}
	}
	h := &heldCall{gate: g, body: make(chan []byte, 1), die: func() {}}
	g.next[method] = h
	return h
}

// caller is the context of one who dies when the call is on its way.
func (h *heldCall) caller(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	h.die = cancel
	return ctx
}

// Land has the array carry the call out.
func (h *heldCall) Land(t *testing.T) {
	t.Helper()
	resp, err := h.gate.forward(t.Context(), <-h.body)
	must(t, err)
	must(t, resp.Body.Close())
}

// after does something when the next call of that method was carried out, before
// its answer.
func (g *gate) after(method string, do func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.then = map[string]func(){method: do}
}

// counted are the calls that were made while do ran, by method.
func (g *gate) counted(do func()) map[string]int {
	g.mu.Lock()
	g.got = nil
	g.mu.Unlock()
	do()
	g.mu.Lock()
	defer g.mu.Unlock()
	calls := map[string]int{}
	for _, method := range g.got {
		calls[method]++
	}
	return calls
}

// cutAfter kills the caller when the array has carried out its n-th call from
// now on, before the answer; survived tells that there were not so many, and
// ends the watch.
func (g *gate) cutAfter(n int, die func()) (survived func() bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left, g.die = n, die
	return func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		alive := g.die != nil
		g.left = 0
		return alive
	}
}

// cut tells whether the answer of this call finds its caller dead.
func (g *gate) cut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.left == 0 {
		return false
	}
	if g.left--; g.left > 0 {
		return false
	}
	g.die()
	g.die = nil
	return true
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var request struct {
		Method string `json:"method"`
	}
	if err != nil || json.Unmarshal(body, &request) != nil {
		panic(http.ErrAbortHandler)
	}
	g.mu.Lock()
	held := g.next[request.Method]
	delete(g.next, request.Method)
	g.got = append(g.got, request.Method)
	then := g.then[request.Method]
	delete(g.then, request.Method)
	g.mu.Unlock()
	if held != nil {
		held.body <- body
		held.die()
		panic(http.ErrAbortHandler) // the caller gets no answer
	}
	resp, err := g.forward(r.Context(), body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = resp.Body.Close() }()
	if then != nil {
		then()
	}
	if g.cut() {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}

func (g *gate) forward(ctx context.Context, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth(testUser, testPassword)
	return g.behind.Do(req)
}

// call calls a method that the driver has no use for.
func (g *gate) call(t *testing.T, method string, params any) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"method": method, "params": params})
	must(t, err)
	resp, err := g.forward(t.Context(), body)
	must(t, err)
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	must(t, err)
	if !bytes.Contains(answer, []byte(`"result"`)) {
		t.Fatalf("%s: %s", method, answer)
	}
}
