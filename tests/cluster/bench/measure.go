package main

import (
	"context"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/san-csi/san-csi/tests/cluster"
)

// phase is what was made, or deleted, at once, and what it cost.
type phase struct {
	name  string
	took  []time.Duration // of each, from the request to what is waited for
	wall  time.Duration   // until all were
	spent sums            // by the metrics, meanwhile
}

// total is the sum of what all took, seconds.
func (p phase) total() (seconds float64) {
	for _, d := range p.took {
		seconds += d.Seconds()
	}
	return seconds
}

// bench is the cluster and a client that holds nothing back.
type bench struct {
	*cluster.Cluster
	client kubernetes.Interface
}

const namespace = metav1.NamespaceDefault

func measure(ctx context.Context, c *cluster.Cluster, o options) (*report, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.AdminKubeconfig())
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	b, r := &bench{c, client}, &report{options: o}
	for _, step := range []struct {
		name string
		to   *phase
		run  func(context.Context, int) ([]time.Duration, error)
		n    int
	}{
		{"claims until Bound", &r.bind, b.bindClaims, o.claims},
		{"claims until their volumes are gone", &r.unbind, b.deleteClaims, o.claims},
		{"pods with a volume each until Ready", &r.start, b.startPods, o.pods},
		{"these pods and their claims until the volumes are gone", &r.stop, b.deletePods, o.pods},
	} {
		fmt.Fprintln(os.Stderr, "==>", step.n, step.name)
		if *step.to, err = b.phase(ctx, step.name, step.n, step.run); err != nil {
			return nil, fmt.Errorf("%d %s: %w", step.n, step.name, err)
		}
		if step.to != &r.bind {
			continue
		}
		if r.classed, err = b.classed(ctx); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// phase measures one, and what the metrics say of it.
func (b *bench) phase(ctx context.Context, name string, n int, run func(context.Context, int) ([]time.Duration, error)) (phase, error) {
	ctx, cancel := context.WithTimeout(ctx, phaseWait)
	defer cancel()
	before, err := b.scrape(ctx)
	if err != nil {
		return phase{}, err
	}
	start := time.Now()
	took, err := run(ctx, n)
	p := phase{name: name, took: took, wall: time.Since(start)}
	if err != nil {
		return p, err
	}
	after, err := b.scrape(ctx)
	p.spent = after.since(before)
	return p, err
}

// follow watches from a version on, also when the server ends a watch that does not
// keep up with a burst.
func follow(ctx context.Context, version string, watched func(context.Context, metav1.ListOptions) (watch.Interface, error)) (watch.Interface, error) {
	return watchtools.NewRetryWatcherWithContext(ctx, version, &cache.ListWatch{WatchFuncWithContext: watched})
}

func (b *bench) bindClaims(ctx context.Context, n int) ([]time.Duration, error) {
	claims := b.client.CoreV1().PersistentVolumeClaims(namespace)
	list, err := claims.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	w, err := follow(ctx, list.ResourceVersion, claims.Watch)
	if err != nil {
		return nil, err
	}
	return b.race(ctx, w, n, func(i int) (string, error) {
		name := fmt.Sprintf("claim-%d", i)
		_, err := claims.Create(ctx, newClaim(name, cluster.NowClass), metav1.CreateOptions{})
		return name, err
	}, func(e watch.Event) (string, bool) {
		claim, ok := e.Object.(*corev1.PersistentVolumeClaim)
		return claim.GetName(), ok && claim.Status.Phase == corev1.ClaimBound
	})
}

// deleteClaims deletes all claims; each took until its volume was gone.
func (b *bench) deleteClaims(ctx context.Context, n int) ([]time.Duration, error) {
	claims := b.client.CoreV1().PersistentVolumeClaims(namespace)
	list, err := claims.List(ctx, metav1.ListOptions{})
	if err == nil && len(list.Items) != n {
		err = fmt.Errorf("%d claims are there", len(list.Items))
	}
	if err != nil {
		return nil, err
	}
	w, err := follow(ctx, list.ResourceVersion, b.client.CoreV1().PersistentVolumes().Watch)
	if err != nil {
		return nil, err
	}
	return b.race(ctx, w, n, func(i int) (string, error) {
		claim := list.Items[i]
		return claim.Spec.VolumeName, claims.Delete(ctx, claim.Name, metav1.DeleteOptions{})
	}, func(e watch.Event) (string, bool) {
		volume, ok := e.Object.(*corev1.PersistentVolume)
		return volume.GetName(), ok && e.Type == watch.Deleted
	})
}

func (b *bench) startPods(ctx context.Context, n int) ([]time.Duration, error) {
	core := b.client.CoreV1()
	list, err := core.Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	w, err := follow(ctx, list.ResourceVersion, core.Pods(namespace).Watch)
	if err != nil {
		return nil, err
	}
	return b.race(ctx, w, n, func(i int) (string, error) {
		name := fmt.Sprintf("pod-%d", i)
		if _, err := core.PersistentVolumeClaims(namespace).Create(ctx, newClaim(name, cluster.Class), metav1.CreateOptions{}); err != nil {
			return name, err
		}
		_, err := core.Pods(namespace).Create(ctx, newPod(name), metav1.CreateOptions{})
		return name, err
	}, func(e watch.Event) (string, bool) {
		pod, ok := e.Object.(*corev1.Pod)
		return pod.GetName(), ok && ready(pod)
	})
}

func (b *bench) deletePods(ctx context.Context, n int) ([]time.Duration, error) {
	if err := b.client.CoreV1().Pods(namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		return nil, err
	}
	return b.deleteClaims(ctx, n)
}

func ready(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func newClaim(name, class string) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}
}

func newPod(claim string) *corev1.Pod {
	grace := int64(1)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: claim},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: &grace,
			Containers: []corev1.Container{{
				Name: "c", Image: cluster.ShellImage, ImagePullPolicy: corev1.PullNever, Command: []string{"/bin/sh", "-c", "exec sleep infinity"},
				VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: "/data"}},
			}},
			Volumes: []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim},
			}}},
		},
	}
}
