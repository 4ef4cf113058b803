//go:build guest

package node

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/onsi/ginkgo/v2/types"

	"github.com/san-csi/san-csi/tests/lab"
)

const sanityScript = `set -e
mkdir -p /run/sanity
printf 'minIOPS: "50"\nmaxIOPS: "15000"\n' > /run/sanity/parameters
printf 'maxIOPS: "12000"\n' > /run/sanity/mutable
exec /payload/csi-sanity --csi.endpoint=%s --csi.mountdir=/run/sanity/mount --csi.stagingdir=/run/sanity/staging \
  --csi.testvolumeparameters=/run/sanity/parameters --csi.testvolumemutableparameters=/run/sanity/mutable \
  --csi.testnodevolumeattachlimit --csi.testvolumeaccesstype=%s \
  --ginkgo.no-color --ginkgo.json-report=/run/sanity/report.json
`

// testSanity runs csi-sanity in the guest against the real driver, once with
// filesystems and once with raw block volumes, and then looks for leftovers.
func testSanity(t *testing.T, b *bench) {
	for _, accessType := range []string{"mount", "block"} {
		t.Run(accessType, func(t *testing.T) {
			output, runErr := b.node.VM.Run(t.Context(), fmt.Sprintf(sanityScript, lab.Endpoint, accessType))
			report, err := b.node.VM.Get(t.Context(), "/run/sanity/report.json")
			if err != nil {
				t.Fatalf("csi-sanity wrote no report: %v\n%s", runErr, output)
			}
			passed, failed, skipped := judge(t, report)
			t.Logf("csi-sanity, %s volumes: %d passed, %d failed, %d skipped", accessType, passed, failed, skipped)
			if runErr != nil || passed == 0 {
				t.Errorf("csi-sanity: %v\n%s", runErr, output)
			}
			checkNothingLeft(t, accessType+" volumes", b)
		})
	}
}

// judge counts the specs; one that failed, or was skipped for another reason
// than those known, fails the test.
func judge(t *testing.T, raw []byte) (passed, failed, skipped int) {
	t.Helper()
	var reports []types.Report
	if err := json.Unmarshal(raw, &reports); err != nil {
		t.Fatalf("report of csi-sanity: %v", err)
	}
	for _, r := range reports {
		for _, s := range r.SpecReports {
			switch {
			case s.LeafNodeType != types.NodeTypeIt:
			case s.State.Is(types.SpecStatePassed):
				passed++
			case s.State.Is(types.SpecStateFailureStates):
				failed++
				t.Errorf("%s: %s", s.FullText(), s.FailureMessage())
			case s.State.Is(types.SpecStatePending): // csi-sanity itself has it switched off
			default:
				skipped++
				if !mayBeSkipped(s.FullText()) {
					t.Errorf("skipped, and should not be: %s (%s)", s.FullText(), s.Failure.Message)
				}
			}
		}
	}
	return passed, failed, skipped
}

// mayBeSkipped tells whether a spec tests what the driver does not advertise:
// snapshots that are not usable from everywhere.
func mayBeSkipped(spec string) bool {
	return spec == "CreateSnapshot [Controller Server] should succeed when creating a snapshot with accessibility requirements"
}
