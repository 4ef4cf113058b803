package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/san-csi/san-csi/pkg/element"
)

// Unlimited is the highest ceiling and burst that the API takes.
const Unlimited = 200_000

// LUNSize is the size of each LUN in bytes, a whole number of the array's 1 MiB.
const LUNSize = 1 << 30

// Array is a running san-array and a client of its API.
type Array struct {
	*process
	Element *element.Client

	portal  string
	account int64
	group   int64
}

// StartArray starts the program binary on dir; capability is what the array
// declares it can do, IOPS of 4 KiB. Volumes that Create makes are open to the
// initiator of that name.
func StartArray(ctx context.Context, binary, dir string, capability int64, initiator string) (*Array, error) {
	lines := make(chan string, 16)
	p, err := start(exec.Command(binary, "--data-dir", dir, "--api-address", "127.0.0.1:0",
		"--iscsi-address", "127.0.0.1:0", "--total-iops", strconv.FormatInt(capability, 10)), lines)
	if err != nil {
		return nil, err
	}
	a := &Array{process: p}
	if err := a.connect(ctx, dir, lines, initiator); err != nil {
		a.Kill()
		return nil, err
	}
	return a, nil
}

func (a *Array) connect(ctx context.Context, dir string, lines <-chan string, initiator string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	api, err := a.ready(ctx, lines)
	if err != nil {
		return err
	}
	raw, err := os.ReadFile(filepath.Join(dir, "credentials.yaml"))
	if err != nil {
		return err
	}
	var credentials struct{ Username, Password string }
	if err := yaml.Unmarshal(raw, &credentials); err != nil {
		return fmt.Errorf("credentials of the array: %w", err)
	}
	a.Element, err = element.New(element.Config{
		Endpoint: api + "/json-rpc/12.5", Username: credentials.Username, Password: credentials.Password,
		CAFile: filepath.Join(dir, "ca.pem"),
	})
	if err != nil {
		return err
	}
	if a.account, err = a.Element.AddAccount(ctx, "bench"); err != nil {
		return err
	}
	group, err := a.Element.CreateVolumeAccessGroup(ctx, element.CreateVolumeAccessGroupRequest{
		Name: "bench", Initiators: []string{initiator},
	})
	a.group = group.ID
	return err
}

// ready waits for the line that says where the array serves, notes the portal
// and gives the API's address.
func (a *Array) ready(ctx context.Context, lines <-chan string) (api string, err error) {
	for {
		select {
		case line, more := <-lines:
			if !more {
				<-a.exited
				return "", a.ended()
			}
			addresses, ok := strings.CutPrefix(line, "ready ")
			if !ok {
				continue
			}
			for address := range strings.FieldsSeq(addresses) {
				if value, ok := strings.CutPrefix(address, "api="); ok {
					api = value
				} else if value, ok := strings.CutPrefix(address, "iscsi="); ok {
					a.portal = value
				}
			}
			if api == "" || a.portal == "" {
				return "", fmt.Errorf("san-array said %q", line)
			}
			return api, nil
		case <-ctx.Done():
			return "", errors.Join(errors.New("san-array does not get ready"), ctx.Err())
		}
	}
}

// Volume is a volume of the array and its LUN.
type Volume struct {
	ID int64
	LUN
}

// Create makes n volumes with that quality of service.
func (a *Array) Create(ctx context.Context, n int, qos element.QoS) ([]Volume, error) {
	var volumes []Volume
	var ids []int64
	for range n {
		v, err := a.Element.CreateVolume(ctx, element.CreateVolumeRequest{
			Name: "bench", AccountID: a.account, TotalSize: LUNSize, QoS: &qos,
		})
		if err != nil {
			return nil, err
		}
		volumes = append(volumes, Volume{ID: v.VolumeID, LUN: LUN{Portal: a.portal, IQN: v.IQN}})
		ids = append(ids, v.VolumeID)
	}
	_, err := a.Element.AddVolumesToVolumeAccessGroup(ctx, a.group, ids...)
	return volumes, err
}

// SetQoS changes a volume's quality of service.
func (a *Array) SetQoS(ctx context.Context, volume int64, qos element.QoS) error {
	_, err := a.Element.ModifyVolume(ctx, element.ModifyVolumeRequest{VolumeID: volume, QoS: &qos})
	return err
}

// Delete removes volumes for good.
func (a *Array) Delete(ctx context.Context, volumes ...Volume) error {
	for _, v := range volumes {
		if _, err := a.Element.DeleteVolume(ctx, v.ID); err != nil {
			return err
		}
		if err := a.Element.PurgeDeletedVolume(ctx, v.ID); err != nil {
			return err
		}
	}
	return nil
}
