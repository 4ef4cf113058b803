//go:build cluster

package cluster

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/san-csi/san-csi/tests/guest"
	"github.com/san-csi/san-csi/tests/lab"
	"github.com/san-csi/san-csi/tests/secrets"
)

// remember keeps an array's secrets, those of CHAP among them, for the scan, which
// knows those of the beginning and of the end: a part that has others in between
// calls it while they are there.
func (b *bench) remember(t *testing.T, array *lab.Lab) {
	t.Helper()
	all, err := array.Secrets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range all {
		if !slices.Contains(slices.Collect(maps.Values(b.secrets)), secret) {
			b.secrets[fmt.Sprintf("%s (secret %d, array at %s)", name, len(b.secrets)+1, array.Array.APIAddress())] = secret
		}
	}
}

// rememberEvaluation keeps the password that the chart made for its own array, if
// that is installed.
func (b *bench) rememberEvaluation(t *testing.T) {
	t.Helper()
	encoded := b.must(t, "get", "secret", "--namespace", Namespace, Release+"-evaluation", "--ignore-not-found", "--output=jsonpath={.data.password}")
	password, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if len(password) > 0 {
		b.secrets["password of the evaluation array"] = string(password)
	}
}

// testNoSecrets: no secret that was used until now is in any object that was
// ever in etcd, Events among them, but Secrets; nor in a log of a pod, a node or
// a program of the control plane; nor in a span of the driver's.
func testNoSecrets(t *testing.T, b *bench) {
	b.remember(t, b.Lab)
	b.rememberEvaluation(t)
	s, err := secrets.New(b.secrets)
	if err != nil {
		t.Fatal(err)
	}
	b.scanHistory(t, s)
	logs, err := guest.LogDir()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Files(logs, filepath.Join(b.dir, "host", podLogs), b.control.path(auditLog)); err != nil {
		t.Error(err)
	}
	if err := b.spans.Check(s); err != nil {
		t.Error(err)
	}
	for _, w := range b.Workers {
		b.scanWorker(t, s, w)
	}
}

// scanHistory looks through etcd. The password of the array must be found where
// it belongs, so that a scan that is blind is seen.
func (b *bench) scanHistory(t *testing.T, s *secrets.Scanner) {
	t.Helper()
	var found []error
	inSecrets := 0
	n, err := b.control.history(t.Context(), func(c change) error {
		err := s.Reader(string(c.Key), bytes.NewReader(c.Value))
		switch {
		case err != nil && strings.HasPrefix(string(c.Key), secretKeys):
			inSecrets++
		case err != nil:
			found = append(found, err)
		}
		return nil
	})
	if err := errors.Join(append(found, err)...); err != nil {
		t.Error(err)
	}
	if inSecrets == 0 {
		t.Error("etcd has no Secret with the array's password: the scan sees nothing")
	}
	t.Logf("%d values of etcd: %d in Secrets hold one of %d secrets, %d others do", n, inSecrets, len(b.secrets), len(found))
}

// scanWorker looks through the logs of a worker and of its pods.
func (b *bench) scanWorker(t *testing.T, s *secrets.Scanner, w *Worker) {
	t.Helper()
	files, err := w.VM.Run(t.Context(), fmt.Sprintf("find /var/log %s -type f", filepath.Join(workerState, podLogs)))
	if err != nil {
		t.Fatal(err)
	}
	bytesSeen := 0
	for _, file := range strings.Fields(files) {
		content, err := w.VM.Get(t.Context(), file)
		if err != nil {
			t.Errorf("%s of %s: %v", file, w.Name, err)
		}
		bytesSeen += len(content)
		if err := s.Reader(w.Name+":"+file, bytes.NewReader(content)); err != nil {
			t.Error(err)
		}
	}
	if bytesSeen == 0 {
		t.Errorf("%s has no logs", w.Name)
	}
	t.Logf("%s: %d bytes of logs", w.Name, bytesSeen)
}
