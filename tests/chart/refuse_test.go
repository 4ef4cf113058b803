//go:build chart

package chart

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/san-csi/san-csi/tests/chart/helm"
)

func encode(t *testing.T, o runtime.Object) string {
	t.Helper()
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestRefused: a wrong setting renders nothing, and the message names it.
func TestRefused(t *testing.T) {
	const array = `"driver":"element","endpoint":"https://m/json-rpc/12.5","username":"u","account":"k"`
	for name, c := range map[string]struct {
		ci, set, want string
	}{
		"an unknown key":               {"secret", "replicas=3", "replicas"},
		"an unknown key further in":    {"secret", "controller.replicas=3", "replicas"},
		"a number as text":             {"secret", `controller.replicaCount="two"`, "/controller/replicaCount"},
		"a negative number":            {"secret", "controller.replicaCount=-1", "/controller/replicaCount"},
		"a negative rate":              {"secret", "controller.arrayCallsPerSecond=-1", "/controller/arrayCallsPerSecond"},
		"no stage at a time":           {"secret", "node.maxConcurrentStages=0", "/node/maxConcurrentStages"},
		"an interval without a unit":   {"secret", `node.reconcileInterval="30"`, "/node/reconcileInterval"},
		"a collector's gRPC address":   {"secret", `tracingEndpoint="collector:4317"`, "/tracingEndpoint"},
		"a short lease":                {"secret", "controller.leaseDurationSeconds=2", "/controller/leaseDurationSeconds"},
		"a short period":               {"secret", "csiDriver.nodeAllocatableUpdatePeriodSeconds=5", "nodeAllocatableUpdatePeriodSeconds"},
		"a relative path":              {"secret", `node.kubeletPath="var/lib/kubelet"`, "/node/kubeletPath"},
		"a pull policy":                {"secret", `image.pullPolicy="Sometimes"`, "/image/pullPolicy"},
		"a digest":                     {"secret", `image.digest="sha256:12"`, "/image/digest"},
		"a class without a name":       {"secret", `storageClasses=[{"parameters":{}}]`, "name"},
		"a class with a secret key":    {"secret", `storageClasses=[{"name":"a","parameter":{}}]`, "parameter"},
		"an attributes class, empty":   {"secret", `volumeAttributesClasses=[{"name":"a","parameters":{}}]`, "/volumeAttributesClasses/0/parameters"},
		"a cluster's name of 64 bytes": {"secret", `clusterName="` + strings.Repeat("c", 64) + `"`, "/clusterName"},
		"an array over plain HTTP":     {"", `arrays=[{"name":"a",` + strings.Replace(array, "https", "http", 1) + `,"password":"p"}]`, "/arrays/0/endpoint"},
		"an array without a password":  {"", `arrays=[{"name":"a",` + array + `}]`, "/arrays/0"},
		"an array with two passwords":  {"", `arrays=[{"name":"a",` + array + `,"password":"p","passwordFile":"/p"}]`, "/arrays/0"},
		"no array at all":              {"", "logLevel=2", "no array"},
		"a Secret and arrays":          {"full", `arraysSecret="other"`, "arraysSecret"},
		"a Secret and the evaluation":  {"evaluation", `arraysSecret="other"`, "arraysSecret"},
		"the evaluation's name":        {"evaluation", `arrays=[{"name":"evaluation",` + array + `,"password":"p"}]`, "evaluation"},
		"groups without snapshots":     {"secret", "snapshots.groups=true", "snapshots.enabled"},
		"snapshots without their CRDs": {"secret", "snapshots.enabled=true", "snapshots.forceEnable"},
		"labels that it may not read":  {"secret", `node.topologyKeys=["zone"],node.startupTaint.removal=false`, "node.topologyKeys"},
		"a negative budget":            {"", `arrays=[{"name":"a",` + array + `,"password":"p","capacityIOPS":-1}]`, "/arrays/0/capacityIOPS"},
		"a place without labels":       {"", `arrays=[{"name":"a",` + array + `,"password":"p","topology":[{}]}]`, "/arrays/0/topology/0"},
		"a taint without a domain":     {"secret", `node.startupTaint.key="not-ready"`, "/node/startupTaint/key"},
		"an evaluation of no IOPS":     {"evaluation", "evaluation.totalIOPS=0", "/evaluation/totalIOPS"},
		"a misspelt sidecar":           {"secret", `sidecars.attachers.workerThreads=1`, "attachers"},
	} {
		out, err := tool.Template(t.Context(), arguments(c.ci, []string{c.set})...)
		if err == nil {
			t.Errorf("%s: rendered %d bytes", name, len(out))
			continue
		}
		_, message, _ := strings.Cut(err.Error(), "\n") // past the arguments
		if !strings.Contains(message, strings.TrimPrefix(strings.ReplaceAll(c.want, "/", "."), ".")) && !strings.Contains(message, c.want) {
			t.Errorf("%s: %s\nwant %q in it", name, message, c.want)
		}
	}
}

// TestLint: helm's own rules, with warnings as errors.
func TestLint(t *testing.T) {
	for _, ci := range []string{"secret", "full", "evaluation"} {
		if out, err := tool.Run(t.Context(), append([]string{"lint", helm.Chart, "--strict"}, arguments(ci, nil)...)...); err != nil {
			t.Errorf("%s: %v\n%s", ci, err, out)
		}
	}
}
