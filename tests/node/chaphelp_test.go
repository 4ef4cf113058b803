//go:build guest

package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
	"github.com/san-csi/san-csi/tests/lab"
)

const arraysFile = "/etc/san-csi/arrays.yaml"

// asks starts the driver anew with these keys in its entry of the array, until
// the test ends.
func (b *bench) asks(t *testing.T, keys map[string]any) {
	t.Helper()
	text, err := b.node.VM.Get(t.Context(), arraysFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Arrays []map[string]any `json:"arrays"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for key, value := range keys {
		file.Arrays[0][key] = value
	}
	changed, err := yaml.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	put := func(ctx context.Context, text []byte) error { return b.node.VM.Put(ctx, arraysFile, text, 0o600) }
	if err := put(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := put(context.Background(), text); err != nil {
			t.Error(err)
		}
		if err := b.node.RestartDriver(context.Background()); err != nil {
			t.Error(err)
		}
	})
	must(t, b.node.RestartDriver)
	b.rename(t)
}

// watchIscsiadm puts a script in iscsiadm's place that writes down its arguments
// first; the result gives those since it was asked last.
func (b *bench) watchIscsiadm(t *testing.T) func() []string {
	t.Helper()
	b.sh(t, `p=$(command -v iscsiadm); [ -e $p.real ] || mv $p $p.real
printf '#!/bin/sh\necho "$*" >>/run/iscsiadm.calls\nexec %s.real "$@"\n' $p >$p.new && chmod 755 $p.new && mv $p.new $p; : >/run/iscsiadm.calls`)
	t.Cleanup(func() {
		if _, err := b.node.VM.Run(context.Background(), "p=$(command -v iscsiadm); mv $p.real $p"); err != nil {
			t.Error(err)
		}
	})
	return func() []string {
		out := strings.TrimSpace(b.sh(t, "cat /run/iscsiadm.calls; : >/run/iscsiadm.calls"))
		if out == "" {
			return nil
		}
		return strings.Split(out, "\n")
	}
}

// initiator is this node's on the array.
func (b *bench) initiator(t *testing.T) element.Initiator {
	t.Helper()
	n, err := san.ParseNode(b.id)
	if err != nil {
		t.Fatal(err)
	}
	groups, err := b.lab.Element.ListVolumeAccessGroups(t.Context(), element.ListVolumeAccessGroupsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if len(g.Initiators) != 1 || g.Initiators[0] != n.IQN {
			continue
		}
		found, err := b.lab.Element.ListInitiators(t.Context(), g.InitiatorIDs...)
		if err != nil || len(found) != 1 {
			t.Fatalf("initiator of group %d: %v, %v", g.ID, found, err)
		}
		return found[0]
	}
	t.Fatalf("%s is in no group", n.IQN)
	return element.Initiator{}
}

func (b *bench) setSecret(t *testing.T, initiator int64, secret element.Secret) {
	t.Helper()
	if err := b.lab.Element.ModifyInitiator(t.Context(), element.ModifyInitiatorRequest{ID: initiator, InitiatorSecret: secret}); err != nil {
		t.Fatal(err)
	}
}

// session is the name of the volume's session in the kernel.
func (v *volume) session(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(v.b.sh(t, "cd /sys/class/iscsi_session; for s in *; do [ $(cat $s/targetname) != "+v.grant["iqn"]+" ] || echo $s; done"))
}

// awaitLogins waits until every session is logged in; the kernel fails their I/O
// where one is away for 120 seconds.
func (b *bench) awaitLogins(t *testing.T) {
	t.Helper()
	b.sh(t, `cd /sys/class/iscsi_session; n=0
while grep -qv LOGGED_IN */state; do
  [ $n -lt 1000 ] || { grep . */state; cat /proc/net/unix | grep ISCSIADM; tail -n 20 `+lab.Log+`; exit 1; } >&2
  usleep 100000; n=$((n+1))
done`)
}

// checkNoSecret looks for the node's secrets where others could read them.
func (b *bench) checkNoSecret(t *testing.T, v *volume, calls []string) {
	t.Helper()
	i := b.initiator(t)
	log, err := b.node.VM.Get(t.Context(), lab.Log)
	if err != nil {
		t.Fatal(err)
	}
	grant, err := json.Marshal(v.grant)
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]string{
		"the driver's log (--v=4)":   string(log),
		"the publish context":        string(grant),
		"the command lines":          b.sh(t, "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'; true"),
		"iscsiadm's command lines":   strings.Join(calls, "\n"),
		"the stage records":          b.sh(t, "cat /var/lib/san-csi/records/*.json"),
		"what others than root read": b.sh(t, "find /etc/iscsi /var/lib/iscsi /var/lib/san-csi /run/lock/iscsi -type f -perm /077 2>/dev/null | xargs -r cat"),
	}
	for _, secret := range []string{string(i.InitiatorSecret), string(i.TargetSecret)} {
		for place, text := range places {
			if secret == "" || strings.Contains(text, secret) {
				t.Errorf("a secret of %d characters shows in %s", len(secret), place)
			}
		}
	}
}

// authenticated is what the array tells of a session's login.
type authenticated struct {
	Initiator      string `json:"initiatorName"`
	Authentication struct {
		Method    string `json:"authMethod"`
		Algorithm string `json:"chapAlgorithm"`
		Direction string `json:"direction"`
	} `json:"authentication"`
}

// sessions asks the array, past the driver's client, which does not read that.
func (b *bench) sessions(t *testing.T) []authenticated {
	t.Helper()
	ca, err := os.ReadFile(b.lab.Array.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+b.lab.Array.APIAddress()+"/json-rpc/12.5",
		bytes.NewReader([]byte(`{"method":"ListISCSISessions"}`)))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(b.lab.Username, b.lab.Password)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Result struct {
			Sessions []authenticated `json:"sessions"`
		} `json:"result"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer.Result.Sessions
}
