package san

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// MaxHandleLength is CSI's bound for ids (CSI spec, "Size Limits").
const MaxHandleLength = 128

// Handle names a volume for ever: <array uniqueID>:<volume id>:<8 hex of its
// UUID>. The UUID part tells a volume from one that came to the same number
// after the array was reset; an import by hand may leave it out.
type Handle struct {
	Array  string
	Volume int64
	UUID   string
}

// SnapshotHandle names a snapshot in the same form.
type SnapshotHandle struct {
	Array    string
	Snapshot int64
	UUID     string
}

// GroupHandle names a group of snapshots in the same form.
type GroupHandle struct {
	Array string
	Group int64
	UUID  string
}

var (
	arrayPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)
	uuidPattern  = regexp.MustCompile(`^[0-9a-f]{8}$`)
)

// ParseHandle reads a handle; what cannot be one is ErrNotFound, since no
// volume of ours has that name.
func ParseHandle(s string) (Handle, error) {
	array, id, uuid, err := parse("volume", s)
	return Handle{Array: array, Volume: id, UUID: uuid}, err
}

// ParseSnapshotHandle reads a snapshot's handle as ParseHandle does a volume's.
func ParseSnapshotHandle(s string) (SnapshotHandle, error) {
	array, id, uuid, err := parse("snapshot", s)
	return SnapshotHandle{Array: array, Snapshot: id, UUID: uuid}, err
}

// ParseGroupHandle reads a group's handle as ParseHandle does a volume's.
func ParseGroupHandle(s string) (GroupHandle, error) {
	array, id, uuid, err := parse("group", s)
	return GroupHandle{Array: array, Group: id, UUID: uuid}, err
}

func parse(kind, s string) (array string, id int64, uuid string, err error) {
	parts := strings.Split(s, ":")
	if len(s) > MaxHandleLength || len(parts) < 2 || len(parts) > 3 || !arrayPattern.MatchString(parts[0]) {
		return "", 0, "", fmt.Errorf("%s handle %.140q: not <array>:<%s>[:<uuid>]: %w", kind, s, kind, ErrNotFound)
	}
	id, err = strconv.ParseInt(parts[1], 10, 64)
	if err != nil || id <= 0 {
		return "", 0, "", fmt.Errorf("%s handle %q: %s %q is not a positive number: %w", kind, s, kind, parts[1], ErrNotFound)
	}
	if len(parts) == 3 {
		if uuid = parts[2]; !uuidPattern.MatchString(uuid) {
			return "", 0, "", fmt.Errorf("%s handle %q: %q is not 8 hex digits: %w", kind, s, uuid, ErrNotFound)
		}
	}
	return parts[0], id, uuid, nil
}

// String is the handle as it travels.
func (h Handle) String() string { return format(h.Array, h.Volume, h.UUID) }

// String is the handle as it travels.
func (h SnapshotHandle) String() string { return format(h.Array, h.Snapshot, h.UUID) }

// String is the handle as it travels.
func (h GroupHandle) String() string { return format(h.Array, h.Group, h.UUID) }

func format(array string, id int64, uuid string) string {
	if uuid == "" {
		return fmt.Sprintf("%s:%d", array, id)
	}
	return fmt.Sprintf("%s:%d:%s", array, id, uuid)
}
