package provision

import (
	"encoding/json"
	"fmt"

	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

// note is what the flows must know of a volume later and the array does not
// tell: it is kept with the volume, since the controller keeps no state.
type note struct {
	QoS map[string]string `json:"q,omitempty"` // the class's request, for growth and change
}

func (n note) String() string {
	text, _ := json.Marshal(n) // strings always encode
	return string(text)
}

// readNote is the note and the QoS that was asked for; a volume without a note (an import)
// asked for nothing.
func readNote(v *san.Volume) (note, qos.Request, error) {
	if v.Note == "" {
		return note{}, qos.Request{}, nil
	}
	var n note
	if err := json.Unmarshal([]byte(v.Note), &n); err != nil {
		return note{}, qos.Request{}, fmt.Errorf("volume %s: note %.80q: %w", v.Handle, v.Note, err)
	}
	r, err := qos.Parse(n.QoS)
	if err != nil {
		return note{}, qos.Request{}, fmt.Errorf("volume %s: note: %w", v.Handle, err)
	}
	return n, r, nil
}
