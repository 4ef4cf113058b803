//go:build chart

package chart

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/san-csi/san-csi/tests/chart/helm"
)

// pods are the templates of every pod, by the name of what makes it.
func pods(m manifest) map[string]corev1.PodSpec {
	found := map[string]corev1.PodSpec{}
	for _, o := range all[*appsv1.Deployment](m) {
		found[o.Name] = o.Spec.Template.Spec
	}
	for _, o := range all[*appsv1.DaemonSet](m) {
		found[o.Name] = o.Spec.Template.Spec
	}
	for _, o := range all[*appsv1.StatefulSet](m) {
		found[o.Name] = o.Spec.Template.Spec
	}
	for _, o := range all[*corev1.Pod](m) {
		found[o.Name] = o.Spec
	}
	return found
}

func images(m manifest) []string {
	var found []string
	for _, spec := range pods(m) {
		for _, c := range spec.Containers {
			found = append(found, c.Image)
		}
	}
	return found
}

func containers(d *appsv1.Deployment) []string {
	var names []string
	for _, c := range d.Spec.Template.Spec.Containers {
		names = append(names, c.Name)
	}
	return names
}

// TestPrivileges: the one container that has any is the node's driver.
func TestPrivileges(t *testing.T) {
	for _, ci := range []string{"full", "evaluation"} {
		for pod, spec := range pods(render(t, ci)) {
			for _, c := range spec.Containers {
				s, driver := c.SecurityContext, pod == "san-csi-node" && c.Name == "san-csi"
				if privileged := s.Privileged != nil && *s.Privileged; privileged != driver {
					t.Errorf("%s/%s: privileged %v", pod, c.Name, privileged)
				}
				if !*s.ReadOnlyRootFilesystem {
					t.Errorf("%s/%s: its root filesystem can be written", pod, c.Name)
				}
				if driver {
					continue
				}
				if *s.AllowPrivilegeEscalation || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
					t.Errorf("%s/%s: %+v", pod, c.Name, s)
				}
			}
			if p := spec.SecurityContext; p.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
				t.Errorf("%s: seccomp profile %s", pod, p.SeccompProfile.Type)
			}
			if pod != "san-csi-node" && (!*spec.SecurityContext.RunAsNonRoot || spec.HostNetwork) {
				t.Errorf("%s: root, or in the host's network", pod)
			}
		}
	}
}

// TestSidecarsHaveNoElection: the socket is there only where the driver leads.
func TestSidecarsHaveNoElection(t *testing.T) {
	for _, c := range one[*appsv1.Deployment](t, render(t, "full"), "san-csi-controller").Spec.Template.Spec.Containers {
		want := "--leader-election=false"
		if c.Name == "san-csi" {
			want = "--leader-election"
		}
		if !slices.Contains(c.Args, want) {
			t.Errorf("%s: %v, want %s", c.Name, c.Args, want)
		}
	}
}

var tagged = regexp.MustCompile(`^[a-z0-9.]+/[a-z0-9/-]+:v?\d+\.\d+\.\d+$`)

func TestImagesArePinned(t *testing.T) {
	for _, image := range images(render(t, "evaluation")) {
		if !tagged.MatchString(image) {
			t.Errorf("image %s: want registry, name and full version", image)
		}
	}
	digest := "sha256:" + strings.Repeat("a", 64)
	m := render(t, "secret", `image.digest="`+digest+`"`)
	if image := one[*appsv1.DaemonSet](t, m, "san-csi-node").Spec.Template.Spec.Containers[0].Image; !strings.HasSuffix(image, "/san-csi@"+digest) {
		t.Errorf("image %s, want the digest", image)
	}
}

var flagName = regexp.MustCompile(`(?m)^  -([a-z0-9-]+)`)

// TestFlagsAreKnown: the programs have every flag that the chart passes them.
func TestFlagsAreKnown(t *testing.T) {
	known := map[string][]string{"san-csi": flags(t, "san-csi"), "san-array": flags(t, "san-array")}
	m := render(t, "evaluation", "sidecars.livenessProbe.enabled=false")
	checked := 0
	for pod, spec := range pods(m) {
		for _, c := range spec.Containers {
			for _, arg := range c.Args {
				name, _, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
				if known[c.Name] != nil && !slices.Contains(known[c.Name], name) {
					t.Errorf("%s: %s has no flag %s", pod, c.Name, arg)
				}
				checked += len(known[c.Name])
			}
		}
	}
	if checked == 0 {
		t.Error("no argument was checked")
	}
}

// flags are those of a program of ours, by its own usage text.
func flags(t *testing.T, program string) []string {
	t.Helper()
	root, err := helm.Root()
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), program)
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./cmd/"+program)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", program, err, out)
	}
	usage, err := exec.CommandContext(t.Context(), binary, "-h").CombinedOutput()
	if err != nil {
		t.Fatalf("%s -h: %v", program, err)
	}
	var names []string
	for _, match := range flagName.FindAllStringSubmatch(string(usage), -1) {
		names = append(names, match[1])
	}
	if len(names) < 5 {
		t.Fatalf("%s -h names %v", program, names)
	}
	return names
}
