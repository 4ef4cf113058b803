package element

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Names of the API's errors that callers tell apart.
const (
	XAlreadyInVolumeAccessGroup      = "xAlreadyInVolumeAccessGroup"
	XDuplicateUsername               = "xDuplicateUsername"
	XExceededLimit                   = "xExceededLimit"
	XNotInVolumeAccessGroup          = "xNotInVolumeAccessGroup"
	XUnknownAccount                  = "xUnknownAccount"
	XAccountIDDoesNotExist           = "xAccountIDDoesNotExist"
	XVolumeIDDoesNotExist            = "xVolumeIDDoesNotExist"
	XVolumeAccessGroupIDDoesNotExist = "xVolumeAccessGroupIDDoesNotExist"
	XQoSPolicyDoesNotExist           = "xQoSPolicyDoesNotExist"
	XInvalidParameter                = "xInvalidParameter"
	XVolumeShrinkProhibited          = "xVolumeShrinkProhibited"
	XSnapshotIDDoesNotExist          = "xSnapshotIDDoesNotExist"
	XGroupSnapshotDoesNotExist       = "xGroupSnapshotDoesNotExist"
	XMaxSnapshotsPerVolumeExceeded   = "xMaxSnapshotsPerVolumeExceeded"
	XInitiatorDoesNotExist           = "xInitiatorDoesNotExist"
	XAsyncHandleDoesNotExist         = "xAsyncHandleDoesNotExist"
)

// headBytes of an answer that is not the API's are quoted.
const headBytes = 200

// Error is the array's refusal of a call.
type Error struct {
	Method  string
	Name    string // such as xVolumeIDDoesNotExist
	Message string
	Code    int
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s (%d): %.300s", e.Method, e.Name, e.Code, e.Message)
}

// IsName tells whether err is the array's refusal under one of the names.
func IsName(err error, names ...string) bool {
	var e *Error
	return errors.As(err, &e) && slices.Contains(names, e.Name)
}

// AuthError: the array does not take the username and password (HTTP 401).
type AuthError struct {
	Endpoint, User string
}

func (e *AuthError) Error() string {
	return fmt.Sprintf("array %s: refuses user %q or its password (401)", e.Endpoint, e.User)
}

// VersionError: the array does not speak the API version of the endpoint (HTTP 404).
type VersionError struct {
	Endpoint string
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("array %s: does not speak this API version, or is no Element array (404)", e.Endpoint)
}

// AnswerError: an answer came that is not the API's, as from a proxy.
type AnswerError struct {
	Method, Endpoint string
	Status           int
	ContentType      string
	Head             string // the first bytes; empty where they may hold the array's data
	Err              error
}

func (e *AnswerError) Error() string {
	return fmt.Sprintf("%s: array %s: answer is not the API's: status %d, content type %.80q, begins %q: %v",
		e.Method, e.Endpoint, e.Status, e.ContentType, e.Head, e.Err)
}

func (e *AnswerError) Unwrap() error { return e.Err }

// CertificateError: the array's certificate is not trusted.
type CertificateError struct {
	Endpoint, CAFile string
	Err              error
}

func (e *CertificateError) Error() string {
	if e.CAFile == "" {
		return fmt.Sprintf("array %s: certificate is not trusted by the system's CAs; give the array's CA as caFile: %v", e.Endpoint, e.Err)
	}
	return fmt.Sprintf("array %s: certificate is not trusted by caFile %s: %v", e.Endpoint, e.CAFile, e.Err)
}

func (e *CertificateError) Unwrap() error { return e.Err }

// UnreachableError: no answer came, or not whole.
type UnreachableError struct {
	Method, Endpoint string
	Sent             bool // the array may have got the call and may yet carry it out
	Err              error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("%s: array %s: no answer: %v", e.Method, e.Endpoint, e.Err)
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// RateError: the caller's deadline comes before its turn.
type RateError struct {
	Endpoint  string
	PerSecond float64
	Err       error
}

func (e *RateError) Error() string {
	return fmt.Sprintf("array %s: not called, at most %g calls a second are made: %v", e.Endpoint, e.PerSecond, e.Err)
}

func (e *RateError) Unwrap() error { return e.Err }

// Transient tells whether the same call may succeed a moment later.
func Transient(err error) bool {
	var unreachable *UnreachableError
	if errors.As(err, &unreachable) {
		return true
	}
	var answer *AnswerError
	if errors.As(err, &answer) {
		return slices.Contains(gatewayErrors, answer.Status)
	}
	return IsName(err, "xNotPrimary", "xDBVersionMismatch", "xDBConnectionLoss", "xDBOperationTimeout",
		"xNoHandler", "xRecvTimeout", "xRpcTimeout", "xDBNoSuchPath", "xSliceNotRegistered", "xNotReadyForIO")
}

// errorName is the form of the API's names; what has another one is no label.
var errorName = regexp.MustCompile(`^x[A-Za-z0-9]{1,62}$`)

// Label is a short word for how a call ended, of a bounded set: "ok", the API's
// name of its refusal, or what kept an answer from coming.
func Label(err error) string {
	if err == nil {
		return "ok"
	}
	var (
		refusal     *Error
		auth        *AuthError
		version     *VersionError
		certificate *CertificateError
		answer      *AnswerError
		open        *OpenError
		rate        *RateError
	)
	switch {
	case errors.As(err, &refusal) && errorName.MatchString(refusal.Name):
		return refusal.Name
	case errors.As(err, &refusal):
		return "unnamed"
	case errors.As(err, &auth):
		return "auth"
	case errors.As(err, &version):
		return "version"
	case errors.As(err, &certificate):
		return "certificate"
	case errors.As(err, &answer):
		return "answer"
	case errors.As(err, &open):
		return "open"
	case errors.As(err, &rate):
		return "rate"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return "unreachable"
}

// transportError names what kept an answer from coming.
func (c *Client) transportError(ctx context.Context, a *access, method string, err error) error {
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &untrusted) {
		return &CertificateError{Endpoint: a.endpoint, CAFile: a.caFile, Err: untrusted.Err}
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = fmt.Errorf("none within %s: %w", c.timeout, err)
	}
	return &UnreachableError{Method: method, Endpoint: a.endpoint, Sent: !dialFailed(err), Err: err}
}

// dialFailed tells that no connection was made, so that nothing was sent.
func dialFailed(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// answerError quotes the head of an answer unless it may be JSON of the API,
// which can hold secrets of accounts and initiators.
func (a *access) answerError(method string, resp *http.Response, answer []byte, err error) error {
	head := bytes.TrimSpace(answer)
	if bytes.HasPrefix(head, []byte("{")) || bytes.HasPrefix(head, []byte("[")) {
		head = nil
	}
	token := base64.StdEncoding.EncodeToString([]byte(a.user + ":" + a.password))
	text := strings.ReplaceAll(a.redact(string(head)), token, "[redacted]")
	return &AnswerError{Method: method, Endpoint: a.endpoint, Status: resp.StatusCode,
		ContentType: resp.Header.Get("Content-Type"), Head: text[:min(len(text), headBytes)], Err: err}
}
