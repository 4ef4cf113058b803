package api

import (
	"encoding/json"
	"slices"

	"github.com/san-csi/san-csi/pkg/softarray/store"
)

type wireGroup struct {
	ID             int64           `json:"volumeAccessGroupID"`
	Name           string          `json:"name"`
	Initiators     []string        `json:"initiators"`
	InitiatorIDs   []int64         `json:"initiatorIDs"`
	Volumes        []int64         `json:"volumes"`
	DeletedVolumes []int64         `json:"deletedVolumes"`
	Attributes     json.RawMessage `json:"attributes"`
}

// toWireGroup shows initiators by name, also those that were added by id.
func (c *call) toWireGroup(g store.Group) (wireGroup, error) {
	w := wireGroup{
		ID: g.ID, Name: g.Name, Attributes: object(g.Attributes),
		Initiators: []string{}, InitiatorIDs: list(g.Initiators), Volumes: []int64{}, DeletedVolumes: []int64{},
	}
	for _, id := range g.Initiators {
		i, err := c.tx.Initiators().Get(id)
		if err != nil {
			return w, err
		}
		w.Initiators = append(w.Initiators, i.Name)
	}
	deleted := c.tx.DeletedVolumes()
	for _, id := range g.Volumes {
		if deleted[id] {
			w.DeletedVolumes = append(w.DeletedVolumes, id)
			continue
		}
		w.Volumes = append(w.Volumes, id)
	}
	return w, nil
}

// groupResult answers a group as it is now.
func (c *call) groupResult(id int64) (result, error) {
	g, err := c.group(id)
	if err != nil {
		return nil, err
	}
	w, err := c.toWireGroup(g)
	return result{"volumeAccessGroup": w}, err
}

func (c *call) group(id int64) (store.Group, error) {
	g, err := c.tx.Groups().Get(id)
	return g, missing(err, groupDoesNotExist, "VolumeAccessGroupID %d does not exist.", id)
}

func groupMethods() map[string]method {
	return map[string]method{
		"CreateVolumeAccessGroup": change(createGroup, "name"),
		"ModifyVolumeAccessGroup": change(modifyGroup, "volumeAccessGroupID"),
		"DeleteVolumeAccessGroup": change(deleteGroup, "volumeAccessGroupID"),
		"ListVolumeAccessGroups":  query(listGroups),
	}
}

type groupParams struct {
	ID            integer        `json:"volumeAccessGroupID"`
	Name          string         `json:"name"`
	Attributes    attributes     `json:"attributes"`
	Initiators    initiatorNames `json:"initiators"`
	Volumes       integers       `json:"volumes"`
	DeleteOrphans boolean        `json:"deleteOrphanInitiators"`
}

func createGroup(c *call, p groupParams) (any, error) {
	if err := room("VolumeAccessGroups", int64(c.tx.Groups().Len()), groupsMax); err != nil {
		return nil, err
	}
	g := store.Group{Name: p.Name}
	if err := within("length of name", int64(len(p.Name)), 1, nameMax); err != nil {
		return nil, err
	}
	if err := p.Attributes.apply(&g.Attributes); err != nil {
		return nil, err
	}
	g, err := c.tx.AddGroup(g)
	if err != nil {
		return nil, err
	}
	initiators, err := c.knownOrNew(p.Initiators.Values)
	if err != nil {
		return nil, err
	}
	if err := c.addInitiators(g.ID, initiators); err != nil {
		return nil, err
	}
	if err := c.addVolumes(g.ID, p.Volumes.Values); err != nil {
		return nil, err
	}
	out, err := c.groupResult(g.ID)
	if err != nil {
		return nil, err
	}
	out["volumeAccessGroupID"] = g.ID
	return out, nil
}

