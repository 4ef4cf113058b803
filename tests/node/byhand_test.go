//go:build guest

package node

import (
	"fmt"
	"testing"
)

// logIn is what an administrator does: log in to $target at $portal; $d is then
// its disk. The defaults of iscsiadm hold: the kernel scans by itself.
const logIn = `set -e
n="iscsiadm -m node -T $target -p $portal"
$n -o new >/dev/null
$n --login >/dev/null
d=
until [ -n "$d" ] && blockdev --getsize64 $d >/dev/null 2>&1; do
  usleep 20000
  for s in /sys/class/iscsi_session/*; do
    [ "$(cat $s/targetname)" != $target ] || d=/dev/$(ls $s/device/target*/*/block 2>/dev/null) || true
  done
done
`

const logOut = `
blockdev --flushbufs $d
$n --logout >/dev/null
$n -o delete
`

// byHand logs in to the volume past the driver, runs the script on $d and logs
// out again.
func (v *volume) byHand(t *testing.T, script string) string {
	t.Helper()
	return v.b.sh(t, v.address()+logIn+script+logOut)
}

func (v *volume) address() string {
	return fmt.Sprintf("target=%s portal=%s\n", v.grant["iqn"], v.grant["portals"])
}
