//go:build chart

package chart

import (
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
)

func controller(t *testing.T, m manifest) *appsv1.Deployment {
	t.Helper()
	return one[*appsv1.Deployment](t, m, "san-csi-controller")
}

// selects tells whether the selector takes the controller's pods, and no others.
func selects(t *testing.T, m manifest, selector *metav1.LabelSelector) bool {
	t.Helper()
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	node := one[*appsv1.DaemonSet](t, m, "san-csi-node")
	return s.Matches(labels.Set(controller(t, m).Spec.Template.Labels)) && !s.Matches(labels.Set(node.Spec.Template.Labels))
}

// TestReplicasStandApart: on nodes of their own where there are enough, and never
// drained together.
func TestReplicasStandApart(t *testing.T) {
	m := render(t, "secret")
	terms := controller(t, m).Spec.Template.Spec.Affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution
	if len(terms) != 1 || terms[0].PodAffinityTerm.TopologyKey != corev1.LabelHostname || !selects(t, m, terms[0].PodAffinityTerm.LabelSelector) {
		t.Errorf("anti-affinity %+v", terms)
	}
	budget := one[*policyv1.PodDisruptionBudget](t, m, "san-csi-controller").Spec
	if budget.MaxUnavailable.IntValue() != 1 || !selects(t, m, budget.Selector) {
		t.Errorf("budget %+v", budget)
	}
	own := `{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"a","operator":"Exists"}]}]}}}`
	if a := controller(t, render(t, "secret", "controller.affinity="+own)).Spec.Template.Spec.Affinity; a.PodAntiAffinity != nil || a.NodeAffinity == nil {
		t.Errorf("affinity of the values: %+v", a)
	}
}

// TestSidecarsAreReadyForBursts: threads, calls to the API and time enough for
// many claims at once, each of them a setting.
func TestSidecarsAreReadyForBursts(t *testing.T) {
	limits := []string{"--kube-api-qps=50", "--kube-api-burst=100", "--timeout=60s", "--retry-interval-max=1m"}
	want := map[string][]string{
		"csi-provisioner": {"--worker-threads=100", "--extra-create-metadata", "--enable-capacity", "--capacity-ownerref-level=2", "--default-fstype=ext4"},
		"csi-attacher":    {"--worker-threads=100", "--default-fstype=ext4"},
		"csi-resizer":     {"--workers=50", "--handle-volume-inuse-error=false"},
		"csi-snapshotter": {"--worker-threads=50", "--extra-create-metadata", "--feature-gates=CSIVolumeGroupSnapshot=true"},
	}
	got := map[string][]string{}
	for _, c := range controller(t, render(t, "full")).Spec.Template.Spec.Containers {
		got[c.Name] = c.Args
	}
	for name, flags := range want {
		for _, flag := range slices.Concat(flags, limits) {
			if !slices.Contains(got[name], flag) {
				t.Errorf("%s: %v, want %s", name, got[name], flag)
			}
		}
	}
	m := render(t, "secret", "sidecars.attacher.workerThreads=7", `sidecars.attacher.kubeAPI={"qps":3.5,"burst":9}`,
		`sidecars.attacher.securityContext={"readOnlyRootFilesystem":true}`, "csiDriver.storageCapacity=false")
	for _, c := range controller(t, m).Spec.Template.Spec.Containers {
		switch args := strings.Join(c.Args, " "); c.Name {
		case "csi-attacher":
			if !strings.Contains(args, "--worker-threads=7 --kube-api-qps=3.5 --kube-api-burst=9") || c.SecurityContext.Capabilities != nil {
				t.Errorf("the attacher's settings are lost: %s, %+v", args, c.SecurityContext)
			}
		case "csi-provisioner":
			if strings.Contains(args, "capacity") {
				t.Errorf("capacity is off: %s", args)
			}
		}
	}
}

// TestMetrics: the ports of containers, Service, ServiceMonitor and NetworkPolicy are
// the same, and without metrics there is none.
func TestMetrics(t *testing.T) {
	for _, c := range []struct {
		set  []string
		want []string
	}{
		{nil, []string{"attacher", "metrics", "provisioner", "resizer", "snapshotter"}},
		{[]string{"snapshots.enabled=false", "snapshots.groups=false"}, []string{"attacher", "metrics", "provisioner", "resizer"}},
		{[]string{"controller.enableMetrics=false"}, nil},
	} {
		m := render(t, "full", c.set...)
		served := map[string]int32{}
		for _, container := range controller(t, m).Spec.Template.Spec.Containers {
			for _, port := range container.Ports {
				if port.Name != "healthz" {
					served[port.Name] = port.ContainerPort
				}
			}
		}
		if got := slices.Sorted(maps.Keys(served)); !slices.Equal(got, c.want) {
			t.Errorf("%v: containers serve %v, want %v", c.set, got, c.want)
		}
		service := map[string]int32{}
		for _, s := range all[*corev1.Service](m) {
			for _, port := range s.Spec.Ports {
				service[port.TargetPort.String()] = port.Port
			}
		}
		if !maps.Equal(service, served) {
			t.Errorf("%v: the Service has %v, the containers %v", c.set, service, served)
		}
		if got := monitored(t, m); !slices.Equal(got, c.want) {
			t.Errorf("%v: the ServiceMonitor has %v, want %v", c.set, got, c.want)
		}
		var open []string
		for _, rule := range one[*networkingv1.NetworkPolicy](t, m, "san-csi-controller").Spec.Ingress {
			for _, port := range rule.Ports {
				if name := port.Port.String(); name != "healthz" {
					open = append(open, name)
				}
			}
		}
		if !slices.Equal(open, c.want) {
			t.Errorf("%v: the NetworkPolicy opens %v, want %v", c.set, open, c.want)
		}
	}
}

