package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
)

// The parameter types take what real clients send: numbers and booleans as
// strings, numbers with a fraction of zero, and null, "", 0 and {} for what is
// not given.

// integer is a number; 0 is not given.
type integer int64

func (i *integer) UnmarshalJSON(b []byte) error {
	text, err := scalar(b)
	if err != nil || text == "" {
		*i = 0
		return err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil {
		*i = integer(n)
		return nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return fmt.Errorf("%.64s is not an integer", b)
	}
	*i = integer(f)
	return nil
}

// reference is an id that may also be taken away: null is given, and 0.
type reference struct {
	Given bool
	ID    int64
}

func (r *reference) UnmarshalJSON(b []byte) error {
	var id integer
	if err := id.UnmarshalJSON(b); err != nil {
		return err
	}
	*r = reference{Given: true, ID: int64(id)}
	return nil
}

// boolean is true or false, or not given.
type boolean struct {
	Given, Value bool
}

func (v *boolean) UnmarshalJSON(b []byte) error {
	text, err := scalar(b)
	if err != nil || text == "" {
		return err
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		return fmt.Errorf("%.64s is not a boolean", b)
	}
	*v = boolean{Given: true, Value: value}
	return nil
}

// MarshalJSON writes what is not given as false.
func (v boolean) MarshalJSON() ([]byte, error) { return strconv.AppendBool(nil, v.Value), nil }

// or is the value, or the default where none is given.
func (v boolean) or(byDefault bool) bool {
	if v.Given {
		return v.Value
	}
	return byDefault
}

// scalar is the text of a JSON number, boolean or string; "" for null.
func scalar(b []byte) (string, error) {
	b = bytes.TrimSpace(b)
	switch {
	case len(b) == 0 || bytes.Equal(b, []byte("null")):
		return "", nil
	case b[0] == '"':
		var s string
		err := json.Unmarshal(b, &s)
		return s, err
	case b[0] == '{' || b[0] == '[':
		return "", errors.New("an object or array is not a single value")
	}
	return string(b), nil
}

// secret is a CHAP secret: absent, present but null (make one), or a value.
// Its errors never show what was sent.
type secret struct {
	Given bool
	Value string
}

func (s *secret) UnmarshalJSON(b []byte) error {
	s.Given = true
	if bytes.Equal(b, []byte("null")) {
		return nil
	}
	if err := json.Unmarshal(b, &s.Value); err != nil {
		return errors.New("a secret must be a string")
	}
	return nil
}

// integers is a list of numbers; an empty one is given, null is not.
type integers struct {
	Given  bool
	Values []int64
}

func (l *integers) UnmarshalJSON(b []byte) error {
	var items []integer
	if err := json.Unmarshal(b, &items); err != nil {
		return err
	}
	l.Given = items != nil
	for _, i := range items {
		l.Values = append(l.Values, int64(i))
	}
	return nil
}

// attributes is a JSON object, kept as it was written.
type attributes struct {
	Given bool
	Raw   json.RawMessage
}

func (a *attributes) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte("null")) || bytes.Equal(b, []byte(`""`)) {
		return nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(b, &object); err != nil {
		return errors.New("attributes must be an object")
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, b); err != nil {
		return err
	}
	*a = attributes{Given: true, Raw: compact.Bytes()}
	return nil
}

// apply replaces the attributes of an object if some are given; nothing is merged.
func (a attributes) apply(to *json.RawMessage) error {
	if len(a.Raw) > attributesMax {
		return failf(exceededLimit, "attributes of %d bytes: at most %d", len(a.Raw), attributesMax)
	}
	if a.Given {
		*to = a.Raw
	}
	return nil
}

// decode reads params into P and checks the required ones. Unknown members are ignored.
func decode[P any](raw json.RawMessage, required []string) (P, error) {
	var p P
	members := map[string]json.RawMessage{}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &members); err != nil {
			return p, failf(invalidAPIParameter, "params must be an object")
		}
	}
	for _, name := range required {
		if absent(members[name]) {
			return p, failf(missingParameter, "Missing member=[%s]", name)
		}
	}
	if len(raw) == 0 {
		return p, nil
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return p, failf(invalidParameterType, "%s", culprit(reflect.TypeFor[P](), members, err))
	}
	return p, nil
}

func absent(raw json.RawMessage) bool {
	switch string(raw) {
	case "", "null", `""`, "0", `"0"`, "{}":
		return true
	}
	return false
}

// culprit names the member that does not decode.
func culprit(params reflect.Type, members map[string]json.RawMessage, err error) string {
	for name, value := range members {
		one, marshalErr := json.Marshal(map[string]json.RawMessage{name: value})
		if marshalErr != nil {
			continue
		}
		if err := json.Unmarshal(one, reflect.New(params).Interface()); err != nil {
			return fmt.Sprintf("parameter %s: %s", name, plain(err))
		}
	}
	return plain(err)
}

// plain leaves out Go's names from a decoding error.
func plain(err error) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return "a JSON " + wrong.Value + " does not belong here"
	}
	return err.Error()
}
