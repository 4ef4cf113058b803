package lab

// LogIn is what an administrator does in a guest: log in to $target at $portal;
// $d is then its disk. The defaults of iscsiadm hold: the kernel scans by itself.
const LogIn = `set -e
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

// LogOut undoes LogIn.
const LogOut = `
blockdev --flushbufs $d
$n --logout >/dev/null
$n -o delete
`
