// Package config reads the arrays' file: which SANs there are, how they are
// reached, and what this driver may take of them. The file is one YAML document,
// usually mounted from a Secret. It imports nothing of ours.
package config

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"
)

// Config is the arrays' file.
type Config struct {
	Arrays []Array `json:"arrays"`
}

// Array is one SAN of the file.
type Array struct {
	Name      string `json:"name"`
	Driver    string `json:"driver"`    // the array family: "element"
	ClusterID string `json:"clusterID"` // the array's uniqueID; "" = learnt at the first call
	Endpoint  string `json:"endpoint"`  // https://host[:port]/json-rpc/<version>

	Username     string `json:"username"`
	Password     string `json:"password"`
	UsernameFile string `json:"usernameFile"`
	PasswordFile string `json:"passwordFile"`
	CAFile       string `json:"caFile"` // "" = the system's authorities

	Account string            `json:"account"` // tenant account for the volumes
	Labels  map[string]string `json:"labels"`
	// Topology says which nodes reach the array: those with all labels of one of
	// the entries. Empty = every node.
	Topology []map[string]string `json:"topology"`

	CapacityIOPS    int64   `json:"capacityIOPS"`    // IOPS of 4 KiB; 0 = what the array says it can do
	IOPSOvercommit  float64 `json:"iopsOvercommit"`  // floors promised per IOPS of that; 0 = 1.0
	BytesOvercommit float64 `json:"bytesOvercommit"` // bytes promised per byte of blocks; 0 = what the array itself allows

	// CHAP is what nodes prove at logins: none, node (each with secrets of its
	// own) or node-mutual (the array proves itself too). "" = none.
	CHAP string `json:"chap"`
	// CHAPRotation is how old a node's secrets may grow, such as 720h; "" = any age.
	CHAPRotation string `json:"chapRotation"`

	digest [sha256.Size]byte // of the above and of the files it names
}

// Same tells whether the entry, with the files that it names, is as the other.
func (a Array) Same(other Array) bool { return a.digest == other.digest }

// DriverElement is the SolidFire / NetApp Element family.
const DriverElement = "element"

var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Load reads and checks the file. Credentials in files are read here, so that
// the rest of the program sees one form.
func Load(path string) (*Config, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("arrays file: %w", err)
	}
	c, err := Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("arrays file %s: %w", path, err)
	}
	return c, nil
}

// Parse reads the document. Unknown keys are refused: a misspelt key would
// otherwise be a setting that silently is not in force.
func Parse(raw []byte) (*Config, error) {
	var c Config
	if err := yaml.UnmarshalStrict(raw, &c); err != nil {
		// The decoder quotes values, and a value may be a password.
		return nil, errors.New("not a document of the form 'arrays: [{name, driver, endpoint, ...}]': " + redact(err))
	}
	if len(c.Arrays) == 0 {
		return nil, errors.New("arrays: the list is empty, at least 1 is needed")
	}
	seen := map[string]bool{}
	for i := range c.Arrays {
		a := &c.Arrays[i]
		if err := a.complete(); err != nil {
			return nil, fmt.Errorf("arrays[%d] %q: %w", i, a.Name, err)
		}
		if seen[a.Name] {
			return nil, fmt.Errorf("arrays[%d]: name %q is used twice", i, a.Name)
		}
		seen[a.Name] = true
	}
	return &c, nil
}

var unknownField = regexp.MustCompile(`unknown field "[^"]{1,64}"`)

// redact keeps of a decoder's error only what cannot hold a value.
func redact(err error) string {
	if m := unknownField.FindString(err.Error()); m != "" {
		return m
	}
	return "wrong type or syntax"
}

func (a *Array) complete() error {
	if !namePattern.MatchString(a.Name) {
		return fmt.Errorf("name %q: 1 to 63 lower-case letters, digits and '-'", a.Name)
	}
	if a.Driver != DriverElement {
		return fmt.Errorf("driver %q: only %q is known", a.Driver, DriverElement)
	}
	if err := checkEndpoint(a.Endpoint); err != nil {
		return err
	}
	if err := a.checkBudget(); err != nil {
		return err
	}
	if err := checkTopology(a.Topology); err != nil {
		return err
	}
	if err := a.checkCHAP(); err != nil {
		return err
	}
	if a.Account == "" {
		return errors.New("account: missing; volumes belong to a tenant account of the array")
	}
	var err error
	if a.Username, err = value("username", a.Username, a.UsernameFile); err != nil {
		return err
	}
	if a.Password, err = value("password", a.Password, a.PasswordFile); err != nil {
		return err
	}
	return a.sum()
}

// sum makes the digest. What is wrong with the CA is told by who connects.
func (a *Array) sum() error {
	ca, _ := os.ReadFile(a.CAFile)
	text, err := json.Marshal(struct {
		Array Array
		CA    []byte
	}{*a, ca})
	a.digest = sha256.Sum256(text)
	return err
}

func (a *Array) checkBudget() error {
	if a.CapacityIOPS < 0 {
		return fmt.Errorf("capacityIOPS %d: must not be negative", a.CapacityIOPS)
	}
	for _, f := range []struct {
		key   string
		value float64
	}{{"iopsOvercommit", a.IOPSOvercommit}, {"bytesOvercommit", a.BytesOvercommit}} {
		if f.value < 0 {
			return fmt.Errorf("%s %v: must not be negative", f.key, f.value)
		}
	}
	return nil
}

func checkTopology(topology []map[string]string) error {
	for i, segments := range topology {
		if len(segments) == 0 {
			return fmt.Errorf("topology[%d]: empty; leave topology out for an array that every node reaches", i)
		}
		for key, value := range segments {
			if key == "" || value == "" {
				return fmt.Errorf("topology[%d]: %q: %q: key and value must not be empty", i, key, value)
			}
		}
	}
	return nil
}

// files are those that the configuration names.
func (c *Config) files() []string {
	var files []string
	for _, a := range c.Arrays {
		for _, file := range []string{a.UsernameFile, a.PasswordFile, a.CAFile} {
			if file != "" {
				files = append(files, file)
			}
		}
	}
	return files
}

func checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return errors.New("endpoint: must be https://host[:port]/json-rpc/<version>, without credentials in it")
	}
	return nil
}

func value(field, inline, file string) (string, error) {
	switch {
	case inline != "" && file != "":
		return "", fmt.Errorf("%s and %sFile: only one of them", field, field)
	case inline != "":
		return inline, nil
	case file == "":
		return "", fmt.Errorf("%s: missing; give %s or %sFile", field, field, field)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%sFile: %w", field, err)
	}
	if v := strings.TrimRight(string(raw), "\r\n"); v != "" {
		return v, nil
	}
	return "", fmt.Errorf("%sFile %s: empty", field, file)
}
