//go:build chaos

package chaos

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/san-csi/san-csi/tests/lab"
)

// proxy stands between driver and array. It can hold a CreateVolume back and
// deliver it later, whether or not its caller is still there: that is what a
// request on its way through a busy array looks like.
type proxy struct {
	server *httptest.Server
	array  string
	client *http.Client

	mu     sync.Mutex
	delay  time.Duration // of the next create; 0 = none
	flying sync.WaitGroup
}

// startProxy serves on the host's side and tells the lab to send drivers there.
func startProxy(l *lab.Lab) (*proxy, error) {
	ca, err := os.ReadFile(l.Array.CAFile())
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	p := &proxy{
		array:  "https://" + l.Array.APIAddress(),
		client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}},
	}
	p.server, err = l.Intercept(http.HandlerFunc(p.forward))
	return p, err
}

func (p *proxy) close() { p.server.Close() }

// delayNextCreate holds the next CreateVolume back.
func (p *proxy) delayNextCreate(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// drain waits until all that was held back has been delivered.
func (p *proxy) drain() { p.flying.Wait() }

func (p *proxy) forward(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answered := make(chan struct{})
	p.flying.Add(1)
	go func() { // not tied to the caller: it may be killed, the request is not
		defer p.flying.Done()
		defer close(answered)
		time.Sleep(p.holdBack(body))
		p.deliver(w, r, body)
	}()
	<-answered
}

func (p *proxy) holdBack(body []byte) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !bytes.Contains(body, []byte(`"CreateVolume"`)) {
		return 0
	}
	d := p.delay
	p.delay = 0
	return d
}

func (p *proxy) deliver(w http.ResponseWriter, r *http.Request, body []byte) {
	req, err := http.NewRequest(http.MethodPost, p.array+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	req.Header = r.Header.Clone()
	resp, err := p.client.Do(req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	for _, name := range []string{"Content-Type", "Www-Authenticate"} {
		w.Header().Set(name, resp.Header.Get(name))
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body) // the caller may be gone
}

// TestProxyHoldsBackOneCreate shows that the fault is one.
func TestProxyHoldsBackOneCreate(t *testing.T) {
	p := &proxy{}
	p.delayNextCreate(time.Hour)
	if d := p.holdBack([]byte(`{"method":"ListVolumes"}`)); d != 0 {
		t.Errorf("a list is held back %s", d)
	}
	create := []byte(strings.ReplaceAll(`{'method':'CreateVolume'}`, "'", `"`))
	if d := p.holdBack(create); d != time.Hour {
		t.Errorf("the create is held back %s", d)
	}
	if d := p.holdBack(create); d != 0 {
		t.Errorf("the next create is held back %s", d)
	}
}
