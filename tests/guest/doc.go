// Package guest boots throw-away virtual machines as nodes with a real kernel
// iSCSI initiator, for the demo and for tests. It needs neither KVM nor, given
// /dev/net/tun, root.
//
// A program calls [Isolate] first thing: it then runs in network, pid and mount
// namespaces of its own, in which [StartArray] and [Boot] put the array on one
// side of a bridge and the guests on the other. Nothing of the host's iSCSI,
// network or mounts is touched, and whatever ends the program ends the rest:
//
//	func TestMain(m *testing.M) {
//		guest.Isolate()
//		os.Exit(m.Run())
//	}
//
// The guests' disk image is built from Debian packages on first use and cached
// under the user's cache directory; [Prepare] does only that.
package guest

// The network of the private world.
const (
	// HostIP is the address of the host's side, where san-array listens: its
	// API, and the cluster's iSCSI portal (SVIP).
	HostIP = "192.0.2.1"
	// NodeIP is the array's node (SIP), to which the cluster's portal redirects
	// logins.
	NodeIP = "192.0.2.2"
	// SecondIP is a second node's, for arrays that are started with it.
	SecondIP = "192.0.2.3"

	subnetPrefix = "192.0.2."
	subnetBits   = "/24"
	bridgeName   = "br-guest"
	// firstGuest and lastGuest bound the last octet of a guest's address.
	firstGuest, lastGuest = 11, 250
)
