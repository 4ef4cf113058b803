package api

import (
	"github.com/san-csi/san-csi/pkg/softarray/store"
)

func faultMethods() map[string]method {
	return map[string]method{"ListClusterFaults": query(listFaults)}
}

type faultParams struct {
	Types string `json:"faultTypes"`
}

type wireFault struct {
	ID               int64   `json:"clusterFaultID"`
	Code             string  `json:"code"`
	Data             *string `json:"data"`
	Date             string  `json:"date"`
	Details          string  `json:"details"`
	DriveID          int64   `json:"driveID"`
	DriveIDs         []int64 `json:"driveIDs"`
	HardwareFaultID  int64   `json:"nodeHardwareFaultID"`
	NodeID           int64   `json:"nodeID"`
	Resolved         bool    `json:"resolved"`
	ResolvedDate     string  `json:"resolvedDate"`
	ServiceID        int64   `json:"serviceID"`
	Severity         string  `json:"severity"`
	Type             string  `json:"type"`
	ExternalSource   string  `json:"externalSource"`
	NetworkInterface string  `json:"networkInterface"`
	BlocksUpgrade    bool    `json:"blocksUpgrade"`
}

func toWireFault(f store.Fault) wireFault {
	w := wireFault{
		ID: f.ID, Code: f.Code, Date: microsAt(f.Raised), Details: f.Details, DriveIDs: []int64{},
		Resolved: !f.Open(), Severity: f.Severity, Type: "cluster",
	}
	if w.Resolved {
		w.ResolvedDate = microsAt(f.Resolved)
	}
	return w
}

func listFaults(c *call, p faultParams) (any, error) {
	if p.Types != "" {
		if err := oneOf("faultTypes", p.Types, "current", "resolved", "all"); err != nil {
			return nil, err
		}
	}
	faults := []wireFault{}
	for f, err := range c.tx.Faults().From(0) {
		if err != nil {
			return nil, err
		}
		if f.Open() && p.Types != "resolved" || !f.Open() && p.Types != "current" {
			faults = append(faults, toWireFault(f))
		}
	}
	return result{"faults": faults}, nil
}
