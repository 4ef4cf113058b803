package element

import "context"

// Codes of faults that callers tell apart.
const (
	FaultIOPSOverProvisioned  = "clusterIOPSAreOverProvisioned"
	FaultBlocksFull           = "blockClusterFull"
	FaultMetadataFull         = "metadataClusterFull"
	FaultProvisionedSpaceFull = "provisionedSpaceTooFull"
)

// Severities of faults.
const (
	SeverityError    = "error"
	SeverityCritical = "critical"
)

// ClusterFault is something that is wrong with the array, as old as the array's
// last look, some 30 s.
type ClusterFault struct {
	Code     string `json:"code"`
	Severity string `json:"severity"` // bestPractice, warning, error or critical
	Details  string `json:"details"`
	Date     string `json:"date"` // RFC 3339, UTC, microseconds
}

// ListClusterFaults returns what is wrong now.
func (c *Client) ListClusterFaults(ctx context.Context) ([]ClusterFault, error) {
	params := struct {
		Types string `json:"faultTypes"`
	}{"current"}
	var result struct {
		Faults []ClusterFault `json:"faults"`
	}
	err := c.repeat(ctx, "ListClusterFaults", params, &result)
	return result.Faults, err
}

// FullThreshold is how full the array is, the worse of blocks and metadata:
// stage1Happy to stage5CompletelyConsumed.
type FullThreshold struct {
	Fullness string `json:"fullness"`
}

// GetClusterFullThreshold tells how full the array is.
func (c *Client) GetClusterFullThreshold(ctx context.Context) (FullThreshold, error) {
	var result FullThreshold
	err := c.repeat(ctx, "GetClusterFullThreshold", none{}, &result)
	return result, err
}
