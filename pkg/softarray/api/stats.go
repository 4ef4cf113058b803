package api

import (
	"slices"
	"time"

	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// ioStats are the members that volume and cluster statistics share. Latencies
// are those that clients see, from a command's arrival to its end, the wait for
// the ceiling included; totals never go down.
type ioStats struct {
	ActualIOPS            int64  `json:"actualIOPS"`
	AverageIOPSize        int64  `json:"averageIOPSize"`
	ClientQueueDepth      int64  `json:"clientQueueDepth"`
	LatencyUSec           int64  `json:"latencyUSec"`
	NormalizedIOPS        int64  `json:"normalizedIOPS"`
	ReadBytes             int64  `json:"readBytes"`
	ReadBytesLastSample   int64  `json:"readBytesLastSample"`
	ReadLatencyUSec       int64  `json:"readLatencyUSec"`
	ReadLatencyUSecTotal  int64  `json:"readLatencyUSecTotal"`
	ReadOps               int64  `json:"readOps"`
	ReadOpsLastSample     int64  `json:"readOpsLastSample"`
	Timestamp             string `json:"timestamp"`
	UnalignedReads        int64  `json:"unalignedReads"`
	UnalignedWrites       int64  `json:"unalignedWrites"`
	WriteBytes            int64  `json:"writeBytes"`
	WriteBytesLastSample  int64  `json:"writeBytesLastSample"`
	WriteLatencyUSec      int64  `json:"writeLatencyUSec"`
	WriteLatencyUSecTotal int64  `json:"writeLatencyUSecTotal"`
	WriteOps              int64  `json:"writeOps"`
	WriteOpsLastSample    int64  `json:"writeOpsLastSample"`
}

func (c *call) ioStats(u Usage) ioStats {
	t, s := u.Total, u.Sample
	ops := s.ReadOps + s.WriteOps
	return ioStats{
		ActualIOPS: u.perSecond(ops), NormalizedIOPS: u.perSecond(s.Cost) / unitCost(),
		AverageIOPSize: ratio(s.ReadBytes+s.WriteBytes, ops), ClientQueueDepth: u.Queue,
		LatencyUSec: ratio(s.ReadMicros+s.WriteMicros, ops),
		ReadBytes:   t.ReadBytes, ReadBytesLastSample: s.ReadBytes,
		ReadLatencyUSec: ratio(s.ReadMicros, s.ReadOps), ReadLatencyUSecTotal: t.ReadMicros,
		ReadOps: t.ReadOps, ReadOpsLastSample: s.ReadOps,
		Timestamp:      microsAt(c.config.Clock.Now()),
		UnalignedReads: t.UnalignedReads, UnalignedWrites: t.UnalignedWrites,
		WriteBytes: t.WriteBytes, WriteBytesLastSample: s.WriteBytes,
		WriteLatencyUSec: ratio(s.WriteMicros, s.WriteOps), WriteLatencyUSecTotal: t.WriteMicros,
		WriteOps: t.WriteOps, WriteOpsLastSample: s.WriteOps,
	}
}

// perSecond scales the sample's count.
func (u Usage) perSecond(n int64) int64 {
	return ratio(n*time.Second.Microseconds(), u.Period.Microseconds())
}

// throttle is how far a volume is held under max, 0..1: by an array that is
// busy with others, and by one that is all but full.
func (u Usage) throttle(max int64) float64 {
	if u.MaxIOPS == 0 || u.MaxIOPS > max {
		return u.Withheld
	}
	return 1 - (1-u.Withheld)*float64(u.MaxIOPS)/float64(max)
}

// unitCost is what the curve charges for one I/O of 4 KiB.
func unitCost() int64 { return qos.ElementCurve().Cost(4096) }

func ratio(sum, n int64) int64 {
	if n == 0 {
		return 0
	}
	return sum / n
}

type metadataHosts struct {
	Primary         int64   `json:"primary"`
	LiveSecondaries []int64 `json:"liveSecondaries"`
	DeadSecondaries []int64 `json:"deadSecondaries"`
}

type wireVolumeStats struct {
	ioStats
	AccountID            int64         `json:"accountID"`
	AsyncDelay           *string       `json:"asyncDelay"`
	BurstIOPSCredit      int64         `json:"burstIOPSCredit"`
	DesiredMetadataHosts *string       `json:"desiredMetadataHosts"`
	MetadataHosts        metadataHosts `json:"metadataHosts"`
	NonZeroBlocks        int64         `json:"nonZeroBlocks"` // of 4 KiB, by what the file takes
	SamplePeriodMSec     int64         `json:"samplePeriodMSec"`
	Throttle             float64       `json:"throttle"` // 0..1
	VolumeAccessGroups   []int64       `json:"volumeAccessGroups"`
	VolumeID             int64         `json:"volumeID"`
	VolumeSize           int64         `json:"volumeSize"`
	VolumeUtilization    float64       `json:"volumeUtilization"` // share of maxIOPS
	ZeroBlocks           int64         `json:"zeroBlocks"`
}

const blockSize = 4096

func (c *call) volumeStats(v store.Volume) (wireVolumeStats, error) {
	taken, err := c.tx.Usage(v)
	if err != nil {
		return wireVolumeStats{}, err
	}
	used := min(taken.Total(), v.Size) / blockSize
	usage := c.config.Data.Usage(v)
	io := c.ioStats(usage)
	return wireVolumeStats{
		ioStats: io, AccountID: v.AccountID, BurstIOPSCredit: usage.BurstCredit, Throttle: usage.throttle(v.QoS.Max),
		MetadataHosts:    metadataHosts{Primary: nodeID, LiveSecondaries: []int64{}, DeadSecondaries: []int64{}},
		NonZeroBlocks:    used,
		ZeroBlocks:       v.Size/blockSize - used,
		SamplePeriodMSec: SamplePeriod.Milliseconds(), VolumeAccessGroups: list(v.Groups),
		VolumeID: v.ID, VolumeSize: v.Size, VolumeUtilization: float64(io.NormalizedIOPS) / float64(v.QoS.Max),
	}, nil
}

func statsMethods() map[string]method {
	return map[string]method{
		"GetVolumeStats":                     query(getVolumeStats, "volumeID"),
		"GetVolumeEfficiency":                query(getVolumeEfficiency, "volumeID"),
		"ListVolumeStats":                    query(listVolumeStats),
		"ListVolumeStatsByVolume":            query(listVolumeStats),
		"ListVolumeStatsByAccount":           query(listVolumeStats),
		"ListVolumeStatsByVolumeAccessGroup": query(listVolumeStats),
	}
}

// getVolumeStats answers one object, as clients expect, not a list.
func getVolumeStats(c *call, p oneVolume) (any, error) {
	v, err := c.volume(int64(p.VolumeID))
	if err != nil {
		return nil, err
	}
	stats, err := c.volumeStats(v)
	return result{"volumeStats": stats}, err
}

type statsParams struct {
	VolumeIDs integers `json:"volumeIDs"`
	Accounts  integers `json:"accounts"`
	Groups    integers `json:"volumeAccessGroups"`
}

// listVolumeStats is also the lists by account and by access group: an entry
// for each volume, which names both, of those that are asked for.
func listVolumeStats(c *call, p statsParams) (any, error) {
	source, err := c.candidates(listParams{VolumeIDs: p.VolumeIDs})
	if err != nil {
		return nil, err
	}
	out := []wireVolumeStats{}
	for v, err := range source {
		if err != nil {
			return nil, err
		}
		if !asked(p.Accounts, v.AccountID) || !asked(p.Groups, v.Groups...) {
			continue
		}
		stats, err := c.volumeStats(v)
		if err != nil {
			return nil, err
		}
		out = append(out, stats)
	}
	return result{"volumeStats": out}, nil
}

// asked: no filter, or one of the ids is in it.
func asked(filter integers, ids ...int64) bool {
	return len(filter.Values) == 0 ||
		slices.ContainsFunc(ids, func(id int64) bool { return slices.Contains(filter.Values, id) })
}

// getVolumeEfficiency: nothing is compressed or deduplicated; thin provisioning
// is what was promised over what is taken.
func getVolumeEfficiency(c *call, p oneVolume) (any, error) {
	v, err := c.volume(int64(p.VolumeID))
	if err != nil {
		return nil, err
	}
	usage, err := c.tx.Usage(v)
	if err != nil {
		return nil, err
	}
	return result{
		"compression": 1.0, "deduplication": 1.0, "missingVolumes": []int64{},
		"thinProvisioning": float64(v.Size) / float64(max(min(usage.Total(), v.Size), blockSize)),
		"timestamp":        microsAt(c.config.Clock.Now()),
	}, nil
}
