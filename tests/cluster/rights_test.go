package cluster

import (
	"slices"
	"testing"
)

const twoRoles = `{"items": [
 {"metadata": {"name": "san-csi-attacher"}, "rules": [{"apiGroups": [""], "resources": ["pods", "pods/status"], "verbs": ["get"]}]},
 {"metadata": {"name": "san-csi-node-events", "namespace": "default"}, "rules": [{"apiGroups": [""], "resources": ["events"], "resourceNames": ["one"], "verbs": ["list", "watch"]}]}
]}`

func TestJudge(t *testing.T) {
	attacher := func(resource, verb string) request {
		return request{account: "san-csi-controller", program: "csi-attacher", right: right{"default", "", resource, "x", verb}}
	}
	node := func(namespace, name, verb string) request {
		return request{account: "san-csi-node", program: "san-csi.io", right: right{namespace, "", "events", name, verb}}
	}
	roles, err := parseRoles(twoRoles)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		asked []request
		spare []spareRight
		want  []string
	}{
		"all used": {[]request{attacher("pods", "get"), attacher("pods/status", "get"), node("default", "one", "watch")}, nil, nil},
		"unused": {[]request{attacher("pods", "get"), node("default", "one", "list")}, nil, []string{
			"san-csi-attacher: get pods/status: nobody used it",
			"san-csi-node-events: watch events default/one: nobody used it",
		}},
		"spare": {[]request{attacher("pods", "get"), node("default", "one", "watch")},
			[]spareRight{{"san-csi-attacher", "get", "pods/status", "why"}}, nil},
		"spare, and gone": {[]request{attacher("pods", "get"), attacher("pods/status", "get"), node("default", "one", "watch")},
			[]spareRight{{"san-csi-attacher", "get", "pods", "why"}, {"san-csi-attacher", "list", "pods", "why"}}, []string{
				"san-csi-attacher: list pods is called spare, and is not there",
			}},
		"another's right": {[]request{attacher("pods", "get"), attacher("pods/status", "get"), node("default", "one", "watch"),
			{account: "san-csi-controller", program: "san-csi.io", right: right{"", "", "pods", "", "get"}}}, nil, []string{
			"san-csi.io as san-csi-controller: get pods: no role of its own allows it (refused: false)",
		}},
		"another object": {[]request{attacher("pods", "get"), attacher("pods/status", "get"), node("default", "one", "watch"), node("shop", "one", "watch"), node("default", "two", "list")}, nil, []string{
			"san-csi.io as san-csi-node: list events default/: no role of its own allows it (refused: false)",
			"san-csi.io as san-csi-node: watch events shop/: no role of its own allows it (refused: false)",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			asked := map[request]bool{}
			for _, r := range c.asked {
				asked[r] = true
			}
			if got := judge(roles, asked, c.spare); !slices.Equal(got, c.want) {
				t.Errorf("got %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestBroadRights(t *testing.T) {
	for _, c := range []struct {
		right
		want string
	}{
		{right{"", "", "pods", "", "get"}, ""},
		{right{"", "", "*", "", "get"}, "a wildcard"},
		{right{"", "*", "pods", "", "get"}, "a wildcard"},
		{right{"", "", "pods", "", "*"}, "a wildcard"},
		{right{"", "", "secrets", "", "get"}, ""},
		{right{"", "", "secrets", "", "list"}, "all secrets can be read"},
		{right{"san-csi", "", "secrets", "", "watch"}, "all secrets can be read"},
	} {
		if got := broad(c.right); got != c.want {
			t.Errorf("%s: %q, want %q", c.right, got, c.want)
		}
	}
}

func TestParseRequest(t *testing.T) {
	const line = `{"verb": "patch", "userAgent": "csi-resizer/v0.0.0 (linux/amd64)", "user": {"username": "system:serviceaccount:san-csi:san-csi-controller"},
 "objectRef": {"resource": "persistentvolumeclaims", "subresource": "status", "namespace": "shop", "name": "c"}, "annotations": {"authorization.k8s.io/decision": "forbid"}}`
	got, ok, err := parseRequest([]byte(line))
	want := request{"san-csi-controller", "csi-resizer", right{"shop", "", "persistentvolumeclaims/status", "c", "patch"}, true}
	if err != nil || !ok || got != want {
		t.Errorf("%+v %t %v, want %+v", got, ok, err, want)
	}
	if _, ok, err := parseRequest([]byte(`{"verb": "get", "user": {"username": "u"}}`)); ok || err != nil {
		t.Errorf("a request for no object: %t %v", ok, err)
	}
}
