package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"k8s.io/client-go/kubernetes"

	"github.com/san-csi/san-csi/pkg/driver"
	"github.com/san-csi/san-csi/pkg/kube"
	"github.com/san-csi/san-csi/pkg/metrics"
	"github.com/san-csi/san-csi/pkg/stage"
)

// reasons are what events about the Node call the reconciler's acts.
var reasons = map[stage.Act]string{
	stage.ActFence:   "VolumeFenced",
	stage.ActClean:   "VolumeCleaned",
	stage.ActLogin:   "SessionRestored",
	stage.ActRecover: "SessionInRecovery",
	stage.ActPortal:  "PortalUnreachable",
	stage.ActLook:    "VolumesNotSeen",
}

// findings has the metrics and, where there is a client of the API, events about
// the Node tell of what the reconciler does and sees.
func findings(ctx context.Context, client kubernetes.Interface, m *metrics.Metrics, node string) func(stage.Finding) {
	event := func(stage.Finding) {}
	if client != nil {
		events := kube.NewNodeEvents(ctx, client, node, driver.Name)
		event = func(f stage.Finding) { tellEvent(events, f) }
	}
	return func(f stage.Finding) {
		m.NodeAction(string(f.Act), result(f))
		event(f)
	}
}

func result(f stage.Finding) string {
	switch {
	case f.Act == stage.ActRecover, f.Act == stage.ActPortal:
		return "seen"
	case f.Err != nil:
		return "failed"
	}
	return "ok"
}

func tellEvent(events *kube.Events, f stage.Finding) {
	switch {
	case f.Err != nil:
		events.Warn(reasons[f.Act], fmt.Sprintf("%s: %v", f.Message, f.Err))
	case f.Act == stage.ActRecover:
		events.Warn(reasons[f.Act], f.Message)
	default:
		events.Note(reasons[f.Act], f.Message)
	}
}

// standing has the metrics tell of the node's volumes.
func standing(m *metrics.Metrics, stager *stage.Stager) {
	m.Node(func() metrics.Node {
		now := stager.Standing()
		return metrics.Node{Staged: now.Staged, Recovering: now.Recovering, Missing: now.Missing, Paths: now.Paths, Fenced: now.Fenced, Portals: now.Portals}
	})
}

// bootID tells one boot of the host from another (random(4)).
func bootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("this boot of the host: %w", err)
	}
	return strings.TrimSpace(string(id)), nil
}
