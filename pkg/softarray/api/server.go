// Package api is the software array's control side: the Element JSON-RPC API
// over HTTP, on the array's store. It is as tolerant as the real one, on which
// its clients depend.
package api

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/san-csi/san-csi/pkg/softarray/iscsi"
	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// Data is the data side as the API needs it. Effects of a call are asked for
// after its transaction is committed.
type Data interface {
	// Sessions are the iSCSI sessions that may still do I/O.
	Sessions() []iscsi.Session
	// Drop ends the matching sessions without waiting.
	Drop(match func(iscsi.Session) bool)
	// Refresh puts the committed size, access and QoS of volumes in use into force.
	Refresh(volumes ...int64)
	// Release lets go of volumes that are purged.
	Release(volumes ...int64)
	// SetFull says whether the array is out of room: then it takes no writes and no logins.
	SetFull(full bool)
	// Squeeze moves every volume's ceiling towards its floor, by 0..1 of the way.
	Squeeze(by float64)
	// Usage is what a volume did.
	Usage(volume store.Volume) Usage
	// Activity is what all volumes did.
	Activity() Activity
}

// Usage is a volume's I/O. The zero value is that of a volume never used.
type Usage struct {
	Total  store.Counters // since it was made
	Sample store.Counters // in the last whole sample
	Period time.Duration  // its length, about SamplePeriod; 0 = there was none
	Queue  int64          // commands outstanding at its end
	LastIO time.Time      // zero = none since the array started

	// Withheld is how much of its ceiling, 0..1, it wanted in the last sample and
	// did not get, because the array was busy with other volumes.
	Withheld    float64
	MaxIOPS     int64 // the ceiling in force, IOPS of 4 KiB
	BurstCredit int64 // what it may do beyond that, I/Os of 4 KiB
}

// Activity is the I/O of the whole array.
type Activity struct {
	Usage
	AverageIOPS  int64 // since 00:00 UTC, or since the array started if that was later
	PeakIOPS     int64 // of all samples since the array started
	PeakSessions int64
}

// SamplePeriod is how often statistics are sampled.
const SamplePeriod = 500 * time.Millisecond

// maxRequest bounds a request's body, bytes.
const maxRequest = 8 << 20

// Config is what a Server needs: the store, the data side, the clock, the
// administrator and TotalIOPS.
type Config struct {
	Store              *store.Store
	Data               Data
	Clock              clock.Clock
	Username, Password string
	TotalIOPS          int64  // what the array declares it can do, IOPS of 4 KiB
	Capacity           int64  // room for volumes, bytes; 0 = all that the file system has
	Address            string // host of MVIP and SVIP, without port
	NodeAddress        string // host of the node's SIP; "" = Address
	StrictAdmission    bool   // refuse floors whose sum exceeds TotalIOPS
	Dialect            Dialect
	FaultInjection     bool // serve the methods that inject faults
}

// Server answers API requests. It is an http.Handler.
type Server struct {
	config     Config
	methods    map[string]method
	injections injector
	wake       chan struct{} // there may be jobs to do

	mu         sync.Mutex
	nextExpiry time.Time      // when a snapshot may expire; zero = none does
	busy       map[int64]bool // the jobs that are being done
}

// New makes a server.
func New(c Config) *Server {
	s := &Server{
		config: c, methods: methodTable(), wake: make(chan struct{}, 1),
		nextExpiry: c.Clock.Now(), busy: map[int64]bool{},
	}
	if c.FaultInjection {
		maps.Copy(s.methods, injectionMethods())
	}
	return s
}

type request struct {
	Method *string         `json:"method"`
	Params json.RawMessage `json:"params"`
	ID     json.RawMessage `json:"id"`
}

// response has either a result or an error.
type response struct {
	ID     json.RawMessage `json:"id"`
	Result any             `json:"result,omitempty"`
	Error  *apiError       `json:"error,omitempty"`
}

// ServeHTTP answers one request; every error of the API travels as HTTP 200,
// since clients read the body only then.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.authorized(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="Element"`)
		htmlError(w, http.StatusUnauthorized)
		return
	}
	if !servedPath(r.URL.Path) {
		htmlError(w, http.StatusNotFound)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		htmlError(w, http.StatusMethodNotAllowed)
		return
	}
	// The body is read whatever its Content-Type says: some clients send JSON
	// labelled as form data, some no label at all.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		htmlError(w, http.StatusRequestEntityTooLarge)
		return
	}
	s.respond(w, s.answer(r, body))
}

func (s *Server) answer(r *http.Request, body []byte) response {
	var req request
	if err := json.Unmarshal(body, &req); err != nil {
		return response{Error: asAPIError(failf(invalidAPIParameter, "the request is not one JSON object: %s", plain(err)))}
	}
	out := response{ID: req.ID}
	if req.Method == nil || *req.Method == "" {
		out.Error = asAPIError(failf(missingParameter, "Missing member=[method]"))
		return out
	}
	params := req.Params
	if bytes.Equal(params, []byte("null")) {
		params = nil
	}
	result, err := s.perform(r.Context(), *req.Method, params)
	if err != nil {
		out.Error = asAPIError(err)
		klog.FromContext(r.Context()).V(2).Info("API call refused", "method", *req.Method, "error", out.Error.Name)
		return out
	}
	out.Result = result
	return out
}

// asAPIError hides nothing but the type: what is not the API's own error is a
// fault of the array, and is logged.
func asAPIError(err error) *apiError {
	if e, ok := errors.AsType[*apiError](err); ok {
		return e
	}
	klog.ErrorS(err, "API call failed")
	return &apiError{Code: errorCode, Name: internalError, Message: err.Error()}
}

func (s *Server) respond(w http.ResponseWriter, out response) {
	data, err := json.Marshal(out)
	if err != nil {
		klog.ErrorS(err, "Encoding an API response failed")
		htmlError(w, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write(data); err != nil {
		klog.V(2).InfoS("API client went away", "error", err)
	}
}

// authorized compares in constant time, whatever the lengths.
func (s *Server) authorized(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	return ok && equal(user, s.config.Username)&equal(password, s.config.Password) == 1
}

func equal(a, b string) int {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:])
}

// servedPath accepts /json-rpc/<version> where the version's first two parts
// are at most the current ones; further parts and a trailing slash are ignored.
func servedPath(path string) bool {
	version, ok := strings.CutPrefix(path, "/json-rpc/")
	if !ok {
		return false
	}
	parts := strings.Split(strings.TrimSuffix(version, "/"), ".")
	numbers := make([]int, max(2, len(parts)))
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return false
		}
		numbers[i] = n
	}
	major, minor := numbers[0], numbers[1]
	return major >= 1 && (major < currentMajor || major == currentMajor && minor <= currentMinor)
}

// htmlError answers as a web server does; clients look for the words.
func htmlError(w http.ResponseWriter, status int) {
	title := strconv.Itoa(status) + " " + http.StatusText(status)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, err := io.WriteString(w, "<html><head><title>"+title+"</title></head><body><h1>"+title+".</h1></body></html>\n")
	if err != nil {
		klog.V(2).InfoS("API client went away", "error", err)
	}
}
