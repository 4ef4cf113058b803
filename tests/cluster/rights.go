package cluster

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// right is a verb of a resource, such as pods or pods/status, of an API group; of
// one namespace or one object only where these are given.
type right struct{ namespace, group, resource, name, verb string }

func (r right) String() string {
	s := r.verb + " " + r.resource
	if r.group != "" {
		s += "." + r.group
	}
	if r.namespace != "" || r.name != "" {
		s += " " + r.namespace + "/" + r.name
	}
	return s
}

// covers tells whether who holds the right may do what is asked.
func (r right) covers(asked right) bool {
	return r.group == asked.group && r.resource == asked.resource && r.verb == asked.verb &&
		(r.namespace == "" || r.namespace == asked.namespace) && (r.name == "" || r.name == asked.name)
}

// role is a Role or a ClusterRole of the chart: each is one program's.
type role struct {
	name   string
	rights []right
}

// isOf tells whether a role is the program's that asked: a sidecar csi-x has the
// role x, the driver those that are named as its account is.
func (r role) isOf(asked request) bool {
	holder := asked.account
	if sidecar, ok := strings.CutPrefix(asked.program, "csi-"); ok {
		holder = Release + "-" + sidecar
	}
	return r.name == holder || strings.HasPrefix(r.name, holder+"-")
}

// parseRoles reads a list of roles, one right for each verb of each resource.
func parseRoles(list string) ([]role, error) {
	var parsed struct {
		Items []struct {
			Metadata metav1.ObjectMeta
			Rules    []rbacv1.PolicyRule
		}
	}
	if err := json.Unmarshal([]byte(list), &parsed); err != nil {
		return nil, err
	}
	var roles []role
	for _, item := range parsed.Items {
		r := role{name: item.Metadata.Name}
		for _, rule := range item.Rules {
			r.rights = append(r.rights, expand(item.Metadata.Namespace, rule)...)
		}
		roles = append(roles, r)
	}
	return roles, nil
}

func expand(namespace string, rule rbacv1.PolicyRule) []right {
	names := rule.ResourceNames
	if len(names) == 0 {
		names = []string{""}
	}
	var rights []right
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			for _, name := range names {
				for _, verb := range rule.Verbs {
					rights = append(rights, right{namespace, group, resource, name, verb})
				}
			}
		}
	}
	return rights
}

// spareRight is one that a run need not use, and why it is there all the same.
type spareRight struct{ role, verb, resource, why string }

func (s spareRight) is(of role, r right) bool {
	return s.role == of.name && s.verb == r.verb && s.resource == r.resource
}

// judge compares what the roles allow with what was asked for: rights that
// nobody used, but the spare ones, and requests that the program's own roles do
// not cover are faults.
func judge(roles []role, asked map[request]bool, spare []spareRight) []string {
	var faults []string
	gone := slices.Clone(spare)
	for _, role := range roles {
		for _, right := range role.rights {
			if fault := broad(right); fault != "" {
				faults = append(faults, fmt.Sprintf("%s: %s: %s", role.name, right, fault))
			}
			is := func(s spareRight) bool { return s.is(role, right) }
			if !used(role, right, asked) && !slices.ContainsFunc(spare, is) {
				faults = append(faults, fmt.Sprintf("%s: %s: nobody used it", role.name, right))
			}
			gone = slices.DeleteFunc(gone, is)
		}
	}
	for _, s := range gone {
		faults = append(faults, fmt.Sprintf("%s: %s %s is called spare, and is not there", s.role, s.verb, s.resource))
	}
	return append(faults, uncovered(roles, asked)...)
}

// used tells whether the role's program used the right, or the one that it goes
// with: who follows a resource may list it, which clients do only where the
// server cannot stream the list (before Kubernetes 1.34), as that of the tests can;
// who tells events patches those that repeat, which is up to chance.
func used(of role, r right, asked map[request]bool) bool {
	with := r
	switch {
	case r.verb == "list":
		with.verb = "watch"
	case r.verb == "patch" && r.resource == "events":
		with.verb = "create"
	}
	for a := range asked {
		if of.isOf(a) && (r.covers(a.right) || with.covers(a.right)) {
			return true
		}
	}
	return false
}

// broad says what makes a right one that nobody should have.
func broad(r right) string {
	switch {
	case r.group == "*" || r.resource == "*" || r.verb == "*":
		return "a wildcard"
	case r.resource == "secrets" && r.group == "" && (r.verb == "list" || r.verb == "watch"):
		return "all secrets can be read"
	}
	return ""
}

// uncovered are the requests that the program's own roles do not allow: they were
// refused, or lived on the right of another program under the same account.
func uncovered(roles []role, asked map[request]bool) []string {
	var faults []string
	for a := range asked {
		covered := slices.ContainsFunc(roles, func(r role) bool {
			return r.isOf(a) && slices.ContainsFunc(r.rights, func(right right) bool { return right.covers(a.right) })
		})
		if !covered {
			a.name = "" // one fault for many objects
			faults = append(faults, fmt.Sprintf("%s as %s: %s: no role of its own allows it (refused: %t)", a.program, a.account, a.right, a.refused))
		}
	}
	slices.Sort(faults)
	return slices.Compact(faults)
}
