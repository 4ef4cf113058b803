//go:build guest

package node

import "testing"

func TestDebug(t *testing.T) {
	b := boot(t)
	v := b.volume(t, "pvc-dbg", mounted("ext4"), nil)
	must(t, v.stage, v.publish)
	b.sh(t, killInitiator)
	must(t, v.unpublish)
	b.sh(t, "umount "+v.staging)
	t.Log(b.sh(t, `(
s=$(ls -d /sys/class/iscsi_session/*); 
for d in $s/device/target*/*/delete; do echo 1 > $d; done
iscsiadm -m session -r ${s##*/session} --logout; echo rc $?; pidof iscsid; ps -ef | grep iscsi
sleep 5; iscsiadm -m session -r ${s##*/session} --logout; echo rc $?; ps -ef | grep iscsi; cat $s/state $s/target_state
kill -9 $(pidof iscsid); iscsid -d 8 -f > /tmp/iscsid.log 2>&1 & sleep 3; s=$(ls -d /sys/class/iscsi_session/*);  iscsiadm -m session -r ${s##*/session} --logout;  echo rc $?; cat /tmp/iscsid.log | head -c 6000
) 2>&1 || true`))
}