// modifyGroup replaces each list that is given, an empty one included.
func modifyGroup(c *call, p groupParams) (any, error) {
	g, err := c.group(int64(p.ID))
	if err != nil {
		return nil, err
	}
	if p.Name != "" {
		if err := within("length of name", int64(len(p.Name)), 1, nameMax); err != nil {
			return nil, err
		}
		g.Name = p.Name
	}
	if err := p.Attributes.apply(&g.Attributes); err != nil {
		return nil, err
	}
	if err := c.tx.PutGroup(g); err != nil {
		return nil, err
	}
	if err := c.replaceInitiators(g, p); err != nil {
		return nil, err
	}
	if p.Volumes.Given {
		gone, added := difference(g.Volumes, p.Volumes.Values)
		if err := c.removeVolumes(g.ID, gone); err != nil {
			return nil, err
		}
		if err := c.addVolumes(g.ID, added); err != nil {
			return nil, err
		}
	}
	return c.groupResult(g.ID)
}

func (c *call) replaceInitiators(g store.Group, p groupParams) error {
	if !p.Initiators.Given {
		return nil
	}
	wanted, err := c.knownOrNew(p.Initiators.Values)
	if err != nil {
		return err
	}
	gone, added := difference(g.Initiators, wanted)
	if err := c.removeInitiators(g.ID, gone, p.DeleteOrphans.or(false)); err != nil {
		return err
	}
	return c.addInitiators(g.ID, added)
}

// difference is what leaves a list and what comes to it, each once.
func difference(have, want []int64) (gone, added []int64) {
	for _, id := range have {
		if !slices.Contains(want, id) {
			gone = append(gone, id)
		}
	}
	for _, id := range want {
		if !slices.Contains(have, id) && !slices.Contains(added, id) {
			added = append(added, id)
		}
	}
	return gone, added
}

// deleteGroup also works on a group with members, whether or not the client
// says force. Initiators stay unless the client says otherwise.
func deleteGroup(c *call, p groupParams) (any, error) {
	g, err := c.group(int64(p.ID))
	if err != nil {
		return nil, err
	}
	if err := c.tx.RemoveGroup(g.ID); err != nil {
		return nil, err
	}
	if !p.DeleteOrphans.or(false) {
		return result{}, nil
	}
	for _, id := range g.Initiators {
		if err := c.tx.RemoveInitiator(id); err != nil {
			return nil, err
		}
	}
	return result{}, nil
}

type groupList struct {
	Start  integer  `json:"startVolumeAccessGroupID"`
	Limit  integer  `json:"limit"`
	Groups integers `json:"volumeAccessGroups"`
}

func listGroups(c *call, p groupList) (any, error) {
	limit, err := pageSize(p.Limit)
	if err != nil {
		return nil, err
	}
	if len(p.Groups.Values) > 0 {
		return c.groupsByID(p)
	}
	groups := []wireGroup{}
	for g, err := range c.tx.Groups().From(int64(p.Start)) {
		if err != nil {
			return nil, err
		}
		w, err := c.toWireGroup(g)
		if err != nil {
			return nil, err
		}
		if groups = append(groups, w); len(groups) == limit {
			break
		}
	}
	return result{"volumeAccessGroups": groups, "volumeAccessGroupsNotFound": []int64{}}, nil
}

func (c *call) groupsByID(p groupList) (any, error) {
	if p.Start != 0 || p.Limit != 0 {
		return nil, failf(invalidParameter, "volumeAccessGroups excludes startVolumeAccessGroupID and limit")
	}
	groups, lost := []wireGroup{}, []int64{}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(p.Groups.Values))) {
		g, err := c.group(id)
		if isNamed(err, groupDoesNotExist) {
			lost = append(lost, id)
			continue
		}
		if err != nil {
			return nil, err
		}
		w, err := c.toWireGroup(g)
		if err != nil {
			return nil, err
		}
		groups = append(groups, w)
	}
	return result{"volumeAccessGroups": groups, "volumeAccessGroupsNotFound": lost}, nil
}
