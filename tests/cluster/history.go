package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// secretKeys is where the API server keeps Secrets in etcd.
const secretKeys = "/registry/secrets/"

// change is a value that a key of etcd got in this run. Members of type int64 are
// strings, as etcd's JSON has them.
type change struct {
	Key, Value []byte
	Revision   int64 `json:"mod_revision,string"`
}

// everyKey asks for the changes of all keys from the beginning on, which
// are there since nothing is compacted.
const everyKey = `{"create_request": {"key": "AA==", "range_end": "AA==", "start_revision": "1"}}`

// history shows every value that any key of etcd had until now, also those of
// objects that were deleted. It returns how many they were.
func (c *controlPlane) history(ctx context.Context, show func(change) error) (int, error) {
	ctx, cancel := context.WithCancel(ctx) // ends the watch
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, etcdURL+"/v3/watch", strings.NewReader(everyKey))
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, fmt.Errorf("history of etcd: %w", err)
	}
	defer response.Body.Close()
	decoder := json.NewDecoder(response.Body)
	var until, seen, shown int64
	for until == 0 || seen < until {
		var answer struct {
			Result struct {
				Header struct {
					Revision int64 `json:",string"`
				}
				CompactRevision int64 `json:"compact_revision,string"`
				Events          []struct{ KV change }
			}
		}
		if err := decoder.Decode(&answer); err != nil {
			return int(shown), fmt.Errorf("history of etcd, revision %d of %d: %w", seen, until, err)
		}
		r := answer.Result
		if r.CompactRevision != 0 {
			return int(shown), fmt.Errorf("history of etcd: gone before revision %d", r.CompactRevision)
		}
		if until == 0 { // the answer that the watch is there
			until = r.Header.Revision
		}
		for _, event := range r.Events {
			seen = max(seen, event.KV.Revision)
			if err := show(event.KV); err != nil {
				return int(shown), err
			}
			shown++
		}
	}
	return int(shown), nil
}
