package main

import (
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/san-csi/san-csi/pkg/metrics"
	"github.com/san-csi/san-csi/pkg/stage"
)

// TestFindings: each act of the reconciler is counted, and told about the Node.
func TestFindings(t *testing.T) {
	failure := errors.New("no route to host")
	for _, tc := range []struct {
		finding stage.Finding
		result  string
		kind    string
	}{
		{stage.Finding{Act: stage.ActFence, Message: "volume a:1:0"}, "ok", corev1.EventTypeNormal},
		{stage.Finding{Act: stage.ActLogin, Message: "volume a:1:0", Err: failure}, "failed", corev1.EventTypeWarning},
		{stage.Finding{Act: stage.ActRecover, Message: "volume a:1:0"}, "seen", corev1.EventTypeWarning},
		{stage.Finding{Act: stage.ActPortal, Message: "portal", Err: failure}, "seen", corev1.EventTypeWarning},
		{stage.Finding{Act: stage.ActClean, Message: "volume a:1:0"}, "ok", corev1.EventTypeNormal},
		{stage.Finding{Act: stage.ActLook, Message: "records", Err: failure}, "failed", corev1.EventTypeWarning},
	} {
		t.Run(string(tc.finding.Act), func(t *testing.T) {
			m, client := metrics.New("v1", false), fake.NewClientset()
			watch, err := client.CoreV1().Events(metav1.NamespaceDefault).Watch(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			findings(t.Context(), client, m, "worker-1")(tc.finding)
			served := httptest.NewRecorder()
			m.Handler().ServeHTTP(served, httptest.NewRequest("GET", "/metrics", nil))
			text, _ := io.ReadAll(served.Body)
			want := `san_csi_node_actions_total{action="` + string(tc.finding.Act) + `",result="` + tc.result + `"} 1`
			if !strings.Contains(string(text), want) {
				t.Errorf("served is no %s", want)
			}
			select {
			case change := <-watch.ResultChan():
				e := change.Object.(*corev1.Event)
				if e.Type != tc.kind || e.Reason == "" || e.Reason != reasons[tc.finding.Act] || !strings.Contains(e.Message, tc.finding.Message) {
					t.Errorf("event %s %s %q", e.Type, e.Reason, e.Message)
				}
			case <-time.After(30 * time.Second):
				t.Fatal("no event is told")
			}
		})
	}
	findings(t.Context(), nil, metrics.New("v1", false), "worker-1")(stage.Finding{Act: stage.ActClean}) // without Kubernetes
}
