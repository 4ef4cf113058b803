//go:build chart

package chart

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/san-csi/san-csi/pkg/config"
)

// TestArraysFile: the driver's own reader takes what the chart writes.
func TestArraysFile(t *testing.T) {
	m := render(t, "full")
	secret := one[*corev1.Secret](t, m, "san-csi-arrays")
	c, err := config.Parse([]byte(secret.StringData["arrays.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	a := c.Arrays[0]
	if a.Name != "a" || a.Password != "not-a-real-one" || a.CAFile != "/etc/san-csi/a-ca.pem" || a.Labels["tier"] != "fast" {
		t.Errorf("array %+v", a)
	}
	if !strings.HasPrefix(secret.StringData["a-ca.pem"], "-----BEGIN CERTIFICATE-----\n") {
		t.Errorf("a-ca.pem: %q", secret.StringData["a-ca.pem"])
	}
}

// TestPasswordsStayInSecrets: nothing else that is rendered holds one, or changes
// with the arrays: the driver reads their file again, and is not restarted.
func TestPasswordsStayInSecrets(t *testing.T) {
	others := func(set string) string {
		m := render(t, "full", set)
		var text strings.Builder
		for _, o := range m.objects {
			if _, ok := o.(*corev1.Secret); !ok {
				text.WriteString(encode(t, o))
			}
		}
		return text.String()
	}
	first := others(`arrays[0].password="first-password"`)
	if strings.Contains(first, "first-password") {
		t.Error("the password is not in a Secret alone")
	}
	for _, set := range []string{`arrays[0].password="second-password"`, "arrays[0].capacityIOPS=1000"} {
		if others(set) != first {
			t.Errorf("%s changes more than the Secret", set)
		}
	}
}

func TestExistingSecret(t *testing.T) {
	m := render(t, "secret")
	if n := len(all[*corev1.Secret](m)); n != 0 {
		t.Errorf("%d Secrets, want none made", n)
	}
	volumes := one[*appsv1.Deployment](t, m, "san-csi-controller").Spec.Template.Spec.Volumes
	for _, v := range volumes {
		if v.Name == "arrays" && v.Projected.Sources[0].Secret.Name == "san-csi-arrays" {
			return
		}
	}
	t.Errorf("the given Secret is not mounted: %+v", volumes)
}

// TestEvaluation: credentials, certificate and arrays' file fit each other.
func TestEvaluation(t *testing.T) {
	m := render(t, "evaluation", `evaluation.clusterIP="10.96.7.7"`)
	made := one[*corev1.Secret](t, m, "san-csi-evaluation").Data
	dir := t.TempDir()
	for _, name := range []string{"username", "password", "ca.crt"} {
		if err := os.WriteFile(filepath.Join(dir, name), made[name], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := one[*corev1.Secret](t, m, "san-csi-arrays").StringData["arrays.yaml"]
	c, err := config.Parse([]byte(strings.ReplaceAll(file, "/etc/san-csi/evaluation", dir)))
	if err != nil {
		t.Fatal(err)
	}
	a := c.Arrays[0]
	if a.Endpoint != "https://10.96.7.7/json-rpc/12.5" || len(a.Password) != 32 {
		t.Errorf("endpoint %s, a password of %d characters", a.Endpoint, len(a.Password))
	}
	if !strings.Contains(string(made["credentials.yaml"]), a.Password) {
		t.Error("array and driver have different passwords")
	}
	for _, host := range []string{"10.96.7.7", "san-csi-evaluation.san-csi.svc"} {
		if err := verify(made["ca.crt"], made["tls.crt"], host); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	class := one[*storagev1.StorageClass](t, m, "san-csi-evaluation")
	if class.Parameters["array"] != a.Name {
		t.Errorf("class of array %q, the array is %q", class.Parameters["array"], a.Name)
	}
}

func verify(ca, cert []byte, host string) error {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	block, _ := pem.Decode(cert)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host})
	return err
}
