package element

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/klog/v2"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

// errMoved: what was remembered is not what the array has.
var errMoved = fmt.Errorf("it was changed on the array meanwhile: %w", san.ErrUnavailable)

type none = struct{}

// checkGroup makes sure that the node may have a group with room for the volume.
func (a *Array) checkGroup(ctx context.Context, n san.Node, volume int64) error {
	unlock, err := a.initiators.lock(ctx, n.IQN)
	if err != nil {
		return err
	}
	defer unlock()
	fits, err := a.roomFor(ctx, n, []int64{volume})
	if err == nil && fits == 1 {
		return nil
	}
	// Perhaps it was mended by hand since it was seen.
	a.groups.drop(n.IQN)
	a.groups.unsure()
	if fits, err = a.roomFor(ctx, n, []int64{volume}); err == nil && fits == 0 {
		err = a.full(ctx, n)
	}
	return err
}

// roomFor is how many of the volumes the node's group may have.
func (a *Array) roomFor(ctx context.Context, n san.Node, volumes []int64) (int, error) {
	g, err := a.findGroup(ctx, n.IQN)
	if err != nil {
		return 0, err
	}
	others := 0
	if g != nil {
		if err := g.check(a.config.Cluster, n); err != nil {
			return 0, err
		}
		for _, v := range g.Volumes {
			if !slices.Contains(volumes, v) {
				others++
			}
		}
	}
	bound, err := a.volumesPerNode(ctx)
	if err != nil || bound == 0 {
		return len(volumes), err
	}
	return max(0, min(bound-others, len(volumes))), nil
}

