package api

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// initiatorName is an iSCSI name in lower case (RFC 7143 §4.2.7).
var initiatorName = regexp.MustCompile(`^(iqn\.[0-9]{4}-[0-9]{2}\.[a-z0-9.:-]+|eui\.[0-9a-f]{16}|naa\.[0-9a-f]{16}([0-9a-f]{16})?)$`)

// initiatorRef names an initiator by id or by name.
type initiatorRef struct {
	ID   int64
	Name string
}

func (r *initiatorRef) UnmarshalJSON(b []byte) error {
	text, err := scalar(b)
	if err != nil || text == "" {
		return errors.Join(err, errors.New("an initiator is named by id or name"))
	}
	var id integer
	if id.UnmarshalJSON(b) == nil {
		r.ID = int64(id)
		return nil
	}
	r.Name = strings.ToLower(text)
	return nil
}

// initiatorNames is a list of initiators; an empty one is given, null is not.
type initiatorNames struct {
	Given  bool
	Values []initiatorRef
}

func (l *initiatorNames) UnmarshalJSON(b []byte) error {
	err := json.Unmarshal(b, &l.Values)
	l.Given = l.Values != nil
	return err
}

type wireInitiator struct {
	ID              int64           `json:"initiatorID"`
	Name            string          `json:"initiatorName"`
	Alias           string          `json:"alias"`
	Attributes      json.RawMessage `json:"attributes"`
	Groups          []int64         `json:"volumeAccessGroups"`
	CHAPUser        string          `json:"chapUsername"`
	RequireCHAP     bool            `json:"requireChap"`
	InitiatorSecret string          `json:"initiatorSecret"`
	TargetSecret    string          `json:"targetSecret"`
	VirtualNetworks []int64         `json:"virtualNetworkIDs"`
}

func toWireInitiator(i store.Initiator) wireInitiator {
	w := wireInitiator{
		ID: i.ID, Name: i.Name, Alias: i.Alias, Attributes: object(i.Attributes), Groups: []int64{},
		CHAPUser: i.CHAPUser, RequireCHAP: i.RequireCHAP,
		InitiatorSecret: i.InitiatorSecret, TargetSecret: i.TargetSecret, VirtualNetworks: []int64{},
	}
	if i.GroupID != 0 {
		w.Groups = []int64{i.GroupID}
	}
	return w
}

func initiatorMethods() map[string]method {
	return map[string]method{
		"CreateInitiators": change(createInitiators, "initiators"),
		"ModifyInitiators": change(modifyInitiators, "initiators"),
		"DeleteInitiators": change(deleteInitiators, "initiators"),
		"ListInitiators":   query(listInitiators),
	}
}

type initiatorParams struct {
	ID              integer    `json:"initiatorID"`
	Name            string     `json:"name"`
	Alias           *string    `json:"alias"`
	Attributes      attributes `json:"attributes"`
	Group           reference  `json:"volumeAccessGroupID"` // null = leave the group
	CHAPUser        string     `json:"chapUsername"`
	InitiatorSecret secret     `json:"initiatorSecret"`
	TargetSecret    secret     `json:"targetSecret"`
	RequireCHAP     boolean    `json:"requireChap"`
}

type initiatorsParams struct {
	Initiators []initiatorParams `json:"initiators"`
}

func createInitiators(c *call, p initiatorsParams) (any, error) {
	out := []wireInitiator{}
	for _, wanted := range p.Initiators {
		if wanted.Name == "" {
			return nil, failf(missingParameter, "Missing member=[name]")
		}
		i, err := c.newInitiator(strings.ToLower(wanted.Name))
		if err != nil {
			return nil, err
		}
		if i, err = c.applyInitiator(i, wanted); err != nil {
			return nil, err
		}
		out = append(out, toWireInitiator(i))
	}
	return result{"initiators": out}, nil
}

// newInitiator stores an initiator with secrets of its own.
func (c *call) newInitiator(name string) (store.Initiator, error) {
	i := store.Initiator{Name: name, CHAPUser: name}
	if err := within("length of initiator name", int64(len(name)), 1, iqnMax); err != nil {
		return i, err
	}
	if !initiatorName.MatchString(name) {
		return i, failf(invalidParameter, "initiator %q: not an iqn, eui or naa name", name)
	}
	if _, err := c.tx.InitiatorNamed(name); err == nil {
		return i, failf(initiatorExists, "Initiator %s already exists.", name)
	}
	if err := room("initiators", int64(c.tx.Initiators().Len()), initiatorsMax); err != nil {
		return i, err
	}
	fresh := secret{Given: true}
	if err := errors.Join(fresh.apply("initiatorSecret", &i.InitiatorSecret), fresh.apply("targetSecret", &i.TargetSecret)); err != nil {
		return i, err
	}
	return c.tx.AddInitiator(i)
}

