package sanity

import (
	"slices"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
)

// mayBeSkipped are the specs of what the driver does not advertise: snapshots
// that are not usable from everywhere.
var mayBeSkipped = []string{
	"CreateSnapshot [Controller Server] should succeed when creating a snapshot with accessibility requirements",
}

var _ = ginkgo.ReportAfterSuite("nothing that the capabilities cover is skipped", func(r types.Report) {
	for _, s := range r.SpecReports {
		if s.State.Is(types.SpecStateSkipped) && !slices.Contains(mayBeSkipped, s.FullText()) {
			ginkgo.Fail("skipped, and should not be: " + s.FullText() + " (" + s.Failure.Message + ")")
		}
	}
})
