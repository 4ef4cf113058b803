package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// certificateLife outlives every run.
const certificateLife = 48 * time.Hour

// certificates is the directory of the control plane's keys.
type certificates string

func (c certificates) path(name string) string { return filepath.Join(string(c), name) }

// serviceAccountKey signs the pods' tokens.
func (c certificates) serviceAccountKey() string { return c.path("service-account.key") }

// kubeletClientCA is what kubelets hold the API server's client certificate against.
func (c certificates) kubeletClientCA() string   { return c.path("kubelet-client-ca.crt") }
func (c certificates) kubeletClientCert() string { return c.path("kubelet-client.crt") }
func (c certificates) kubeletClientKey() string  { return c.path("kubelet-client.key") }

// apiServerCA is the certificate that the API server makes for itself.
func (c certificates) apiServerCA() string { return c.path("apiserver.crt") }

// make writes all but the API server's own certificate.
func (c certificates) make() error {
	if err := os.MkdirAll(string(c), 0o700); err != nil {
		return err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	if err := writePEM(c.serviceAccountKey(), "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)); err != nil {
		return err
	}
	return c.makeKubeletClient()
}

// makeKubeletClient makes the certificate by which the API server may read a
// pod's logs and run commands in it.
func (c certificates) makeKubeletClient() error {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := certificate(1, pkix.Name{CommonName: "kubelet-client-ca"})
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	client := certificate(2, pkix.Name{Organization: []string{"system:masters"}, CommonName: "apiserver-kubelet-client"})
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, client, ca, key.Public(), caKey)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		writePEM(c.kubeletClientCA(), "CERTIFICATE", caDER),
		writePEM(c.kubeletClientCert(), "CERTIFICATE", der),
		writePEM(c.kubeletClientKey(), "EC PRIVATE KEY", keyDER),
	)
}

func certificate(serial int64, subject pkix.Name) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: subject,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateLife),
	}
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// kubeconfig is a client's file for a server whose certificate is in caFile.
func kubeconfig(server, caFile, token string) []byte {
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: cluster, cluster: {server: %q, certificate-authority: %q, tls-server-name: kubernetes}}]
users: [{name: user, user: {token: %q}}]
contexts: [{name: context, context: {cluster: cluster, user: user}}]
current-context: context
`, server, caFile, token)
}
