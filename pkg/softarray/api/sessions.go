package api

import (
	"fmt"
	"time"

	"github.com/san-csi/san-csi/pkg/softarray/iscsi"
)

type wireAuthentication struct {
	Method    string  `json:"authMethod"`
	Algorithm *string `json:"chapAlgorithm"`
	Username  *string `json:"chapUsername"`
	Direction *string `json:"direction"`
}

type wireSession struct {
	AccountID         int64              `json:"accountID"`
	AccountName       string             `json:"accountName"`
	Authentication    wireAuthentication `json:"authentication"`
	CreateTime        string             `json:"createTime"`
	DriveID           int64              `json:"driveID"`
	DriveIDs          []int64            `json:"driveIDs"`
	Initiator         *sessionInitiator  `json:"initiator"`
	InitiatorIP       string             `json:"initiatorIP"`
	InitiatorName     string             `json:"initiatorName"`
	InitiatorPortName string             `json:"initiatorPortName"`
	InitiatorSession  uint64             `json:"initiatorSessionID"` // the ISID
	SinceLastPDU      int64              `json:"msSinceLastIscsiPDU"`
	SinceLastCommand  int64              `json:"msSinceLastScsiCommand"`
	NodeID            int64              `json:"nodeID"`
	ServiceID         int64              `json:"serviceID"`
	SessionID         int64              `json:"sessionID"`
	TargetIP          string             `json:"targetIP"`
	TargetName        string             `json:"targetName"`
	TargetPortName    string             `json:"targetPortName"`
	VirtualNetworkID  int64              `json:"virtualNetworkID"`
	VolumeID          int64              `json:"volumeID"`
	VolumeInstance    int64              `json:"volumeInstance"`
}

// sessionInitiator is the initiator's record without its secrets, whose keys
// clients need nevertheless.
type sessionInitiator struct {
	wireInitiator
	InitiatorSecret *string `json:"initiatorSecret"`
	TargetSecret    *string `json:"targetSecret"`
}

func sessionMethods() map[string]method {
	return map[string]method{"ListISCSISessions": query(listSessions)}
}

func listSessions(c *call, _ none) (any, error) {
	now := c.config.Clock.Now()
	out := []wireSession{}
	for _, s := range c.config.Data.Sessions() {
		if s.VolumeID == 0 {
			continue // a discovery session reaches no volume
		}
		w := toWireSession(s, now)
		if i, err := c.tx.InitiatorNamed(s.InitiatorName); err == nil {
			w.Initiator = &sessionInitiator{wireInitiator: toWireInitiator(i)}
		}
		out = append(out, w)
	}
	return result{"sessions": out}, nil
}

func toWireSession(s iscsi.Session, now time.Time) wireSession {
	return wireSession{
		AccountID: s.AccountID, AccountName: s.AccountName,
		Authentication: wireAuthentication{
			Method: s.AuthMethod, Algorithm: optional(s.CHAPAlgorithm), Username: optional(s.CHAPUser), Direction: optional(s.CHAPDirection),
		},
		CreateTime: microsAt(s.Created), DriveIDs: []int64{},
		InitiatorIP: s.InitiatorAddr, InitiatorName: s.InitiatorName,
		InitiatorPortName: fmt.Sprintf("%s,i,0x%012x", s.InitiatorName, s.ISID), InitiatorSession: s.ISID,
		SinceLastPDU: since(now, s.LastPDU), SinceLastCommand: since(now, s.LastCommand),
		NodeID: nodeID, ServiceID: nodeID, SessionID: s.ID,
		TargetIP: s.TargetAddr, TargetName: s.TargetName, TargetPortName: s.TargetName + ",t,0x1",
		VolumeID: s.VolumeID, VolumeInstance: s.VolumeID,
	}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// since is in milliseconds, 0 for what never happened.
func since(now, then time.Time) int64 {
	if then.IsZero() {
		return 0
	}
	return max(0, now.Sub(then).Milliseconds())
}
