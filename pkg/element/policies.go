package element

import "context"

// QoSPolicy is a named quality of service; its volumes follow its changes.
type QoSPolicy struct {
	ID   int64  `json:"qosPolicyID"`
	Name string `json:"name"`
	QoS  QoS    `json:"qos"`
}

// ListQoSPolicies returns every policy of the array.
func (c *Client) ListQoSPolicies(ctx context.Context) ([]QoSPolicy, error) {
	var result struct {
		Policies []QoSPolicy `json:"qosPolicies"`
	}
	err := c.repeat(ctx, "ListQoSPolicies", none{}, &result)
	return result.Policies, err
}
