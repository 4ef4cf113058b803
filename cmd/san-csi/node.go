package main

import (
	"github.com/san-csi/san-csi/pkg/driver"
	"github.com/san-csi/san-csi/pkg/filesystem"
	"github.com/san-csi/san-csi/pkg/initiator"
	"github.com/san-csi/san-csi/pkg/san"
	"github.com/san-csi/san-csi/pkg/stage"
)

// nodeService wires the node's rooms.
func nodeService(o *options) (*driver.Node, error) {
	iscsi := initiator.New(initiator.Options{Root: o.hostRoot, InitiatorName: o.initiatorName})
	iqn, err := iscsi.Name()
	if err != nil {
		return nil, err
	}
	node, err := san.NewNode(iqn, o.nodeName)
	if err != nil {
		return nil, err
	}
	fs := filesystem.New(filesystem.Options{HostRoot: o.hostRoot})
	stager, err := stage.New(stage.Options{Iscsi: iscsi, Disks: fs, Mounts: fs, RecordsDir: o.records})
	if err != nil {
		return nil, err
	}
	return driver.NewNode(driver.NodeOptions{Stager: stager, Node: node, MaxVolumes: int64(o.maxVolumes)}), nil
}
