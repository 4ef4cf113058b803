package placement

import (
	"fmt"
	"strings"

	"github.com/san-csi/san-csi/pkg/san"
)

// ParseSelector reads labels of the form "tier=fast,site=a".
func ParseSelector(s string) (map[string]string, error) {
	labels := map[string]string{}
	for part := range strings.SplitSeq(s, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || key == "" || value == "" {
			return nil, fmt.Errorf("arraySelector %q: %q is not key=value: %w", s, part, san.ErrInvalid)
		}
		if _, twice := labels[key]; twice {
			return nil, fmt.Errorf("arraySelector %q: %q is given twice: %w", s, key, san.ErrInvalid)
		}
		labels[key] = value
	}
	return labels, nil
}