func modifyInitiators(c *call, p initiatorsParams) (any, error) {
	out := []wireInitiator{}
	for _, wanted := range p.Initiators {
		if wanted.ID == 0 {
			return nil, failf(missingParameter, "Missing member=[initiatorID]")
		}
		i, err := c.known(initiatorRef{ID: int64(wanted.ID)})
		if err != nil {
			return nil, err
		}
		if i, err = c.applyInitiator(i, wanted); err != nil {
			return nil, err
		}
		out = append(out, toWireInitiator(i))
	}
	return result{"initiators": out}, nil
}

// applyInitiator changes what is given; a new group takes the initiator out of
// the one it was in.
func (c *call) applyInitiator(i store.Initiator, p initiatorParams) (store.Initiator, error) {
	if p.Alias != nil {
		if err := within("length of alias", int64(len(*p.Alias)), 0, aliasMax); err != nil {
			return i, err
		}
		i.Alias = *p.Alias
	}
	if p.CHAPUser != "" {
		if err := within("length of chapUsername", int64(len(p.CHAPUser)), 1, iqnMax); err != nil {
			return i, err
		}
		i.CHAPUser = p.CHAPUser
	}
	if err := p.InitiatorSecret.apply("initiatorSecret", &i.InitiatorSecret); err != nil {
		return i, err
	}
	if err := p.TargetSecret.apply("targetSecret", &i.TargetSecret); err != nil {
		return i, err
	}
	if err := p.Attributes.apply(&i.Attributes); err != nil {
		return i, err
	}
	i.RequireCHAP = p.RequireCHAP.or(i.RequireCHAP)
	if err := c.tx.PutInitiator(i); err != nil {
		return i, err
	}
	if !p.Group.Given || p.Group.ID == i.GroupID {
		return i, nil
	}
	if err := c.tx.SetInitiatorGroup(i.ID, 0); err != nil {
		return i, err
	}
	if p.Group.ID != 0 {
		if err := c.addInitiators(p.Group.ID, []int64{i.ID}); err != nil {
			return i, err
		}
	}
	i.GroupID = p.Group.ID
	return i, nil
}

func deleteInitiators(c *call, p groupParams) (any, error) {
	for _, ref := range p.Initiators.Values {
		i, err := c.known(ref)
		if err != nil {
			return nil, err
		}
		if err := c.tx.RemoveInitiator(i.ID); err != nil {
			return nil, err
		}
	}
	return result{}, nil
}

// known is an initiator that exists.
func (c *call) known(ref initiatorRef) (store.Initiator, error) {
	if ref.ID != 0 {
		i, err := c.tx.Initiators().Get(ref.ID)
		return i, missing(err, initiatorDoesNotExist, "InitiatorID %d does not exist.", ref.ID)
	}
	i, err := c.tx.InitiatorNamed(ref.Name)
	return i, missing(err, initiatorDoesNotExist, "Initiator %s does not exist.", ref.Name)
}

// knownOrNew are the ids of initiators, each once; one named by name that does
// not exist is made.
func (c *call) knownOrNew(refs []initiatorRef) ([]int64, error) {
	var ids []int64
	for _, ref := range refs {
		i, err := c.known(ref)
		if ref.ID == 0 && isNamed(err, initiatorDoesNotExist) {
			i, err = c.newInitiator(ref.Name)
		}
		if err != nil {
			return nil, err
		}
		if !slices.Contains(ids, i.ID) {
			ids = append(ids, i.ID)
		}
	}
	return ids, nil
}

type initiatorList struct {
	Initiators integers `json:"initiators"`
	Start      integer  `json:"startInitiatorID"`
	Limit      integer  `json:"limit"`
}

func listInitiators(c *call, p initiatorList) (any, error) {
	limit, err := pageSize(p.Limit)
	if err != nil {
		return nil, err
	}
	if len(p.Initiators.Values) > 0 && (p.Start != 0 || p.Limit != 0) {
		return nil, failf(invalidParameter, "initiators excludes startInitiatorID and limit")
	}
	out := []wireInitiator{}
	for i, err := range c.tx.Initiators().From(int64(p.Start)) {
		if err != nil {
			return nil, err
		}
		if len(p.Initiators.Values) > 0 && !slices.Contains(p.Initiators.Values, i.ID) {
			continue
		}
		if out = append(out, toWireInitiator(i)); len(out) == limit {
			break
		}
	}
	return result{"initiators": out}, nil
}
