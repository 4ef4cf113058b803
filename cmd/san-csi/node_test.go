package main

import (
	"maps"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// TestNodeTopology: labels are the flags', over those of the Node that the flags
// name.
func TestNodeTopology(t *testing.T) {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{"zone": "1", "rack": "7", "arch": "x"}}}
	for name, c := range map[string]struct {
		args []string
		want map[string]string
	}{
		"none":              {nil, nil},
		"by flag":           {[]string{"--topology=zone=2,row=b"}, map[string]string{"zone": "2", "row": "b"}},
		"of the Node":       {[]string{"--topology-keys=zone,rack,hall"}, map[string]string{"zone": "1", "rack": "7"}},
		"the flag wins":     {[]string{"--topology-keys=zone,rack", "--topology=zone=2"}, map[string]string{"zone": "2", "rack": "7"}},
		"the Node has none": {[]string{"--topology-keys=hall"}, map[string]string{}},
	} {
		o := flags(t, append(c.args, "--mode=node", "--node-name=n")...)
		got, err := nodeTopology(t.Context(), fake.NewClientset(node), o)
		if err != nil || !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, c.want)
		}
	}
	if _, err := nodeTopology(t.Context(), fake.NewClientset(), flags(t, "--node-name=n", "--topology-keys=zone")); err == nil {
		t.Error("a Node that is not there has labels")
	}
}
