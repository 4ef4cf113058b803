//go:build chart

package chart

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/san-csi/san-csi/tests/chart/helm"
)

// TestEvaluationArray: one array whose address and data outlive its pod.
func TestEvaluationArray(t *testing.T) {
	m := render(t, "evaluation", `evaluation.persistence.storageClassName="local"`, `evaluation.persistence.size="5Gi"`)
	set := one[*appsv1.StatefulSet](t, m, "san-csi-evaluation").Spec
	if *set.Replicas != 1 || len(set.VolumeClaimTemplates) != 1 {
		t.Fatalf("%d replicas, %d claims", *set.Replicas, len(set.VolumeClaimTemplates))
	}
	claim := set.VolumeClaimTemplates[0].Spec
	if *claim.StorageClassName != "local" || claim.Resources.Requests.Storage().String() != "5Gi" {
		t.Errorf("claim %+v", claim)
	}
	if args := set.Template.Spec.Containers[0].Args; !slices.Contains(args, "--advertise=$(SAN_CSI_EVALUATION_SERVICE_HOST)") {
		t.Errorf("arguments %v: the portals' address would change with the pod", args)
	}
	if service := one[*corev1.Service](t, m, "san-csi-evaluation").Spec; service.ClusterIP == corev1.ClusterIPNone {
		t.Error("the Service has no address that stays")
	}
	set = one[*appsv1.StatefulSet](t, render(t, "evaluation", "evaluation.persistence.enabled=false"), "san-csi-evaluation").Spec
	if len(set.VolumeClaimTemplates) != 0 || !slices.ContainsFunc(set.Template.Spec.Volumes, func(v corev1.Volume) bool { return v.EmptyDir != nil }) {
		t.Errorf("without persistence: %+v", set)
	}
}

// TestHelmTest: a claim and a pod of it, made for helm test only, of the class
// that is there; where there is none, no test.
func TestHelmTest(t *testing.T) {
	for want, m := range map[string]manifest{
		"san-gold":           render(t, "full"),
		"other":              render(t, "full", `test.storageClassName="other"`),
		"san-csi-evaluation": render(t, "evaluation"),
	} {
		claim, pod := one[*corev1.PersistentVolumeClaim](t, m, "san-csi-test"), one[*corev1.Pod](t, m, "san-csi-test")
		if *claim.Spec.StorageClassName != want {
			t.Errorf("class %s, want %s", *claim.Spec.StorageClassName, want)
		}
		for _, hook := range []map[string]string{claim.Annotations, pod.Annotations} {
			if hook["helm.sh/hook"] != "test" || !strings.Contains(hook["helm.sh/hook-delete-policy"], "hook-succeeded") {
				t.Errorf("%s: it stays: %v", want, hook)
			}
		}
		if v := pod.Spec.Volumes[0].PersistentVolumeClaim; v == nil || v.ClaimName != claim.Name {
			t.Errorf("%s: the pod has %+v", want, pod.Spec.Volumes)
		}
	}
	if n := len(all[*corev1.Pod](render(t, "secret"))); n != 0 {
		t.Errorf("%d pods for a test of no class", n)
	}
}

// TestNotes: who installs is told what comes next, and nothing that is not so.
func TestNotes(t *testing.T) {
	for ci, c := range map[string]struct{ says, not string }{
		"secret":     {"rollout restart deployment/san-csi-controller", "helm -n san-csi test"},
		"full":       {"helm -n san-csi test san-csi", "evaluation"},
		"evaluation": {"a claim of StorageClass san-csi-evaluation", "No StorageClass"},
	} {
		out, err := tool.Run(t.Context(), "install", "san-csi", helm.Chart, "--namespace", "san-csi", "--dry-run=client",
			"--kubeconfig", filepath.Join(t.TempDir(), "none"), "--values", filepath.Join(helm.Chart, "ci", ci+"-values.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		_, notes, _ := strings.Cut(string(out), "\nNOTES:\n")
		if !strings.Contains(notes, c.says) || strings.Contains(notes, c.not) {
			t.Errorf("%s: %s\nwant %q in it, and not %q", ci, notes, c.says, c.not)
		}
	}
}
