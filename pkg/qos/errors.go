package qos

import "fmt"

// ParameterError is a class parameter that cannot be: which, what it says, and
// what it may say.
type ParameterError struct {
	Key   string
	Value string
	Bound string
}

// Error names key, value and bound; an overlong value is cut.
func (e *ParameterError) Error() string {
	return fmt.Sprintf("parameter %s: value %.80q: must be %s", e.Key, e.Value, e.Bound)
}
