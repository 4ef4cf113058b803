package qos

// Parameters are the class parameters that Parse would read as this request.
func (r Request) Parameters() map[string]string {
	params := map[string]string{}
	for _, p := range r.parts(Limits{}) {
		if !p.amount.IsZero() {
			params[p.name()] = p.text()
		}
	}
	if r.Policy != "" {
		params[KeyPolicy] = r.Policy
	}
	if r.Enforcement != "" {
		params[KeyEnforcement] = string(r.Enforcement)
	}
	return params
}
