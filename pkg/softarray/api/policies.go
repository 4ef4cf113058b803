package api

import (
	"github.com/san-csi/san-csi/pkg/softarray/store"
)

type wirePolicy struct {
	ID      int64   `json:"qosPolicyID"`
	Name    string  `json:"name"`
	QoS     wireQoS `json:"qos"`
	Volumes []int64 `json:"volumeIDs"`
}

func policyMethods() map[string]method {
	return map[string]method{
		"CreateQoSPolicy": change(createPolicy, "name", "qos"),
		"ModifyQoSPolicy": change(modifyPolicy, "qosPolicyID"),
		"DeleteQoSPolicy": change(deletePolicy, "qosPolicyID"),
		"GetQoSPolicy":    query(getPolicy, "qosPolicyID"),
		"ListQoSPolicies": query(listPolicies),
	}
}

type policyParams struct {
	ID   integer  `json:"qosPolicyID"`
	Name string   `json:"name"`
	QoS  qosParam `json:"qos"`
}

func (c *call) policy(id int64) (store.Policy, error) {
	p, err := c.tx.Policies().Get(id)
	return p, missing(err, policyDoesNotExist, "QoSPolicyID %d does not exist.", id)
}

func createPolicy(c *call, p policyParams) (any, error) {
	if err := within("length of name", int64(len(p.Name)), 1, nameMax); err != nil {
		return nil, err
	}
	if err := room("QoS policies", int64(c.tx.Policies().Len()), policiesMax); err != nil {
		return nil, err
	}
	cluster, err := c.tx.Cluster()
	if err != nil {
		return nil, err
	}
	values, err := c.lay(p.QoS, cluster.DefaultQoS)
	if err != nil {
		return nil, err
	}
	policy, err := c.tx.AddPolicy(store.Policy{Name: p.Name, QoS: values})
	if err != nil {
		return nil, err
	}
	return c.policyResult(policy)
}

// modifyPolicy passes its values on to the volumes that use it.
func modifyPolicy(c *call, p policyParams) (any, error) {
	policy, err := c.policy(int64(p.ID))
	if err != nil {
		return nil, err
	}
	if p.Name != "" {
		if err := within("length of name", int64(len(p.Name)), 1, nameMax); err != nil {
			return nil, err
		}
		policy.Name = p.Name
	}
	if p.QoS.given() {
		if policy.QoS, err = c.lay(p.QoS, policy.QoS); err != nil {
			return nil, err
		}
	}
	if err := c.tx.PutPolicy(policy); err != nil {
		return nil, err
	}
	err = c.eachUser(policy.ID, func(v *store.Volume) { v.QoS = policy.QoS })
	if err != nil {
		return nil, err
	}
	return c.policyResult(policy)
}

// deletePolicy leaves its volumes with the values they have.
func deletePolicy(c *call, p policyParams) (any, error) {
	policy, err := c.policy(int64(p.ID))
	if err != nil {
		return nil, err
	}
	if err := c.eachUser(policy.ID, func(v *store.Volume) { v.PolicyID = 0 }); err != nil {
		return nil, err
	}
	return result{}, c.tx.RemovePolicy(policy.ID)
}

func getPolicy(c *call, p policyParams) (any, error) {
	policy, err := c.policy(int64(p.ID))
	if err != nil {
		return nil, err
	}
	return c.policyResult(policy)
}

func listPolicies(c *call, _ none) (any, error) {
	users, err := c.policyUsers()
	if err != nil {
		return nil, err
	}
	out := []wirePolicy{}
	for policy, err := range c.tx.Policies().From(0) {
		if err != nil {
			return nil, err
		}
		out = append(out, toWirePolicy(policy, users[policy.ID]))
	}
	return result{"qosPolicies": out}, nil
}

// eachUser changes the volumes of a policy.
func (c *call) eachUser(policy int64, change func(*store.Volume)) error {
	users, err := c.policyUsers()
	if err != nil {
		return err
	}
	for _, v := range users[policy] {
		change(&v)
		if err := c.tx.PutVolume(v); err != nil {
			return err
		}
		c.after(func(d Data) { d.Refresh(v.ID) })
	}
	return nil
}

// policyUsers are the volumes by the policy they use.
func (c *call) policyUsers() (map[int64][]store.Volume, error) {
	users := map[int64][]store.Volume{}
	for v, err := range c.tx.Volumes().From(0) {
		if err != nil {
			return nil, err
		}
		if v.PolicyID != 0 {
			users[v.PolicyID] = append(users[v.PolicyID], v)
		}
	}
	return users, nil
}

func (c *call) policyResult(p store.Policy) (any, error) {
	users, err := c.policyUsers()
	if err != nil {
		return nil, err
	}
	return result{"qosPolicy": toWirePolicy(p, users[p.ID])}, nil
}

func toWirePolicy(p store.Policy, users []store.Volume) wirePolicy {
	w := wirePolicy{ID: p.ID, Name: p.Name, QoS: toWireQoS(p.QoS), Volumes: []int64{}}
	for _, v := range users {
		w.Volumes = append(w.Volumes, v.ID)
	}
	return w
}
