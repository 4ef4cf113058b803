//go:build observe

package observe

import (
	"os"
	"testing"

	"github.com/san-csi/san-csi/tests/guest"
)

func TestMain(m *testing.M) {
	guest.Isolate()
	os.Exit(m.Run())
}
