package element

import (
	"testing"

	"github.com/san-csi/san-csi/pkg/san/santest"
)

// TestConformance runs the suite against the software array, over real HTTPS
// and with real iSCSI sessions.
func TestConformance(t *testing.T) {
	santest.Run(t, func(t *testing.T) santest.Subject { return newBench(t).subject(t) })
}
