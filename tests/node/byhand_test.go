//go:build guest

package node

import (
	"fmt"
	"testing"

	"github.com/san-csi/san-csi/tests/lab"
)

// byHand logs in to the volume past the driver, runs the script on $d and logs
// out again.
func (v *volume) byHand(t *testing.T, script string) string {
	t.Helper()
	return v.b.sh(t, v.address()+lab.LogIn+script+lab.LogOut)
}

func (v *volume) address() string {
	return fmt.Sprintf("target=%s portal=%s\n", v.grant["iqn"], v.grant["portals"])
}
