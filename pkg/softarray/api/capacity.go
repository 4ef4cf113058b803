package api

const (
	// metadataFactor is how much more the array promises to keep track of than
	// its blocks hold; sparse files cost nothing until they are written.
	metadataFactor = 32
	// overProvisionFactor is the array's bound of promised over that.
	overProvisionFactor = 5
)

// The stages of fullness, by the share of the room that is used.
const (
	stageHappy = iota + 1
	stageAware
	stageLow
	stageCritical
	stageConsumed
)

// stageBounds are the lowest percentages of each stage from stageAware on.
var stageBounds = [...]int64{stageAware: 80, stageLow: 90, stageCritical: 97, stageConsumed: 100}

func stageName(stage int) string {
	return [...]string{
		stageHappy: "stage1Happy", stageAware: "stage2Aware", stageLow: "stage3Low",
		stageCritical: "stage4Critical", stageConsumed: "stage5CompletelyConsumed",
	}[stage]
}

// fullness is the room for volumes: what they took and what they could take in
// all. Others on the same file system make the second smaller.
type fullness struct {
	used, max int64 // bytes
}

func (c *call) fullness() (fullness, error) {
	space, err := c.config.Store.Space()
	f := fullness{used: space.AllocatedBytes, max: space.AllocatedBytes + space.AvailableBytes}
	if c.config.Capacity > 0 {
		f.max = min(f.max, c.config.Capacity)
	}
	return f, err
}

func (f fullness) maxProvisioned() int64       { return f.max * metadataFactor }
func (f fullness) maxOverProvisionable() int64 { return f.maxProvisioned() * overProvisionFactor }

func (f fullness) bound(stage int) int64 { return f.max / 100 * stageBounds[stage] }

func (f fullness) stage() int {
	for stage := stageConsumed; stage > stageHappy; stage-- {
		if f.used >= f.bound(stage) {
			return stage
		}
	}
	return stageHappy
}

// notFull refuses what would need more room on an array that is as good as full.
func (c *call) notFull() (fullness, error) {
	f, err := c.fullness()
	if err == nil && f.stage() >= stageCritical {
		return f, failf(c.config.Dialect.capacityError(), "the array is full: %d of %d bytes are used", f.used, f.max)
	}
	return f, err
}

// squeeze is how far ceilings are moved towards floors, 0..1: on the real array
// in line with what is used of the last stage before it is full.
func (f fullness) squeeze() float64 {
	from, to := f.bound(stageCritical), f.bound(stageConsumed)
	if f.used <= from || to <= from {
		return 0
	}
	return min(1, float64(f.used-from)/float64(to-from))
}

// roomForBytes refuses what would promise more than the array may, or come to
// an array that is as good as full.
func (c *call) roomForBytes(more int64) error {
	f, err := c.notFull()
	if err != nil {
		return err
	}
	totals, err := c.tx.Totals()
	if err != nil {
		return err
	}
	if totals.Provisioned+more > f.maxOverProvisionable() {
		return failf(c.config.Dialect.capacityError(), "Exceeded maximum provisioned space: %d + %d bytes of %d", totals.Provisioned, more, f.maxOverProvisionable())
	}
	return nil
}

func getCapacity(c *call, _ none) (any, error) {
	f, err := c.fullness()
	if err != nil {
		return nil, err
	}
	totals, err := c.tx.Totals()
	if err != nil {
		return nil, err
	}
	activity := c.config.Data.Activity()
	io := c.ioStats(activity.Usage)
	blocks := f.used / blockSize
	sessions := int64(len(c.config.Data.Sessions()))
	return result{"clusterCapacity": result{
		"activeBlockSpace": f.used, "activeSessions": sessions, "peakActiveSessions": max(sessions, activity.PeakSessions),
		"averageIOPS": activity.AverageIOPS, "currentIOPS": io.ActualIOPS, "peakIOPS": activity.PeakIOPS,
		"maxIOPS": c.config.TotalIOPS, "clusterRecentIOSize": io.AverageIOPSize, "totalOps": io.ReadOps + io.WriteOps,
		"maxProvisionedSpace": f.maxProvisioned(), "maxOverProvisionableSpace": f.maxOverProvisionable(),
		"maxUsedSpace": f.max, "maxUsedMetadataSpace": f.max, "provisionedSpace": totals.Provisioned,
		"usedSpace": f.used, "uniqueBlocksUsedSpace": f.used, "usedMetadataSpace": int64(0), "usedMetadataSpaceInSnapshots": int64(0),
		"nonZeroBlocks": blocks, "uniqueBlocks": blocks, "snapshotNonZeroBlocks": int64(0),
		"zeroBlocks": max(0, totals.Provisioned/blockSize-blocks), "timestamp": at(c.now),
	}}, nil
}

func getFullThreshold(c *call, _ none) (any, error) {
	f, err := c.fullness()
	if err != nil {
		return nil, err
	}
	stage := stageName(f.stage())
	out := result{
		"blockFullness": stage, "fullness": stage, "metadataFullness": stageName(stageHappy),
		"maxMetadataOverProvisionFactor": overProvisionFactor, "sliceReserveUsedThresholdPct": 5,
		"stage2AwareThreshold": 3, "stage3LowThreshold": 2, "stage4CriticalThreshold": 1,
		"stage3BlockThresholdPercent": stageBounds[stageLow], "stage3MetadataThresholdPercent": stageBounds[stageLow],
		"sumTotalClusterBytes": f.max, "sumUsedClusterBytes": f.used,
		"sumTotalMetadataClusterBytes": f.max, "sumUsedMetadataClusterBytes": int64(0),
	}
	for n, key := range map[int]string{stageAware: "stage2", stageLow: "stage3", stageCritical: "stage4", stageConsumed: "stage5"} {
		out[key+"BlockThresholdBytes"], out[key+"MetadataThresholdBytes"] = f.bound(n), f.bound(n)
	}
	return out, nil
}
