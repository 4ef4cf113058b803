package element

import (
	"context"
	"slices"
	"strings"
	"time"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

// Health is what the array says is wrong with it.
func (a *Array) Health(ctx context.Context) (san.Health, error) {
	if _, err := a.Identity(ctx); err != nil {
		return san.Health{}, err
	}
	full, err := a.client.GetClusterFullThreshold(ctx)
	if err != nil {
		return san.Health{}, fail("read fullness of array", a.client.Endpoint(), err)
	}
	faults, err := a.client.ListClusterFaults(ctx)
	if err != nil {
		return san.Health{}, fail("list faults of array", a.client.Endpoint(), err)
	}
	h := san.Health{Fullness: stageOf(full.Fullness)}
	for _, f := range faults {
		since, _ := time.Parse(time.RFC3339, f.Date) // zero where it cannot be read
		h.Faults = append(h.Faults, san.Fault{Code: f.Code, Severity: f.Severity, Details: f.Details, Since: since, Volumes: effectOf(f)})
	}
	return h, nil
}

// stageOf reads a stage of fullness by its number, since the words behind it
// differ between releases; 0 = not known.
func stageOf(stage string) int {
	number, ok := strings.CutPrefix(stage, "stage")
	if !ok || number == "" || number[0] < '1' || number[0] > '5' {
		return 0
	}
	return int(number[0] - '0')
}

// effectOf is what a fault does to the volumes. With its floors past what it can
// do, an array keeps none of them under load; as good as full, it moves ceilings
// towards floors; full, it takes no writes.
func effectOf(f api.ClusterFault) san.Effect {
	full := slices.Contains([]string{api.FaultBlocksFull, api.FaultMetadataFull}, f.Code)
	switch {
	case f.Code == api.FaultIOPSOverProvisioned, full && f.Severity == api.SeverityError:
		return san.EffectDegraded
	case full && f.Severity == api.SeverityCritical:
		return san.EffectInaccessible
	}
	return san.EffectNone
}
