package cluster

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// The API server's own record of who asked for what: files beside the control
// plane's.
const (
	auditPolicy = "audit-policy.yaml"
	auditLog    = "audit.log"
)

// auditDriver records what the driver and its sidecars ask for, and nobody else:
// who, which verb of which object, and the answer's code.
const auditDriver = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  userGroups: ["system:serviceaccounts:` + Namespace + `"]
- level: None
`

// request is what one of the driver's programs asked the API server for.
type request struct {
	account string // ServiceAccount
	program string
	right
	refused bool // by the want of a right
}

// requests reads what was asked for in this run, each once.
func (c *Cluster) requests() (map[request]bool, error) {
	f, err := os.Open(c.control.path(auditLog))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	asked := map[request]bool{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		r, ok, err := parseRequest(lines.Bytes())
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", f.Name(), n, err)
		}
		if ok {
			asked[r] = true
		}
	}
	return asked, lines.Err()
}

// parseRequest reads one event of the audit log; ok = false: it is about no
// object, but about the API itself, which RBAC lets everybody ask for.
func parseRequest(line []byte) (r request, ok bool, err error) {
	var event struct {
		Verb, UserAgent string
		User            struct{ Username string }
		ObjectRef       struct{ APIGroup, Resource, Subresource, Namespace, Name string }
		Annotations     map[string]string
	}
	if err := json.Unmarshal(line, &event); err != nil {
		return request{}, false, err
	}
	o := event.ObjectRef
	program, _, _ := strings.Cut(event.UserAgent, "/")
	r = request{
		account: event.User.Username[strings.LastIndex(event.User.Username, ":")+1:],
		program: program,
		right:   right{o.Namespace, o.APIGroup, o.Resource, o.Name, event.Verb},
		refused: event.Annotations["authorization.k8s.io/decision"] == "forbid",
	}
	if o.Subresource != "" {
		r.resource += "/" + o.Subresource
	}
	return r, o.Resource != "", nil
}
