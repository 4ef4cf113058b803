//go:build observe

package observe

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/tests/controller"
)

// TestRun lets a site live, and fall ill, and looks at it through the chart's
// dashboard and alerts.
func TestRun(t *testing.T) {
	s := open(t)
	s.live(t)
	for _, part := range []struct {
		name string
		test func(*testing.T, *site)
	}{
		{"every metric is served", testServed},
		{"every panel has data", testPanels},
		{"every rule is evaluated", testRules},
		{"picture", testPicture},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, s) })
	}
}

// live is what happens: a database, noisy neighbours, more claims than there is
// room for, a volume made past the driver, a path cut off, the array gone.
func (s *site) live(t *testing.T) {
	db := s.attach(t, "database", 200, 300)
	s.read(t, "database")
	s.hold(t, `san_csi_volume_actual_iops{pvc="shop/database"} > 150`, 8)

	t.Log("the neighbours come")
	for _, claim := range []string{"noise-1", "noise-2"} {
		s.attach(t, claim, 50, 600)
		s.read(t, claim)
	}
	s.hold(t, `san_csi_volume_throttle{pvc=~"shop/noise.*"} > 0`, 10)
	_, err := csi.NewControllerClient(s.controller.Conn).ControllerModifyVolume(t.Context(), &csi.ControllerModifyVolumeRequest{
		VolumeId: db.GetVolumeId(), MutableParameters: map[string]string{"minIOPS": "250"},
	})
	must(t, err)

	t.Log("claims that do not fit")
	for n := range 8 {
		if _, err := s.create(t.Context(), "too-much", 400, 600); status.Code(err) != codes.ResourceExhausted {
			t.Fatalf("a floor that does not fit: %v", err)
		}
		s.until(t, fmt.Sprintf(`san_csi_grpc_call_duration_seconds_count{method="CreateVolume", code="ResourceExhausted"} == %d`, n+1))
	}
	s.until(t, `ALERTS{alertname="SanCSIManyRefused", alertstate="firing"}`)

	t.Log("somebody else makes a volume, and the arrays' file changes")
	s.overrun(t)
	s.relabel(t)
	s.until(t, `san_csi_config_reloads_total{result="taken"} > 0`)

	t.Log("a portal is cut off")
	s.cut(t)
	s.hold(t, `san_csi_node_paths_missing > 0 and on (instance) san_csi_node_portal_reached == 0`, 5)
	s.mend(t)
	s.hold(t, `san_csi_node_paths_missing == 0 and on (instance) min by (instance) (san_csi_node_portal_reached) == 1`, 5)

	t.Log("the array dies, and comes back")
	must(t, s.lab.Array.Kill())
	s.hold(t, `san_csi_array_up == 0 and on (array) rate(san_csi_array_calls_total{result="open"}[10s]) > 0`, 5)
	s.until(t, `san_csi_node_volumes_recovering + san_csi_node_volumes_without_session > 0`)
	must(t, s.lab.Array.Restart(t.Context()))
	s.hold(t, `san_csi_array_up == 1 and on () san_csi_node_volumes_recovering + san_csi_node_volumes_without_session == 0`, 5)
}

// overrun makes a volume past the driver, with a floor that the array has no
// more, and takes it away when the driver has seen it.
func (s *site) overrun(t *testing.T) {
	t.Helper()
	account, err := s.lab.Element.GetAccountByName(t.Context(), controller.Account)
	must(t, err)
	v, err := s.lab.Element.CreateVolume(t.Context(), element.CreateVolumeRequest{
		Name: "by-hand", AccountID: account.AccountID, TotalSize: gib, QoS: &element.QoS{MinIOPS: 400, MaxIOPS: 500, BurstIOPS: 500},
	})
	must(t, err)
	s.hold(t, `san_csi_array_overrun == 1 and on (array) san_csi_array_fault`, 5)
	_, err = s.lab.Element.DeleteVolume(t.Context(), v.VolumeID)
	must(t, err, s.lab.Element.PurgeDeletedVolume(t.Context(), v.VolumeID))
	s.hold(t, `san_csi_array_overrun == 0`, 3)
}

// testServed: each metric of the reference was scraped.
func testServed(t *testing.T, s *site) {
	var names []string
	must(t, s.ask(t.Context(), "label/__name__/values", nil, &names))
	for name := range series(t) {
		if !slices.Contains(names, name) {
			t.Errorf("%s was not served", name)
		}
	}
}

// testPanels: each query of the dashboard has drawn something.
func testPanels(t *testing.T, s *site) {
	drawn, err := panels()
	must(t, err)
	for _, p := range drawn {
		for _, q := range p.Targets {
			lines, err := s.over(t.Context(), filled(q.Expr))
			if err != nil {
				t.Errorf("panel %q: %v", p.Title, err)
			}
			if !slices.ContainsFunc(lines, func(l line) bool { return slices.ContainsFunc(l.Values, number) }) {
				t.Errorf("panel %q: %s gave nothing", p.Title, q.Expr)
			}
			for _, l := range lines {
				for _, label := range legends.FindAllStringSubmatch(q.LegendFormat, -1) {
					if l.Metric[label[1]] == "" {
						t.Errorf("panel %q: the legend wants label %q of %v", p.Title, label[1], l.Metric)
					}
				}
			}
		}
	}
}

// number is not NaN, which a quantile of no calls is.
func number(s sample) bool { return s.Value == s.Value }

// filled is a query of the dashboard with what Grafana puts in.
func filled(expr string) string {
	return strings.NewReplacer("$array", ".*", "$node", ".*", "$pvc", ".*", "$__rate_interval", "10s").Replace(expr)
}

// testRules: Prometheus evaluates every rule without an error, and what went
// wrong was at least on its way to an alert.
func testRules(t *testing.T, s *site) {
	var data struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
	must(t, s.ask(t.Context(), "rules", nil, &data))
	rules, err := alerts()
	must(t, err)
	evaluated := 0
	for _, g := range data.Groups {
		for _, r := range g.Rules {
			evaluated++
			if r.Health != "ok" {
				t.Errorf("%s: %s %s", r.Name, r.Health, r.LastError)
			}
		}
	}
	if evaluated != len(rules) {
		t.Errorf("%d rules were evaluated, want %d", evaluated, len(rules))
	}
	seen, fired := s.alerted(t, "ALERTS"), s.alerted(t, `ALERTS{alertstate="firing"}`)
	for _, want := range []string{
		"SanCSIArrayUnreachable", "SanCSIArrayCallsHeldBack", "SanCSIOverprovisioned", "SanCSIFloorsNearlyGone",
		"SanCSIManyRefused", "SanCSIPathsMissing", "SanCSIPortalUnreachable", "SanCSISessionInRecovery",
	} {
		if !seen[want] {
			t.Errorf("%s was never on its way", want)
		}
	}
	for _, never := range []string{"SanCSINoLeader", "SanCSIControllerDown", "SanCSINodePluginDown", "SanCSIConfigRefused", "SanCSIArrayNearlyFull", "SanCSIFenceNotConfirmed"} {
		if fired[never] {
			t.Errorf("%s fired, and nothing of the kind happened", never)
		}
	}
}

// alerted are the alerts that were pending or firing at some time, as the
// selector says.
func (s *site) alerted(t *testing.T, selector string) map[string]bool {
	t.Helper()
	var found []map[string]string
	must(t, s.ask(t.Context(), "series", url.Values{"match[]": {selector}}, &found))
	seen := map[string]bool{}
	for _, labels := range found {
		seen[labels["alertname"]] = true
	}
	return seen
}
