//go:build guest

package fence

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"slices"
	"strconv"
	"sync"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/san-csi/san-csi/tests/guest"
)

const (
	namespace = "san-csi"
	leasePath = "/apis/coordination.k8s.io/v1/namespaces/" + namespace + "/leases"
	leasePort = "8080"
)

// leases are the part of the Kubernetes API that fences need, on the host's side
// of the guests' network: Leases to get, list, watch, create and update, with
// conflicts. The chart's tests show the real API the rest.
type leases struct {
	mu       sync.Mutex
	version  int
	kept     map[string]*coordinationv1.Lease
	watchers []chan metav1.WatchEvent
}

func serveLeases(t *testing.T) *leases {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(guest.HostIP, leasePort))
	if err != nil {
		t.Fatal(err)
	}
	s := &leases{kept: map[string]*coordinationv1.Lease{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+leasePath, s.list)
	mux.HandleFunc("GET "+leasePath+"/{name}", s.get)
	mux.HandleFunc("POST "+leasePath, s.write)
	mux.HandleFunc("PUT "+leasePath+"/{name}", s.write)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound)
	})
	server := &http.Server{Handler: mux}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return s
}

// kubeconfig names the server.
func kubeconfig() []byte {
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://%s"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {}}]
current-context: c
`, net.JoinHostPort(guest.HostIP, leasePort))
}

func refuse(w http.ResponseWriter, code int32, reason metav1.StatusReason) {
	answer(w, int(code), metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: code, Reason: reason, Message: string(reason),
	})
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}

func (s *leases) get(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.kept[r.PathValue("name")]
	if !ok {
		refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound)
		return
	}
	answer(w, http.StatusOK, l)
}

// list lists and watches; it selects nothing, as clients know what they asked for.
func (s *leases) list(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	switch {
	case query.Get("sendInitialEvents") != "":
		refuse(w, http.StatusUnprocessableEntity, metav1.StatusReasonInvalid) // as a server without it does
	case query.Get("watch") != "":
		s.watch(w, r)
	default:
		s.mu.Lock()
		defer s.mu.Unlock()
		all := coordinationv1.LeaseList{
			TypeMeta: metav1.TypeMeta{Kind: "LeaseList", APIVersion: "coordination.k8s.io/v1"},
			ListMeta: metav1.ListMeta{ResourceVersion: strconv.Itoa(s.version)}, Items: []coordinationv1.Lease{},
		}
		for _, l := range s.kept {
			if only := query.Get("fieldSelector"); only == "" || only == "metadata.name="+l.Name {
				all.Items = append(all.Items, *l)
			}
		}
		answer(w, http.StatusOK, all)
	}
}

func (s *leases) watch(w http.ResponseWriter, r *http.Request) {
	events := make(chan metav1.WatchEvent, 100)
	s.mu.Lock()
	since, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	for _, l := range s.kept {
		if at, _ := strconv.Atoi(l.ResourceVersion); at > since {
			events <- event(l)
		}
	}
	s.watchers = append(s.watchers, events)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.watchers = slices.DeleteFunc(s.watchers, func(c chan metav1.WatchEvent) bool { return c == events })
	}()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	only := r.URL.Query().Get("fieldSelector")
	for {
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case e := <-events:
			if l, _ := e.Object.Object.(*coordinationv1.Lease); only == "" || only == "metadata.name="+l.Name {
				if json.NewEncoder(w).Encode(e) != nil {
					return
				}
			}
		}
	}
}

func event(l *coordinationv1.Lease) (e metav1.WatchEvent) {
	e.Type = "MODIFIED"
	e.Object.Object = l
	return e
}

func (s *leases) write(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	l := &coordinationv1.Lease{}
	if err == nil { // JSON or protobuf, as the client likes
		_, _, err = scheme.Codecs.UniversalDeserializer().Decode(body, nil, l)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, metav1.StatusReasonBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now, exists := s.kept[l.Name]
	switch creates := path.Base(r.URL.Path) == "leases"; {
	case creates && exists:
		refuse(w, http.StatusConflict, metav1.StatusReasonAlreadyExists)
		return
	case !creates && (!exists || l.ResourceVersion != now.ResourceVersion):
		refuse(w, http.StatusConflict, metav1.StatusReasonConflict)
		return
	}
	s.version++
	l.ResourceVersion = strconv.Itoa(s.version)
	l.TypeMeta = metav1.TypeMeta{Kind: "Lease", APIVersion: "coordination.k8s.io/v1"}
	s.kept[l.Name] = l
	for _, watcher := range s.watchers {
		select {
		case watcher <- event(l):
		default: // it is dead, or would have read a hundred events
		}
	}
	answer(w, http.StatusOK, l)
}
