# Makes a guest ready for containerd and kubelet: $STATE on the disk $DISK.
set -e
mkdir -p "$STATE"
mount -t ext4 -o noatime,discard "$DISK" "$STATE"
# Of a former boot: where containerd keeps it a boot clears it.
rm -rf "$STATE"/containerd-state
# What a pod mounts with Bidirectional propagation has to be shared.
mount --make-rshared /
cp /payload/lib/* /usr/lib/x86_64-linux-gnu/
# Kubernetes' tests look for the kubelet's directory there.
ln -sfn "$STATE/kubelet" /var/lib/kubelet
# loop: the kubelet holds the device of a block volume by one.
modprobe -a overlay veth loop
for setting in net/ipv4/ip_forward=1 vm/overcommit_memory=1 kernel/panic=10 kernel/panic_on_oops=1 fs/inotify/max_user_instances=1024; do
  echo "${setting#*=}" > "/proc/sys/${setting%%=*}"
done
: > /etc/resolv.conf
md5sum /etc/hostname | cut -c1-32 > /etc/machine-id
