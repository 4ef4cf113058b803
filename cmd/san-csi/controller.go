package main

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/san-csi/san-csi/pkg/config"
	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/provision"
	"github.com/san-csi/san-csi/pkg/san"
	sanelement "github.com/san-csi/san-csi/pkg/san/element"
)

// controllerFlows wires the controller's rooms. No array is called yet: one
// that is down must not keep the others from being served.
func controllerFlows(file *config.Config, cluster string, maxVolumes int) (*provision.Flows, error) {
	var members []placement.Member
	for _, a := range file.Arrays {
		array, err := openArray(a, cluster, maxVolumes)
		if err != nil {
			return nil, fmt.Errorf("array %q: %w", a.Name, err)
		}
		members = append(members, placement.Member{Name: a.Name, Labels: a.Labels, Array: array})
	}
	return provision.New(placement.NewFleet(members), cluster), nil
}

// openArray is the array of that entry; config has checked its family.
func openArray(a config.Array, cluster string, maxVolumes int) (san.Array, error) {
	client, err := element.New(element.Config{
		Endpoint: a.Endpoint, Username: a.Username, Password: a.Password, CAFile: a.CAFile,
	})
	if err != nil {
		return nil, err
	}
	return sanelement.New(sanelement.Config{
		Client: client, ClusterID: a.ClusterID, Account: a.Account, Cluster: cluster,
		Incarnation: uuid.NewString(), BytesOvercommit: a.BytesOvercommit,
		MaxVolumesPerNode: maxVolumes,
		// Disk images with partition tables of 512-byte sectors work on a raw LUN.
		Enable512e: true,
	})
}
