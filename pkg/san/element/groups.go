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
// array finds groups by id alone, so the id is remembered, and verified.
func (a *Array) findGroup(ctx context.Context, iqn string) (*group, error) {
	if id, ok := a.groups.get(iqn); ok {
		known, err := a.groupsByID(ctx, []int64{id})
		if err != nil {
			return nil, err
		}
		if len(known) == 1 && known[0].holds(iqn) {
			return &known[0], nil
		}
		a.groups.drop(iqn)
	}
	var found *group
	err := a.eachGroup(ctx, func(g group) bool {
		if g.holds(iqn) {
			found = &g
			a.groups.put(iqn, g.ID)
		}
		return found == nil
	})
	return found, err
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

// ensureGroup is the node's group, made where there is none. Its caller holds
// the initiator's lock. The array takes an initiator into one group only, so a
// creation that lands late cannot make a second.
func (a *Array) ensureGroup(ctx context.Context, n san.Node) (*group, error) {
	g, err := a.findGroup(ctx, n.IQN)
	if err == nil && g == nil {
		g, err = a.makeGroup(ctx, n)
	}
	if err != nil {
		return nil, err
	}
	return g, g.check(a.config.Cluster, n)
}

func (a *Array) makeGroup(ctx context.Context, n san.Node) (*group, error) {
	attributes := api.Attributes{keyCluster: quote(a.config.Cluster), keyTag: quote(n.Tag)}
	if a.chap.Load().Required {
		attributes[keyCHAP] = quote("1")
	}
	made, err := a.client.CreateVolumeAccessGroup(ctx, api.CreateVolumeAccessGroupRequest{
		Name: mapName(n.IQN), Initiators: []string{n.IQN}, Attributes: attributes,
	})
	if api.IsName(err, api.XExceededLimit) && strings.Contains(err.Error(), n.IQN) {
		// It came into a group since it was looked for.
		if g, findErr := a.findGroup(ctx, n.IQN); findErr != nil || g != nil {
			return g, findErr
		}
	}
	if err != nil {
		return nil, fail("make access group for", n.IQN, err)
	}
	a.groups.put(n.IQN, made.ID)
	g := readGroup(made)
	return &g, nil
}

// checkGroup makes sure that the node has a group that it may use, with room
// for the volume.
func (a *Array) checkGroup(ctx context.Context, n san.Node, volume int64) error {
	unlock, err := a.initiators.lock(ctx, n.IQN)
	if err != nil {
		return err
	}
	defer unlock()
	g, err := a.ensureGroup(ctx, n)
	if err != nil || slices.Contains(g.Volumes, volume) {
		return err
	}
	bound, err := a.volumesPerNode(ctx)
	if err == nil && bound > 0 && len(g.Volumes) >= bound {
		err = fmt.Errorf("node %s has %d volumes, at most %d: %w", n, len(g.Volumes), bound, san.ErrExhausted)
	}
	return err
}

// volumesPerNode is how many volumes a node may have: the configured number, or
// what the array lets into one group; 0 = no bound is known.
func (a *Array) volumesPerNode(ctx context.Context) (int, error) {
	l, err := a.wireLimits(ctx)
	if err != nil {
		return 0, err
	}
	if bound := a.config.MaxVolumesPerNode; bound > 0 && (l.VolumesPerGroupMax == 0 || bound < l.VolumesPerGroupMax) {
		return bound, nil
	}
	return l.VolumesPerGroupMax, nil
}

// join puts a volume into the node's group, and tells how the node has to prove
// itself; fresh says that it is a new grant.
func (a *Array) join(ctx context.Context, n san.Node, volume int64, fresh bool) (*san.CHAP, error) {
	unlock, err := a.initiators.lock(ctx, n.IQN)
	if err != nil {
		return nil, err
	}
	defer unlock()
	g, err := a.ensureGroup(ctx, n)
	if err != nil {
		return nil, err
	}
	chap, err := a.prove(ctx, g, n, fresh)
	if err != nil || slices.Contains(g.Volumes, volume) {
		return chap, err
	}
	err = a.client.AddVolumesToVolumeAccessGroup(ctx, g.ID, volume)
	if api.IsName(err, api.XAlreadyInVolumeAccessGroup) {
		return chap, nil
	}
	return chap, err
}

// part takes a volume out of the node's group and deletes the group where that
// empties it. A group that is not this node's is left alone.
func (a *Array) part(ctx context.Context, n san.Node, volume int64) error {
	unlock, err := a.initiators.lock(ctx, n.IQN)
	if err != nil {
		return err
	}
	defer unlock()
	g, err := a.findGroup(ctx, n.IQN)
	if err != nil || g == nil || g.cluster != a.config.Cluster || g.tag != n.Tag {
		return err
	}
	if slices.Contains(g.Volumes, volume) {
		err := a.client.RemoveVolumesFromVolumeAccessGroup(ctx, g.ID, volume)
		if err != nil && !api.IsName(err, api.XNotInVolumeAccessGroup) {
			return err
		}
	}
	return a.deleteEmpty(ctx, *g)
}

// deleteEmpty deletes a group of ours that holds no volume any more. Its caller
// holds the initiator's lock.
func (a *Array) deleteEmpty(ctx context.Context, g group) error {
	now, err := a.groupsByID(ctx, []int64{g.ID})
	if err != nil || len(now) == 0 || len(now[0].Volumes) > 0 || now[0].cluster != a.config.Cluster {
		return err
	}
	for _, iqn := range g.Initiators {
		a.groups.drop(strings.ToLower(iqn))
	}
	err = a.client.DeleteVolumeAccessGroup(ctx, g.ID, true)
	if api.IsName(err, api.XVolumeAccessGroupIDDoesNotExist) {
		return nil
	}
	return err
}
