package kube

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"
)

const (
	namespace = "storage"
	lease     = "san-csi"
	duration  = 15 * time.Second
)

func election(t *testing.T, client kubernetes.Interface, identity string) *Election {
	t.Helper()
	e, err := NewElection(ElectionOptions{
		Client: client, Namespace: namespace, Name: lease, Identity: identity, Duration: duration,
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func holder(t *testing.T, client kubernetes.Interface) string {
	t.Helper()
	l, err := client.CoordinationV1().Leases(namespace).Get(t.Context(), lease, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return *l.Spec.HolderIdentity
}

// leader is a process that leads until it is stopped.
type leader struct {
	leads chan struct{} // closed when its work begins
	stop  context.CancelFunc
	ended chan error
	work  context.Context // set before leads is closed
}

func start(t *testing.T, e *Election) *leader {
	ctx, cancel := context.WithCancel(context.Background())
	l := &leader{leads: make(chan struct{}), stop: cancel, ended: make(chan error, 1)}
	t.Cleanup(cancel)
	go func() {
		l.ended <- e.Lead(ctx, func(ctx context.Context) error {
			l.work = ctx
			close(l.leads)
			<-ctx.Done()
			return nil
		})
	}()
	return l
}

func (l *leader) leading() bool {
	select {
	case <-l.leads:
		return true
	default:
		return false
	}
}

func TestOneLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		a := start(t, election(t, client, "a"))
		<-a.leads
		b := start(t, election(t, client, "b"))
		time.Sleep(10 * duration) // the bubble's clock
		synctest.Wait()
		if b.leading() || holder(t, client) != "a" {
			t.Fatalf("b leads: %v, holder %q, want a alone", b.leading(), holder(t, client))
		}
		b.stop()
		if err := <-b.ended; err != nil {
			t.Errorf("a standby that is stopped: %v", err)
		}
		if h := holder(t, client); h != "a" {
			t.Errorf("after the standby's end the holder is %q, want a", h)
		}
		a.stop()
		if err := <-a.ended; err != nil {
			t.Errorf("a leader that is stopped: %v", err)
		}
	})
}

func TestStoppedLeaderHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		a := start(t, election(t, client, "a"))
		<-a.leads
		b := start(t, election(t, client, "b"))
		synctest.Wait()
		stopped := time.Now()
		a.stop()
		if err := <-a.ended; err != nil {
			t.Fatal(err)
		}
		<-b.leads
		if took := time.Since(stopped); took >= duration {
			t.Errorf("b leads after %s: the Lease ran out, it was not given back", took)
		}
		b.stop()
		<-b.ended
	})
}

// TestLeaseOutlivesWork: while the work ends, nobody else may begin.
func TestLeaseOutlivesWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		ctx, cancel := context.WithCancel(t.Context())
		started, finish, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		failure := errors.New("the work failed")
		e := election(t, client, "a")
		go func() {
			ended <- e.Lead(ctx, func(context.Context) error {
				close(started)
				<-finish
				return failure
			})
		}()
		<-started
		b := start(t, election(t, client, "b"))
		cancel()
		time.Sleep(4 * duration)
		synctest.Wait()
		if b.leading() {
			t.Fatal("b leads while a's work has not ended")
		}
		close(finish)
		if err := <-ended; !errors.Is(err, failure) {
			t.Errorf("Lead: %v, want the work's error", err)
		}
		<-b.leads
		b.stop()
		<-b.ended
	})
}

// TestLostLease: an API server that refuses every renewal ends the leader
// before another could begin.
func TestLostLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		client := fake.NewClientset()
		client.PrependReactor("*", "leases", func(k8stesting.Action) (bool, runtime.Object, error) {
			return down.Load(), nil, apierrors.NewInternalError(errors.New("no leader"))
		})
		a := start(t, election(t, client, "a"))
		<-a.leads
		synctest.Wait()
		down.Store(true)
		since := time.Now()
		if err := <-a.ended; !errors.Is(err, ErrLost) {
			t.Fatalf("Lead: %v, want ErrLost", err)
		}
		if took := time.Since(since); took > duration {
			t.Errorf("the loss was told after %s, the Lease is good for %s", took, duration)
		}
		if a.work.Err() == nil {
			t.Error("the work's context has not ended")
		}
	})
}

// TestRestartLeadsAgain: a leader that was killed and comes back under its
// identity need not wait for its own Lease.
func TestRestartLeadsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id, now, seconds := "a", metav1.NewMicroTime(time.Now()), int32(duration.Seconds())
		client := fake.NewClientset(&coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: lease},
			Spec: coordinationv1.LeaseSpec{
				HolderIdentity: &id, AcquireTime: &now, RenewTime: &now, LeaseDurationSeconds: &seconds,
			},
		})
		began := time.Now()
		a := start(t, election(t, client, id))
		<-a.leads
		if took := time.Since(began); took >= duration/2 {
			t.Errorf("leads again after %s", took)
		}
		a.stop()
		<-a.ended
	})
}

func TestElectionOptions(t *testing.T) {
	good := ElectionOptions{Client: fake.NewClientset(), Namespace: namespace, Name: lease, Identity: "a", Duration: duration}
	for name, change := range map[string]func(*ElectionOptions){
		"no namespace": func(o *ElectionOptions) { o.Namespace = "" },
		"no name":      func(o *ElectionOptions) { o.Name = "" },
		"no identity":  func(o *ElectionOptions) { o.Identity = "" },
		"no duration":  func(o *ElectionOptions) { o.Duration = 0 },
	} {
		o := good
		change(&o)
		if _, err := NewElection(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
