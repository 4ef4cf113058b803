//go:build cluster

package cluster

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/san-csi/san-csi/tests/docs"
)

// runbooks are the pages whose commands administrators copy.
var runbooks = []string{
	"docs/install.md", "docs/attributes-class.md", "docs/operations.md", "docs/troubleshooting.md", "docs/fencing.md", "docs/gc.md", "docs/topology.md",
}

// elsewhere are the beginnings of commands that this part does not run, and what does.
var elsewhere = map[string]string{
	"-n san-csi create secret":              "credentials rotated: the chart makes the Secret",
	"apply -f -":                            "the same",
	"apply -f deploy/":                      "tests/chart/dryrun",
	"apply -k deploy":                       "tests/chart/dryrun",
	"-n san-csi rollout status statefulset": "evaluation",
	"-n san-csi annotate":                   "takes a fence back, which must not be done to a node that has one",
	"-n san-csi exec deploy/san-csi-controller -c san-csi -- san-csi gc --confirm": "tests of cmd/san-csi: the word to confirm is another each time",
}

// testDocumented: the commands of the pages are done as they stand there, with
// node, claim and pod of this cluster.
func testDocumented(t *testing.T, b *bench) {
	root := filepath.Dir(b.files.Examples)
	b.apply(t, claim("my-claim", Class), pod("my-pod", "my-claim", on("node-b")))
	b.ready(t, "my-pod")
	t.Cleanup(func() {
		_, _ = b.Kubectl(context.Background(), "uncordon", "node-a")
		_, _ = b.Kubectl(context.Background(), "taint", "node", "node-a", outOfService+"-")
	})
	here := strings.NewReplacer("worker-1", "node-a", "examples/", b.files.Examples+"/", "san-fast", FastClass)
	run := 0
	for _, page := range runbooks {
		all, err := docs.Kubectl(root, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, args := range all {
			if isElsewhere(args) {
				continue
			}
			for i := range args {
				args[i] = here.Replace(args[i])
			}
			b.must(t, append(args, patient(args)...)...)
			run++
			switch line := strings.Join(args, " "); {
			case line == "apply -f "+b.files.Examples+"/pod":
				b.must(t, "wait", "--for=condition=Ready", "pod/san-example", stepFlag)
			case strings.HasPrefix(line, "exec san-example"): // a bare pod cannot be drained
				b.must(t, "delete", "-f", filepath.Join(b.files.Examples, "pod"), stepFlag)
			case args[0] == "drain":
				b.must(t, "uncordon", "node-a")
			}
		}
	}
	if run < len(runbooks) {
		t.Errorf("%d commands of %d pages", run, len(runbooks))
	}
	t.Logf("%d commands", run)
	b.must(t, "taint", "node", "node-a", outOfService+"-") // troubleshooting.md has no end to it
	b.remove(t, "my-pod", "my-claim")
	b.checkGone(t)
}

func isElsewhere(args []string) bool {
	for begin := range elsewhere {
		if strings.HasPrefix(strings.Join(args, " "), begin) {
			return true
		}
	}
	return false
}

// patient are the flags that bound a command which waits.
func patient(args []string) []string {
	for i, word := range args {
		if word == "drain" || word == "rollout" && args[i+1] == "status" {
			return []string{stepFlag}
		}
	}
	return nil
}