// TestDriverMetrics: the driver serves where the ports say, of volumes only where
// asked for, and on the nodes' own.
func TestDriverMetrics(t *testing.T) {
	m := render(t, "full", "controller.volumeMetrics=true", "node.enableMetrics=true", "node.metricsPort=1234")
	args := controller(t, m).Spec.Template.Spec.Containers[0].Args
	if !slices.Contains(args, "--metrics-address=:8080") || !slices.Contains(args, "--volume-metrics") || !slices.Contains(args, "--resync-interval=1m") {
		t.Errorf("the controller's arguments %v", args)
	}
	driver := one[*appsv1.DaemonSet](t, m, "san-csi-node").Spec.Template.Spec.Containers[0]
	if !slices.Contains(driver.Args, "--metrics-address=:1234") || driver.Ports[0].Name != "metrics" || driver.Ports[0].ContainerPort != 1234 {
		t.Errorf("the node's arguments %v, ports %v", driver.Args, driver.Ports)
	}
	if s := one[*corev1.Service](t, m, "san-csi-node-metrics").Spec; s.Ports[0].Port != 1234 || s.Selector["app.kubernetes.io/component"] != "node" {
		t.Errorf("the node's Service %+v", s)
	}
	off := render(t, "full", "controller.enableMetrics=false", "controller.volumeMetrics=true")
	for _, args := range [][]string{controller(t, off).Spec.Template.Spec.Containers[0].Args, one[*appsv1.DaemonSet](t, off, "san-csi-node").Spec.Template.Spec.Containers[0].Args} {
		if strings.Contains(strings.Join(args, " "), "metrics") {
			t.Errorf("metrics are off: %v", args)
		}
	}
}

// monitored are the ports that the ServiceMonitor names, sorted.
func monitored(t *testing.T, m manifest) []string {
	t.Helper()
	var ports []string
	for _, o := range all[*unstructured.Unstructured](m) {
		if o.GetKind() != "ServiceMonitor" {
			continue
		}
		if o.GetLabels()["release"] != "prometheus" {
			t.Errorf("Prometheus selects by %v", o.GetLabels())
		}
		endpoints, _, err := unstructured.NestedSlice(o.Object, "spec", "endpoints")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range endpoints {
			ports = append(ports, e.(map[string]any)["port"].(string))
		}
	}
	slices.Sort(ports)
	return ports
}

// TestNetworkPolicy: nothing comes in but health checks, and metrics for who may
// read them; what goes out is bounded where the values say so.
func TestNetworkPolicy(t *testing.T) {
	m := render(t, "secret")
	p := one[*networkingv1.NetworkPolicy](t, m, "san-csi-controller").Spec
	if len(p.Ingress) != 1 || p.Ingress[0].Ports[0].Port.String() != "healthz" || !selects(t, m, &p.PodSelector) {
		t.Errorf("policy %+v", p)
	}
	if !slices.Equal(p.PolicyTypes, []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}) {
		t.Errorf("by default %v is bounded: the driver would not reach its arrays", p.PolicyTypes)
	}
	p = one[*networkingv1.NetworkPolicy](t, render(t, "full"), "san-csi-controller").Spec
	if len(p.Ingress) != 2 || len(p.Ingress[1].From) != 1 || len(p.Egress) != 1 || len(p.PolicyTypes) != 2 {
		t.Errorf("policy %+v", p)
	}
	p = one[*networkingv1.NetworkPolicy](t, render(t, "evaluation"), "san-csi-evaluation").Spec
	if len(p.Egress) != 0 || len(p.PolicyTypes) != 2 || len(p.Ingress) != 1 {
		t.Errorf("the evaluation array's policy %+v", p)
	}
	if n := len(all[*networkingv1.NetworkPolicy](render(t, "evaluation", "networkPolicy.enabled=false"))); n != 0 {
		t.Errorf("%d policies, want none", n)
	}
}
