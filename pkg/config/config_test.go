package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const whole = `
arrays:
- name: a
  driver: element
  clusterID: 3eeu
  endpoint: https://mvip/json-rpc/12.5
  username: admin
  password: s3cr3t-value
  caFile: /etc/san-csi/ca.pem
  account: k8s
  labels: {tier: fast}
  bytesOvercommit: 3
  capacityIOPS: 200000
  iopsOvercommit: 1.5
  chap: node-mutual
  chapRotation: 720h
  topology: [{topology.san-csi.io/zone: a}]
`

func TestParse(t *testing.T) {
	c, err := Parse([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	a := c.Arrays[0]
	if a.Name != "a" || a.ClusterID != "3eeu" || a.Labels["tier"] != "fast" || a.BytesOvercommit != 3 ||
		a.CapacityIOPS != 200000 || a.IOPSOvercommit != 1.5 || a.Topology[0]["topology.san-csi.io/zone"] != "a" || a.Password != "s3cr3t-value" ||
		a.CHAP != CHAPNodeMutual || a.Rotation() != 720*time.Hour {
		t.Errorf("got %+v", a)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ old, new, want string }{
		"no arrays":         {whole, "arrays: []", "list is empty"},
		"unknown key":       {"account: k8s", "acount: k8s", `unknown field "acount"`},
		"a bad name":        {"name: a", "name: A_1", `name "A_1"`},
		"another family":    {"driver: element", "driver: fancy", `driver "fancy": only "element"`},
		"plain http":        {"https://mvip", "http://mvip", "endpoint: must be https://"},
		"login in endpoint": {"https://mvip", "https://u:p@mvip", "without credentials"},
		"no account":        {"account: k8s", "account: ''", "account: missing"},
		"no password":       {"password: s3cr3t-value", "password: ''", "password: missing"},
		"both passwords":    {"password: s3cr3t-value", "password: s3cr3t-value\n  passwordFile: /x", "only one"},
		"no such file":      {"password: s3cr3t-value", "passwordFile: /does/not/exist", "passwordFile: open"},
		"negative factor":   {"bytesOvercommit: 3", "bytesOvercommit: -1", "must not be negative"},
		"negative share":    {"iopsOvercommit: 1.5", "iopsOvercommit: -0.5", "iopsOvercommit -0.5"},
		"negative IOPS":     {"capacityIOPS: 200000", "capacityIOPS: -1", "capacityIOPS -1"},
		"no segments":       {"[{topology.san-csi.io/zone: a}]", "[{}]", "topology[0]: empty"},
		"an empty segment":  {"zone: a}]", "zone: ''}]", `zone": ""`},
		"unknown chap":      {"chap: node-mutual", "chap: mutual", `chap "mutual": must be one of none, node, node-mutual`},
		"a bad rotation":    {"chapRotation: 720h", "chapRotation: monthly", `chapRotation "monthly"`},
		"no rotation":       {"chapRotation: 720h", "chapRotation: 0s", `chapRotation "0s": must be a positive`},
		"rotation of none":  {"chap: node-mutual", "chap: none", `chapRotation "720h": needs chap: node`},
		"a type error":      {"password: s3cr3t-value", "password: [s3cr3t-value]", "wrong type"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(strings.Replace(whole, tc.old, tc.new, 1)))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want an error with %q", err, tc.want)
			}
			if strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

// TestNoCHAP is what a file that does not speak of it says.
func TestNoCHAP(t *testing.T) {
	c, err := Parse([]byte(strings.NewReplacer("  chap: node-mutual\n", "", "  chapRotation: 720h\n", "").Replace(whole)))
	if err != nil || c.Arrays[0].CHAP != CHAPNone || c.Arrays[0].Rotation() != 0 {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestNamesAreUsedOnce(t *testing.T) {
	_, second, _ := strings.Cut(whole, "arrays:\n")
	if _, err := Parse([]byte(whole + second)); err == nil || !strings.Contains(err.Error(), "used twice") {
		t.Errorf("got %v", err)
	}
}

func TestLoadReadsCredentialsFromFiles(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "password")
	file := filepath.Join(dir, "arrays.yaml")
	write(t, secret, "from-a-file\n")
	write(t, file, strings.Replace(whole, "password: s3cr3t-value", "passwordFile: "+secret, 1))
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Arrays[0].Password; got != "from-a-file" {
		t.Errorf("password %q", got)
	}
	write(t, secret, "\n")
	if _, err := Load(file); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("an empty password file: got %v", err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
