package element

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

// mark is what this driver keeps of a snapshot or a group on the array. Their
// attributes cannot be changed once they are made; their names can. So the
// attributes hold what is known from the start, and Element's name tells whether
// it was handed out.
type mark struct {
	cluster string // "" = no driver marked it
	name    string // the caller's
	pending bool   // never handed out
}

// pendingName begins the name of what was never handed out.
const pendingName = "san-csi-pending-"

// attributes are the mark as the array keeps it; a name of 128 bytes fits.
func (m mark) attributes() api.Attributes {
	return api.Attributes{keyCluster: quote(m.cluster), keyName: quote(packText(m.name))}
}

// readMark reads the marks of a snapshot or group. ErrBusy where they cannot be
// read: to guess would risk another's data.
func readMark(what string, id int64, elementName string, attributes api.Attributes) (mark, error) {
	m := mark{name: elementName}
	raw, marked := attributes[keyCluster]
	if !marked {
		return m, nil
	}
	var packed string
	err := json.Unmarshal(raw, &m.cluster)
	if err == nil {
		err = json.Unmarshal(attributes[keyName], &packed)
	}
	if err == nil {
		m.name, err = unpackText(packed)
	}
	if err != nil {
		return m, fmt.Errorf("%s %d (%s): attributes cannot be read (%s): %w", what, id, elementName, err.Error(), san.ErrBusy)
	}
	m.pending = strings.HasPrefix(elementName, pendingName)
	return m, nil
}

// kept is a snapshot or a group, as far as both are alike.
type kept struct {
	id      int64
	mark    mark
	volumes []int64 // ascending

	snapshot api.Snapshot
	group    api.GroupSnapshot
}

func keptSnapshot(s api.Snapshot) (kept, error) {
	m, err := readMark("snapshot", s.SnapshotID, s.Name, s.Attributes)
	return kept{id: s.SnapshotID, mark: m, volumes: []int64{s.VolumeID}, snapshot: s}, err
}

func keptGroup(g api.GroupSnapshot) (kept, error) {
	m, err := readMark("group snapshot", g.GroupSnapshotID, g.Name, g.Attributes)
	k := kept{id: g.GroupSnapshotID, mark: m, group: g}
	for _, member := range g.Members {
		k.volumes = append(k.volumes, member.VolumeID)
	}
	slices.Sort(k.volumes)
	return k, err
}
