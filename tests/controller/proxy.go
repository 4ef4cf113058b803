package controller

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"time"
)

// Fault is what becomes of one call.
type Fault struct {
	Delay  time.Duration // before it is delivered
	Lost   bool          // it is not delivered
	Cut    bool          // the connection breaks instead of an answer; at once where it is late
	Late   bool          // with Cut: it is delivered after the connection broke
	Status int           // the answer instead of the array's; 0 = the array's
}

// Proxy stands between driver and array.
type Proxy struct {
	// Decide says what becomes of a call; nil = all go well.
	Decide func(method string) Fault
	// Orphan says how much later a call is delivered whose caller has died; nil = not
	// at all.
	Orphan func() time.Duration
	// Before and After are told of each call that is delivered; may be nil.
	Before, After func(method string)

	server *httptest.Server
	target string
	client *http.Client
	caFile string

	mu     sync.Mutex
	landed *sync.Cond // when one of the calls in flight has been delivered
	flying int
	calls  map[string]int

	deaths  int // of callers
	orphans int // in flight
	sweeps  int // begun since there is none
}

// StartProxy serves before the array; the certificate's authority is a file of
// the directory. The fields are set before the first call.
func StartProxy(a *Array, dir string) (*Proxy, error) {
	authority, err := os.ReadFile(a.CAFile())
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	p := &Proxy{target: "https://" + a.address, caFile: dir + "/proxy-ca.pem", calls: map[string]int{}, client: &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, MaxIdleConnsPerHost: 64},
	}}
	p.landed = sync.NewCond(&p.mu)
	p.server = httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	p.server.Config.ErrorLog = log.New(io.Discard, "", 0) // callers that are killed are no news
	p.server.StartTLS()
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw})
	return p, os.WriteFile(p.caFile, block, 0o600)
}

// Endpoint is the URL of the API as the driver reaches it, by that authority.
func (p *Proxy) Endpoint() (url, caFile string) { return p.server.URL + APIPath, p.caFile }

// Close ends it.
func (p *Proxy) Close() { p.server.Close() }

// Drain waits until all that was held back has been delivered.
func (p *Proxy) Drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.flying > 0 {
		p.landed.Wait()
	}
}

// CallerDied says that whoever made the calls in flight is dead.
func (p *Proxy) CallerDied() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaths++
}

// AwaitMended waits until no call of a dead caller is in flight, and the driver has
// swept twice since, or the time is up: a fault may have cut one sweep short.
func (p *Proxy) AwaitMended(patience time.Duration) {
	end := time.Now().Add(patience)
	defer time.AfterFunc(patience, p.landed.Broadcast).Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for (p.orphans > 0 || p.sweeps < 3) && time.Now().Before(end) {
		p.landed.Wait()
	}
}

// sweepBegins tells a sweep by its list of all volumes.
func sweepBegins(method string, body []byte) bool {
	return method == "ListVolumes" && bytes.Contains(body, []byte(`"startVolumeID":1,`))
}

// keepBack holds a call back whose caller has died since there were so many
// deaths; landed ends it.
func (p *Proxy) keepBack(deaths int) (landed func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deaths == deaths || p.Orphan == nil {
		return func() {}
	}
	p.orphans++
	p.mu.Unlock()
	time.Sleep(p.Orphan())
	p.mu.Lock()
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.orphans--
		p.sweeps = 0
		p.landed.Broadcast()
	}
}

// fly counts a call that is in flight, or none any more.
func (p *Proxy) fly(calls int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flying += calls
	p.landed.Broadcast()
}

// Calls are the calls so far by method.
func (p *Proxy) Calls() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.calls)
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	var request struct{ Method string }
	if err := json.Unmarshal(body, &request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	p.calls[request.Method]++
	deaths := p.deaths
	if sweepBegins(request.Method, body) {
		p.sweeps++
		p.landed.Broadcast()
	}
	p.mu.Unlock()
	var f Fault
	if p.Decide != nil {
		f = p.Decide(request.Method)
	}
	delivered := make(chan *answer, 1)
	p.fly(1)
	go func() { // not tied to the caller: it may die, the call does not
		defer p.fly(-1)
		delivered <- p.deliver(r, request.Method, body, f, deaths)
	}()
	if f.Cut && f.Late {
		panic(http.ErrAbortHandler)
	}
	p.tell(w, f, <-delivered)
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

// deliver has the array carry the call out, unless it is lost; nil = no answer. It
// came when there had been so many deaths of callers.
func (p *Proxy) deliver(r *http.Request, method string, body []byte, f Fault, deaths int) *answer {
	time.Sleep(f.Delay)
	if f.Lost {
		return nil
	}
	if p.Before != nil {
		p.Before(method)
	}
	defer p.keepBack(deaths)()
	req, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), http.MethodPost, p.target+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		return nil
	}
	req.Header = r.Header.Clone()
	resp, err := p.client.Do(req)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil
	}
	if p.After != nil {
		p.After(method)
	}
	return &answer{resp.StatusCode, resp.Header, text}
}

func (p *Proxy) tell(w http.ResponseWriter, f Fault, a *answer) {
	switch {
	case f.Status != 0 && !f.Cut:
		http.Error(w, "an injected fault", f.Status)
	case f.Cut || a == nil:
		panic(http.ErrAbortHandler)
	default:
		for _, name := range []string{"Content-Type", "Www-Authenticate"} {
			w.Header().Set(name, a.header.Get(name))
		}
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body) // the caller may be gone
	}
}
