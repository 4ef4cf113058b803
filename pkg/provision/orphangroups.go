package provision

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/san-csi/san-csi/pkg/san"
)

// orphanGroups are the groups that no object names, and their members. One of which an
// object names a member stays.
func orphanGroups(snapshots []snapshotOn, names Named, least time.Duration, now time.Time) (found []Orphan, members sets.Set[san.SnapshotHandle]) {
	members = sets.New[san.SnapshotHandle]()
	if names.Groups == nil {
		return nil, members
	}
	named, wanted := sets.New(names.Groups...), sets.New(names.Snapshots...)
	at := map[san.GroupHandle]int{} // in found
	for _, s := range snapshots {
		if s.Group == (san.GroupHandle{}) || among(named, s.Group, san.GroupHandle{Array: s.Group.Array, Group: s.Group.Group}) {
			continue
		}
		i, known := at[s.Group]
		if !known {
			i, at[s.Group] = len(found), len(found)
			found = append(found, Orphan{
				Array: s.array, Kind: OrphanGroup, ID: s.Group.String(), Name: s.Name,
				Created: s.Created, Kept: tooYoung(s.Created, least, now),
			})
		}
		members.Insert(s.Handle)
		found[i].SizeBytes += s.SizeBytes
		found[i].Members = append(found[i].Members, s.Handle.String())
		if s.among(wanted) {
			found[i].Kept = fmt.Sprintf("an object names its member %s", s.Handle)
		}
	}
	return found, members
}
