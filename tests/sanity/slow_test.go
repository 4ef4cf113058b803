package sanity

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/san-csi/san-csi/pkg/element"
)

// sluggish stands before an array and keeps the calls whose body holds a text, until
// their caller gives up.
type sluggish struct {
	behind http.Handler
	text   atomic.Value  // string, "" = none
	kept   chan struct{} // told of each
}

func (s *sluggish) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if text, _ := s.text.Load().(string); text != "" && strings.Contains(string(body), text) {
		s.kept <- struct{}{}
		<-r.Context().Done()
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.behind.ServeHTTP(w, r)
}

// before is the array as it is reached through a sluggish line.
func before(t *testing.T, array element.Config) (element.Config, *sluggish) {
	t.Helper()
	ca, err := os.ReadFile(array.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	target, err := url.Parse(array.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: target.Scheme, Host: target.Host})
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	proxy.Transport = transport
	line := &sluggish{behind: proxy, kept: make(chan struct{}, 16)}
	front := httptest.NewTLSServer(line)
	t.Cleanup(front.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	array.Endpoint, array.CAFile = front.URL+target.Path, file
	return array, line
}

// TestSlowVolume: while the array keeps the calls for one volume, those end at their
// deadlines; all others go on, and it itself does once the array answers.
func TestSlowVolume(t *testing.T) {
	array, line := before(t, startArray(t))
	s := startOn(t, array)
	c := csi.NewControllerClient(s.conn)
	slow, err := s.create(t.Context(), "pvc-slow")
	check(t, err, codes.OK)
	quick, err := s.create(t.Context(), "pvc-quick")
	check(t, err, codes.OK)
	line.text.Store(fmt.Sprintf(`"volumeIDs":[%d]`, handle(t, slow.GetVolumeId()).Volume))

	modify := func(id string, deadline time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		defer cancel()
		_, err := c.ControllerModifyVolume(ctx, &csi.ControllerModifyVolumeRequest{VolumeId: id, MutableParameters: parameters("maxIOPS", "7000")})
		return err
	}
	held := make(chan error, 1)
	go func() { held <- modify(slow.GetVolumeId(), time.Minute) }()
	<-line.kept
	check(t, modify(quick.GetVolumeId(), time.Minute), codes.OK)
	_, err = s.create(t.Context(), "pvc-new")
	check(t, err, codes.OK)
	_, err = c.DeleteVolume(t.Context(), &csi.DeleteVolumeRequest{VolumeId: quick.GetVolumeId()})
	check(t, err, codes.OK)
	select {
	case err := <-held:
		t.Fatalf("the call that the array keeps ended: %v", err)
	default:
	}
	check(t, modify(slow.GetVolumeId(), time.Minute), codes.Aborted)
}

// TestSlowDeadline: a call that the array keeps ends with its caller's deadline, and
// what comes after it finds nothing in its way.
func TestSlowDeadline(t *testing.T) {
	array, line := before(t, startArray(t))
	s := startOn(t, array)
	v, err := s.create(t.Context(), "pvc-1")
	check(t, err, codes.OK)
	line.text.Store(`"method":"ModifyVolume"`)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = csi.NewControllerClient(s.conn).ControllerModifyVolume(ctx, &csi.ControllerModifyVolumeRequest{
		VolumeId: v.GetVolumeId(), MutableParameters: parameters("minIOPS", "700")})
	check(t, err, codes.DeadlineExceeded)
	line.text.Store("")
	for status := codes.Aborted; status == codes.Aborted; { // until the driver has seen the end of it
		status = grpcstatus.Code(s.modify(t, v.GetVolumeId(), "minIOPS", "600"))
		if status != codes.Aborted && status != codes.OK {
			t.Fatal(status)
		}
	}
	if now := s.volume(t, v.GetVolumeId()); now.QoS.MinIOPS != 600 {
		t.Errorf("the array has %+v", now.QoS)
	}
}
