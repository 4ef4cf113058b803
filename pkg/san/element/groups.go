package element

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

// group is an access group with the marks of its attributes.
type group struct {
	api.VolumeAccessGroup
	cluster, tag string
	chap         bool // its initiator may need CHAP
}

func readGroup(g api.VolumeAccessGroup) group {
	text := func(key string) (s string) {
		// What is no string is no mark of ours.
		_ = json.Unmarshal(g.Attributes[key], &s)
		return s
	}
	return group{g, text(keyCluster), text(keyTag), text(keyCHAP) != ""}
}

// node is the node whose access a group of ours is; false where an initiator
// was added or taken by hand.
func (g group) node() (san.Node, bool) {
	if g.tag == "" || len(g.Initiators) != 1 {
		return san.Node{}, false
	}
	return san.Node{IQN: strings.ToLower(g.Initiators[0]), Tag: g.tag}, true
}

func (g group) holds(iqn string) bool {
	return slices.ContainsFunc(g.Initiators, func(name string) bool { return strings.EqualFold(name, iqn) })
}

// check refuses a group that is not this node's in this cluster.
func (g group) check(cluster string, n san.Node) error {
	switch {
	case g.cluster == "":
		return fmt.Errorf("initiator %s is in access group %d (%s), which this driver did not make: take it out there, or give the node another initiator name: %w",
			n.IQN, g.ID, g.Name, san.ErrBusy)
	case g.cluster != cluster:
		return fmt.Errorf("initiator %s is in access group %d (%s) of cluster %q, this is %q: %w", n.IQN, g.ID, g.Name, g.cluster, cluster, san.ErrBusy)
	case g.tag != n.Tag:
		return fmt.Errorf("initiator %s is in access group %d (%s) of the node with tag %q, this node's is %q: two nodes have one initiator name: %w",
			n.IQN, g.ID, g.Name, g.tag, n.Tag, san.ErrBusy)
	}
	if len(g.Initiators) != 1 {
		return fmt.Errorf("access group %d (%s) holds %d initiators, it must hold %s alone: %w", g.ID, g.Name, len(g.Initiators), n.IQN, san.ErrBusy)
	}
	return nil
}

// findGroup is the group that an initiator is in, nil where it is in none. The
// array finds groups by id alone, so they are remembered as they were last seen:
// whoever changes one verifies it by the answer.
func (a *Array) findGroup(ctx context.Context, iqn string) (*group, error) {
	g, known, all := a.groups.get(iqn)
	if known {
		return &g, nil
	}
	if all {
		return nil, nil
	}
	var seen []group
	err := a.eachGroup(ctx, func(g group) bool {
		seen = append(seen, g)
		return true
	})
	if err != nil {
		return nil, err
	}
	a.groups.fill(seen)
	if g, known, _ = a.groups.get(iqn); known {
		return &g, nil
	}
	return nil, nil
}

// groupsOf are the groups that a volume is in, as the array has them now.
func (a *Array) groupsOf(ctx context.Context, v api.Volume) ([]group, error) {
	groups, err := a.groupsByID(ctx, v.VolumeAccessGroups)
	for _, g := range groups {
		a.groups.put(g)
	}
	return slices.DeleteFunc(groups, func(g group) bool { return !slices.Contains(g.Volumes, v.VolumeID) }), err
}

func (a *Array) groupsByID(ctx context.Context, ids []int64) ([]group, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	listed, err := a.client.ListVolumeAccessGroups(ctx, api.ListVolumeAccessGroupsRequest{IDs: ids})
	if api.IsName(err, api.XVolumeAccessGroupIDDoesNotExist) && len(ids) == 1 {
		return nil, nil
	}
	var groups []group
	for _, g := range listed {
		if slices.Contains(ids, g.ID) {
			groups = append(groups, readGroup(g))
		}
	}
	return groups, err
}

func (a *Array) eachGroup(ctx context.Context, visit func(group) (more bool)) error {
	for first := int64(1); ; {
		page, err := a.client.ListVolumeAccessGroups(ctx, api.ListVolumeAccessGroupsRequest{StartID: first, Limit: pageSize})
		if err != nil {
			return err
		}
		for _, g := range page {
			if !visit(readGroup(g)) {
				return nil
			}
		}
		if len(page) < pageSize {
			return nil
		}
		first = page[len(page)-1].ID + 1
	}
}
