package api

import (
	"strconv"

	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// burstTime is how many seconds of burst a volume may earn.
const burstTime = 60

// qosParam is a subset of a QoS; members that are 0 are not given. burstTime
// and curve are the array's own and ignored.
type qosParam struct {
	MinIOPS   integer `json:"minIOPS"`
	MaxIOPS   integer `json:"maxIOPS"`
	BurstIOPS integer `json:"burstIOPS"`
}

func (p qosParam) given() bool { return p != qosParam{} }

// lay puts the given members over a base and checks the outcome. A burst that
// is not given rises with the ceiling: clients that send minimum and maximum
// only must not be refused for a default they do not know.
func (c *call) lay(p qosParam, base qos.Values) (qos.Values, error) {
	v := base
	if p.MinIOPS != 0 {
		v.Min = int64(p.MinIOPS)
	}
	if p.MaxIOPS != 0 {
		v.Max = int64(p.MaxIOPS)
	}
	if !c.config.Dialect.StrictBurst {
		v.Burst = max(v.Burst, min(v.Max, burstIOPSMax))
	}
	if p.BurstIOPS != 0 {
		v.Burst = int64(p.BurstIOPS)
	}
	return v, checkQoS(v)
}

func checkQoS(v qos.Values) error {
	if err := within("minIOPS", v.Min, minIOPSMin, minIOPSMax); err != nil {
		return err
	}
	if err := within("maxIOPS", v.Max, maxIOPSMin, maxIOPSMax); err != nil {
		return err
	}
	if err := within("burstIOPS", v.Burst, burstIOPSMin, burstIOPSMax); err != nil {
		return err
	}
	if v.Min > v.Max {
		return failf(invalidParameter, "minIOPS %d is greater than maxIOPS %d", v.Min, v.Max)
	}
	if v.Max > v.Burst {
		return failf(invalidParameter, "maxIOPS %d is greater than burstIOPS %d", v.Max, v.Burst)
	}
	return nil
}

// qosChoice is how a volume's QoS is named: values or a policy.
type qosChoice struct {
	QoS       qosParam `json:"qos"`
	PolicyID  integer  `json:"qosPolicyID"`
	Associate boolean  `json:"associateWithQoSPolicy"`
}

// choose applies the choice to a volume; values of its own detach it from its policy.
func (c *call) choose(v *store.Volume, p qosChoice) error {
	if p.QoS.given() && p.PolicyID != 0 {
		return failf(invalidParameter, "qos and qosPolicyID are mutually exclusive")
	}
	if p.PolicyID != 0 {
		policy, err := c.policy(int64(p.PolicyID))
		if err != nil {
			return err
		}
		v.QoS, v.PolicyID = policy.QoS, policy.ID
	}
	if p.QoS.given() {
		values, err := c.lay(p.QoS, v.QoS)
		if err != nil {
			return err
		}
		v.QoS, v.PolicyID = values, 0
	}
	if !p.Associate.or(true) {
		v.PolicyID = 0
	}
	return nil
}

type wireQoS struct {
	MinIOPS   int64            `json:"minIOPS"`
	MaxIOPS   int64            `json:"maxIOPS"`
	BurstIOPS int64            `json:"burstIOPS"`
	BurstTime int64            `json:"burstTime"`
	Curve     map[string]int64 `json:"curve"`
}

func toWireQoS(v qos.Values) wireQoS {
	return wireQoS{MinIOPS: v.Min, MaxIOPS: v.Max, BurstIOPS: v.Burst, BurstTime: burstTime, Curve: wireCurve()}
}

func wireCurve() map[string]int64 {
	curve := map[string]int64{}
	for _, p := range qos.ElementCurve() {
		curve[strconv.Itoa(p.Bytes)] = p.Cost
	}
	return curve
}

func qosMethods() map[string]method {
	return map[string]method{
		"GetDefaultQoS": query(getDefaultQoS),
		"SetDefaultQoS": change(setDefaultQoS),
	}
}

func getDefaultQoS(c *call, _ none) (any, error) {
	cluster, err := c.tx.Cluster()
	if err != nil {
		return nil, err
	}
	return toWireQoS(cluster.DefaultQoS), nil
}

// setDefaultQoS acts on volumes made later; those that exist keep theirs.
func setDefaultQoS(c *call, p qosParam) (any, error) {
	cluster, err := c.tx.Cluster()
	if err != nil {
		return nil, err
	}
	if cluster.DefaultQoS, err = c.lay(p, cluster.DefaultQoS); err != nil {
		return nil, err
	}
	return toWireQoS(cluster.DefaultQoS), c.tx.PutCluster(cluster)
}
