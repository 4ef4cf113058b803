package driver

import (
	"fmt"

	"github.com/san-csi/san-csi/pkg/chap"
	"github.com/san-csi/san-csi/pkg/san"
)

// contextCHAP is the member of the publish context with the credentials to log
// in with, sealed to the node's key; absent where none are needed.
const contextCHAP = "chap"

// sealCHAP adds the grant's credentials to the publish context: for this volume
// on this node, and to be opened by it alone.
func sealCHAP(context map[string]string, g *san.Grant, nodeID string) error {
	if g.CHAP == nil {
		return nil
	}
	n, err := san.ParseNode(nodeID)
	if err != nil {
		return err
	}
	sealed, err := chap.Seal(n.Key, chap.Credentials{
		Username:   g.CHAP.Username,
		Secret:     chap.Secret(g.CHAP.Secret),
		Target:     chap.Secret(g.CHAP.Target),
		Generation: g.CHAP.Generation,
	}, chap.Binding{Target: g.IQN, Initiator: n.IQN})
	if err != nil {
		return fmt.Errorf("publish to node %s: %w: %w", n.Identity(), san.ErrBusy, err)
	}
	context[contextCHAP] = sealed
	return nil
}
