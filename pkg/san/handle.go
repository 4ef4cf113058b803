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

var (
	arrayPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)
	uuidPattern  = regexp.MustCompile(`^[0-9a-f]{8}$`)
)

// ParseHandle reads a handle; what cannot be one is ErrNotFound, since no
// volume of ours has that name.
func ParseHandle(s string) (Handle, error) {
	parts := strings.Split(s, ":")
	if len(s) > MaxHandleLength || len(parts) < 2 || len(parts) > 3 || !arrayPattern.MatchString(parts[0]) {
		return Handle{}, fmt.Errorf("volume handle %.140q: not <array>:<volume>[:<uuid>]: %w", s, ErrNotFound)
	}
	id, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || id <= 0 {
		return Handle{}, fmt.Errorf("volume handle %q: volume %q is not a positive number: %w", s, parts[1], ErrNotFound)
	}
	h := Handle{Array: parts[0], Volume: id}
	if len(parts) == 3 {
		if !uuidPattern.MatchString(parts[2]) {
			return Handle{}, fmt.Errorf("volume handle %q: %q is not 8 hex digits: %w", s, parts[2], ErrNotFound)
		}
		h.UUID = parts[2]
	}
	return h, nil
}

// String is the handle as it travels.
func (h Handle) String() string {
	if h.UUID == "" {
		return fmt.Sprintf("%s:%d", h.Array, h.Volume)
	}
	return fmt.Sprintf("%s:%d:%s", h.Array, h.Volume, h.UUID)
}
