package e2e

import "regexp"

// missing is a capability that is missing, of the driver, the suite or the
// cluster, and what that explains.
type missing struct {
	capability string
	// skip is found in the messages of the skips that it explains.
	skip *regexp.Regexp
	// specs are those that are known beforehand to be skipped by it: they need
	// nothing of the cluster, and are asked together.
	specs *regexp.Regexp
	// leftOut are specs that would run, and could not pass.
	leftOut *regexp.Regexp
}

// capabilities that are missing. A skip that none of them explains is an error.
var capabilities = []missing{
	{
		capability: "Inline ephemeral volumes of CSI: a LUN is the controller's to make, so that it is budgeted and fenced; generic ephemeral volumes are there",
		skip:       regexp.MustCompile(`does not support volume type "CSIInlineVolume"`),
		specs:      regexp.MustCompile(`^\[Testpattern: CSI Ephemeral-volume`),
	},
	{
		capability: "Volumes made outside of Kubernetes (pre-provisioned, inline): the suite makes them for drivers only that are compiled into it",
		skip:       regexp.MustCompile(`does not support volume type "(InlineVolume|PreprovisionedPV)"`),
		specs:      regexp.MustCompile(`^\[Testpattern: (Inline-volume|Pre-provisioned PV)`),
	},
	{
		capability: "Filesystems other than ext4, xfs and btrfs",
		skip:       regexp.MustCompile(`doesn't support (ext3|ntfs) -- skipping`),
		specs:      regexp.MustCompile(`\((ext3|ntfs)\)`),
	},
	{
		capability: "ReadWriteMany filesystems: one that is written to is a single node's, only block volumes are shared. The suite has one capability for both",
		leftOut:    regexp.MustCompile(`\[Testpattern: Dynamic PV \((filesystem volmode|default fs|ext4|xfs)\)\].* multiVolume .*should concurrently access the single volume from pods on different node`),
	},
	{
		capability: "None: the suite tests it with volumes of the other kind",
		skip: regexp.MustCompile(`(?i)should be covered by block volume case|do not support mount options|not valid for Block volume mode|` +
			`raw block volumes cannot be read-only|Test for Block volumes is not implemented|multiple PV mount test for block mode|` +
			`volume type "\w+" is( not)? ephemeral|^Suite "\w+" does not support|does not support snapshots - skipping`),
	},
	{
		capability: "None: the suite leaves immediate binding of ephemeral volumes out where the driver has a topology",
		skip:       regexp.MustCompile(`VolumeBindingMode immediate is not compatible with a multi-topology environment|volumes get created in separate topology segments`),
	},
	{
		capability: "Snapshot metadata (changed blocks)",
		skip:       regexp.MustCompile(`does not support snapshot metadata`),
		specs:      regexp.MustCompile(`^\[Testpattern: SnapshotMetadata\]`),
	},
	{
		capability: "Nodes with SELinux, in this cluster",
		leftOut:    regexp.MustCompile(`\[Feature:SELinux\]`),
	},
	{
		capability: "A second zone, in this cluster",
		skip:       regexp.MustCompile(`Not enough topologies in cluster`),
	},
	{
		capability: "An SSH server on the nodes, in this cluster: stopping a kubelet and worse is done by the faults of make test-guest-long and make test-cluster",
		skip:       regexp.MustCompile(`No SSH Key for provider`),
		specs:      regexp.MustCompile(`\[Disruptive\]`),
	},
	{
		capability: "Images of a volume populator and its validator, in this cluster",
		leftOut:    regexp.MustCompile(`\(default fs\).*should provision storage with any volume data source`),
	},
}

// explain is the capability whose absence explains a skip's message; "" where
// none does.
func explain(message string) string {
	for _, m := range capabilities {
		if m.skip != nil && m.skip.MatchString(message) {
			return m.capability
		}
	}
	return ""
}

// leftOut is the capability without which a spec is not run; "" where it is.
func leftOut(spec string) string {
	for _, m := range capabilities {
		if m.leftOut != nil && m.leftOut.MatchString(spec) {
			return m.capability
		}
	}
	return ""
}

// skippedBeforehand tells whether a spec is known to be skipped.
func skippedBeforehand(spec string) bool {
	for _, m := range capabilities {
		if m.specs != nil && m.specs.MatchString(spec) {
			return true
		}
	}
	return false
}