func (a *Array) full(ctx context.Context, n san.Node) error {
	bound, err := a.volumesPerNode(ctx)
	if err != nil {
		return err
	}
	return fmt.Errorf("node %s has %d volumes, it may have no more: %w", n, bound, san.ErrExhausted)
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

// join puts a volume into the node's group, together with what others want to
// put there.
func (a *Array) join(ctx context.Context, n san.Node, volume int64) error {
	_, err := a.joins.do(ctx, n, volume)
	return err
}

// admit lets a node have volumes, in one call where none of them is refused.
func (a *Array) admit(ctx context.Context, n san.Node, volumes []int64) []answer[none] {
	unlock, err := a.initiators.lock(ctx, n.IQN)
	if err != nil {
		return same(len(volumes), none{}, err)
	}
	defer unlock()
	fits, err := a.roomFor(ctx, n, volumes)
	if err != nil {
		return same(len(volumes), none{}, err)
	}
	answers := apart(volumes[:fits], func(volumes []int64) error { return a.addMembers(ctx, n, volumes) })
	for range volumes[fits:] {
		answers = append(answers, answer[none]{err: a.full(ctx, n)})
	}
	return answers
}

// apart changes all volumes at once or, where the array refuses that, one after
// another, so that one of them does not fail the others.
func apart(volumes []int64, change func(volumes []int64) error) []answer[none] {
	if len(volumes) == 0 {
		return nil
	}
	err := change(volumes)
	var refusal *api.Error
	if len(volumes) == 1 || !errors.As(err, &refusal) {
		return same(len(volumes), none{}, err)
	}
	answers := make([]answer[none], len(volumes))
	for i := range volumes {
		answers[i].err = change(volumes[i : i+1])
	}
	return answers
}

// addMembers puts volumes into the node's group; where there is no group, it is
// made with them in it. Its caller holds the initiator's lock.
func (a *Array) addMembers(ctx context.Context, n san.Node, volumes []int64) error {
	g, err := a.findGroup(ctx, n.IQN)
	if err != nil {
		return err
	}
	if g != nil {
		if err := a.extend(ctx, *g, n, volumes); !errors.Is(err, errMoved) {
			return err
		}
		a.groups.drop(n.IQN)
	}
	return a.makeGroup(ctx, n, volumes)
}

// extend puts volumes into a group that was the node's when it was last seen.
// Where it is that no more, they are taken out again: errMoved where the node is
// not in it.
func (a *Array) extend(ctx context.Context, g group, n san.Node, volumes []int64) error {
	if err := g.check(a.config.Cluster, n); err != nil {
		return err
	}
	now, err := a.client.AddVolumesToVolumeAccessGroup(ctx, g.ID, volumes...)
	switch {
	case api.IsName(err, api.XVolumeAccessGroupIDDoesNotExist):
		return errMoved
	case api.IsName(err, api.XAlreadyInVolumeAccessGroup) && len(volumes) == 1:
		known, err := a.groupsByID(ctx, []int64{g.ID})
		if err != nil || len(known) == 0 {
			return errors.Join(errMoved, err)
		}
		g = known[0]
	case err != nil:
		return err
	default:
		g = readGroup(now)
	}
	a.groups.put(g)
	err = g.check(a.config.Cluster, n)
	if err == nil && g.holds(n.IQN) {
		return nil
	}
	_, undo := a.client.RemoveVolumesFromVolumeAccessGroup(ctx, g.ID, volumes...)
	if !g.holds(n.IQN) {
		return errors.Join(errMoved, undo)
	}
	return errors.Join(err, undo)
}

// makeGroup makes the node's group with volumes in it. The array takes an
// initiator into one group only, so a creation that lands late cannot make a
// second, and one that was not seen is found by the refusal.
func (a *Array) makeGroup(ctx context.Context, n san.Node, volumes []int64) error {
	attributes := api.Attributes{keyCluster: quote(a.config.Cluster), keyTag: quote(n.Tag)}
	if a.chap.Load().Required {
		if len(volumes) > 0 {
			return errUnproved // its initiator would need to prove nothing
		}
		attributes[keyCHAP] = quote("1")
	}
	made, err := a.client.CreateVolumeAccessGroup(ctx, api.CreateVolumeAccessGroupRequest{
		Name: mapName(n.IQN), Initiators: []string{n.IQN}, Volumes: volumes, Attributes: attributes,
	})
	if err == nil {
		a.groups.put(readGroup(made))
		return nil
	}
	a.groups.unsure() // it may have been made all the same
	if api.IsName(err, api.XExceededLimit) && strings.Contains(err.Error(), n.IQN) {
		if g, findErr := a.findGroup(ctx, n.IQN); findErr != nil {
			return findErr
		} else if g != nil && len(volumes) == 0 {
			return g.check(a.config.Cluster, n)
		} else if g != nil {
			return a.extend(ctx, *g, n, volumes)
		}
	}
	return fail("make access group for", n.IQN, err)
}

// part takes a volume out of the node's group, together with what others want
// to take out of it.
func (a *Array) part(ctx context.Context, n san.Node, volume int64) error {
	a.latest.out(volume, n)
	_, err := a.parts.do(ctx, n, volume)
	return err
}

// expel takes volumes out of the node's group, in one call where none of them is
// refused, and deletes the group where that empties it. A group that is not this
// node's is left alone; errMoved where it is gone.
func (a *Array) expel(ctx context.Context, n san.Node, volumes []int64) []answer[none] {
	unlock, err := a.initiators.lock(ctx, n.IQN)
	if err != nil {
		return same(len(volumes), none{}, err)
	}
	defer unlock()
	g, known, _ := a.groups.get(n.IQN)
	if !known || g.cluster != a.config.Cluster || g.tag != n.Tag {
		return same(len(volumes), none{}, nil)
	}
	answers := apart(volumes, func(volumes []int64) error { return a.removeMembers(ctx, n, g.ID, volumes) })
	if now, known, _ := a.groups.get(n.IQN); known && len(now.Volumes) == 0 && now.cluster == a.config.Cluster {
		if err := a.deleteGroup(ctx, now); err != nil {
			klog.FromContext(ctx).Error(err, "Empty access group is left to the next sweep", "group", now.ID, "initiator", n.IQN)
		}
	}
	return answers
}

func (a *Array) removeMembers(ctx context.Context, n san.Node, id int64, volumes []int64) error {
	now, err := a.client.RemoveVolumesFromVolumeAccessGroup(ctx, id, volumes...)
	switch {
	case api.IsName(err, api.XVolumeAccessGroupIDDoesNotExist):
		a.groups.drop(n.IQN)
		return errMoved
	case api.IsName(err, api.XNotInVolumeAccessGroup) && len(volumes) == 1:
		known, err := a.groupsByID(ctx, []int64{id})
		if err != nil || len(known) == 0 {
			a.groups.drop(n.IQN)
			return err
		}
		a.groups.put(known[0])
		return nil
	case err != nil:
		return err
	}
	a.groups.put(readGroup(now))
	return nil
}

// deleteEmpty deletes a group of ours that holds no volume any more. Its caller
// holds the initiator's lock.
func (a *Array) deleteEmpty(ctx context.Context, g group) error {
	now, err := a.groupsByID(ctx, []int64{g.ID})
	if err != nil || len(now) == 0 || len(now[0].Volumes) > 0 || now[0].cluster != a.config.Cluster {
		return err
	}
	return a.deleteGroup(ctx, now[0])
}

func (a *Array) deleteGroup(ctx context.Context, g group) error {
	for _, iqn := range g.Initiators {
		a.groups.drop(strings.ToLower(iqn))
	}
	err := a.client.DeleteVolumeAccessGroup(ctx, g.ID, true)
	if api.IsName(err, api.XVolumeAccessGroupIDDoesNotExist) {
		return nil
	}
	return err
}
