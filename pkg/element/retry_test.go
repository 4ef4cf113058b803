package element

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRetries(t *testing.T) {
	read := func(ctx context.Context, c *Client) error { _, err := c.ListISCSISessions(ctx); return err }
	modify := func(ctx context.Context, c *Client) error {
		_, err := c.ModifyVolume(ctx, ModifyVolumeRequest{VolumeID: 1})
		return err
	}
	remove := func(ctx context.Context, c *Client) error {
		_, err := c.DeleteVolume(ctx, 1)
		return err
	}
	create := func(ctx context.Context, c *Client) error {
		_, err := c.CreateVolume(ctx, CreateVolumeRequest{})
		return err
	}
	group := func(ctx context.Context, c *Client) error {
		_, err := c.CreateVolumeAccessGroup(ctx, CreateVolumeAccessGroupRequest{})
		return err
	}
	busy, ok := refusal("xDBVersionMismatch"), result(`{}`)
	gateway := page(http.StatusServiceUnavailable, "text/html", "later")
	cases := map[string]struct {
		call    func(context.Context, *Client) error
		answers []http.HandlerFunc
		calls   int
		fails   bool
	}{
		"a read is repeated":              {read, []http.HandlerFunc{busy, busy, ok}, 3, false},
		"a read after a lost answer":      {read, []http.HandlerFunc{hangUp, ok}, 2, false},
		"a read after a busy gateway":     {read, []http.HandlerFunc{gateway, ok}, 2, false},
		"a change is repeated":            {modify, []http.HandlerFunc{busy, ok}, 2, false},
		"a deletion is repeated":          {remove, []http.HandlerFunc{hangUp, ok}, 2, false},
		"up to the attempts":              {read, []http.HandlerFunc{busy}, 4, true},
		"not what stays wrong":            {read, []http.HandlerFunc{refusal("xInvalidParameter"), ok}, 1, true},
		"no creation after a lost answer": {create, []http.HandlerFunc{hangUp, ok}, 1, true},
		"no creation after a refusal":     {create, []http.HandlerFunc{busy, ok}, 1, true},
		"no group after a lost answer":    {group, []http.HandlerFunc{hangUp, ok}, 1, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c, a, p := serve(t, tc.answers...)
			err := tc.call(t.Context(), c)
			if (err != nil) != tc.fails || a.calls() != tc.calls {
				t.Fatalf("%d calls, %v; want %d", a.calls(), err, tc.calls)
			}
			if len(p.taken) != tc.calls-1 {
				t.Errorf("%d pauses between %d calls", len(p.taken), tc.calls)
			}
		})
	}
}

func TestCreationIsRepeatedWhereNothingWasSent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	p := &pauses{}
	c, err := New(Config{Endpoint: "https://" + address + "/json-rpc/12.5", Username: "admin", Password: secret, Clock: p, Attempts: 3})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.CreateVolume(t.Context(), CreateVolumeRequest{})
	var unreachable *UnreachableError
	if !errors.As(err, &unreachable) || unreachable.Sent || len(p.taken) != 2 || !strings.Contains(err.Error(), address) {
		t.Fatalf("%d pauses, error %v; want 2 and an address that nothing was sent to", len(p.taken), err)
	}
}

func TestPausesGrowWithinBounds(t *testing.T) {
	for attempt, most := range map[int]time.Duration{1: firstPause, 2: 2 * firstPause, 3: 4 * firstPause, 100: maxPause} {
		for range 50 {
			if p := pauseAfter(attempt); p < most/2 || p > most {
				t.Fatalf("pause %s after attempt %d; want %s to %s", p, attempt, most/2, most)
			}
		}
	}
}

func TestPauseEndsWithTheCaller(t *testing.T) {
	c, a, _ := serve(t, refusal("xDBVersionMismatch"))
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(firstPause/4))
	defer cancel()
	_, err := c.GetLimits(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || a.calls() > 1 {
		t.Fatalf("%d calls, error %v; want no pause that outlasts the deadline", a.calls(), err)
	}
}

func TestTransient(t *testing.T) {
	for err, want := range map[error]bool{
		&Error{Name: "xDBVersionMismatch"}:         true,
		&Error{Name: "xNotPrimary"}:                true,
		&Error{Name: "xSliceNotRegistered"}:        true,
		&Error{Name: "xExceededLimit"}:             false,
		&UnreachableError{Err: errors.New("gone")}: true,
		&AnswerError{Status: 502}:                  true,
		&AnswerError{Status: 200}:                  false,
		&AuthError{}:                               false,
		&VersionError{}:                            false,
		&CertificateError{}:                        false,
	} {
		if Transient(err) != want {
			t.Errorf("Transient(%v) = %t", err, !want)
		}
	}
}

// TestRefusedCredentials are read again at once, and the call goes on with those
// that were found; where there are no others it is not repeated.
func TestRefusedCredentials(t *testing.T) {
	for name, tc := range map[string]struct {
		password string // in the Secret, when it is read again
		calls    int
		fails    bool
	}{
		"were rotated": {"rotated", 2, false},
		"are wrong":    {secret, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			c, a, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if _, password, _ := r.BasicAuth(); password != "rotated" {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				result(`{"volume":{"volumeID":7}}`)(w, r)
			})
			asked := 0
			c.refused = func() {
				asked++
				if old := c.access.Load(); tc.password != old.password {
					fresh := *old
					fresh.password, fresh.post = tc.password, old.post.Clone(t.Context())
					fresh.post.SetBasicAuth(old.user, tc.password)
					c.access.Store(&fresh)
				}
			}
			_, err := c.CreateVolume(t.Context(), CreateVolumeRequest{}) // the array made none when it refused
			if (err != nil) != tc.fails || a.calls() != tc.calls || asked != 1 {
				t.Errorf("%d calls, asked %d times for others: %v", a.calls(), asked, err)
			}
		})
	}
}
