// Package lab puts the parts together for the demo and the tests in virtual
// machines: san-array on the host's side of a private network, guests as nodes,
// the driver in each. Its callers have called guest.Isolate.
package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"

	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/tests/guest"
	"github.com/san-csi/san-csi/tests/secrets"
)

// Lab is an array and the nodes that use it.
type Lab struct {
	Array    *guest.ArrayProcess
	Element  *element.Client // to look at the array, past the driver
	Username string
	Password string

	endpoint string // of the API, as drivers are told
	ca       []byte // of the endpoint's certificate, PEM
	payload  string
	data     string // the array's directory
	spans    *secrets.Collector
}

const apiPath = "/json-rpc/12.5"

// Open starts the array, with further arguments. bin is the directory of the
// built programs.
func Open(ctx context.Context, bin string, args ...string) (*Lab, error) {
	l, err := open(ctx, bin, guest.ArrayConfig{Args: args})
	if err != nil {
		return nil, err
	}
	l.payload, err = payload(ctx, filepath.Join(filepath.Dir(l.data), "payload"), bin)
	return l, err
}

// OpenSecond starts another array, beside that of Open. It boots no nodes.
func OpenSecond(ctx context.Context, bin string) (*Lab, error) {
	return open(ctx, bin, guest.ArrayConfig{Second: true})
}

func open(ctx context.Context, bin string, config guest.ArrayConfig) (*Lab, error) {
	parent, err := guest.RunDir()
	if err != nil {
		return nil, err
	}
	run, err := os.MkdirTemp(parent, "lab-")
	if err != nil {
		return nil, err
	}
	l := &Lab{data: filepath.Join(run, "array")}
	if err := os.Mkdir(l.data, 0o700); err != nil {
		return nil, err
	}
	config.Binary, config.DataDir = filepath.Join(bin, "san-array"), l.data
	if l.Array, err = guest.StartArray(ctx, config); err != nil {
		return nil, err
	}
	return l, l.connect()
}

// credentials are the array's file of them.
type credentials struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// ChangePassword gives the array's administrator another password, and Element
// too. The array is started again for that.
func (l *Lab) ChangePassword(ctx context.Context, password string) error {
	raw, err := yaml.Marshal(credentials{l.Username, password})
	if err != nil {
		return err
	}
	if err := os.WriteFile(l.Array.CredentialsFile(), raw, 0o600); err != nil {
		return err
	}
	if err := l.Array.Restart(ctx); err != nil {
		return err
	}
	l.Element.Close()
	return l.connect()
}

// connect opens a client with the credentials that the array made for itself.
func (l *Lab) connect() error {
	raw, err := os.ReadFile(l.Array.CredentialsFile())
	if err != nil {
		return err
	}
	var credentials credentials
	if err := yaml.Unmarshal(raw, &credentials); err != nil {
		return fmt.Errorf("credentials of the array: %w", err)
	}
	l.Username, l.Password = credentials.Username, credentials.Password
	l.endpoint = "https://" + l.Array.APIAddress() + apiPath
	if l.ca, err = os.ReadFile(l.Array.CAFile()); err != nil {
		return err
	}
	l.Element, err = element.New(element.Config{
		Endpoint: l.endpoint, Username: l.Username, Password: l.Password, CAFile: l.Array.CAFile(),
	})
	return err
}

// payload is the disk with the programs that run in the guests.
func payload(ctx context.Context, dir, bin string) (string, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	for _, name := range []string{"san-csi", "csi-sanity", "failpoint"} {
		program, err := os.ReadFile(filepath.Join(bin, name))
		if os.IsNotExist(err) && name != "san-csi" {
			continue
		}
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, name), program, 0o755); err != nil {
			return "", err
		}
	}
	return guest.Payload(ctx, dir)
}

// Leftovers is what stands on the array: volumes (also deleted ones), access
// groups and sessions. After all is undone it is empty.
func (l *Lab) Leftovers(ctx context.Context) ([]string, error) {
	var left []string
	volumes, err := l.Element.ListVolumes(ctx, element.ListVolumesRequest{})
	if err != nil {
		return nil, err
	}
	for _, v := range volumes {
		left = append(left, fmt.Sprintf("volume %d %q (%s)", v.VolumeID, v.Name, v.Status))
	}
	groups, err := l.Element.ListVolumeAccessGroups(ctx, element.ListVolumeAccessGroupsRequest{})
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		left = append(left, fmt.Sprintf("access group %d of %v with volumes %v", g.ID, g.Initiators, g.Volumes))
	}
	sessions, err := l.Element.ListISCSISessions(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range sessions {
		left = append(left, fmt.Sprintf("session %d of %s on volume %d", s.SessionID, s.InitiatorName, s.VolumeID))
	}
	return left, nil
}
