package san

// CHAP is how a node's initiator and an array prove themselves to each other
// (RFC 7143 §12.1.3). It is the node's own: it serves for all of the array's
// volumes, and for no other node.
type CHAP struct {
	Username   string
	Secret     Secret // that the initiator proves
	Target     Secret // that the array proves; "" = it need not
	Generation int64  // grows with each new secret
}

// Secret is a secret that does not show in logs and errors.
type Secret string

// String hides the secret.
func (Secret) String() string { return "[secret]" }

// GoString hides the secret.
func (Secret) GoString() string { return "[secret]" }
