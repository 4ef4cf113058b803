package qos

import (
	"maps"
	"testing"
)

func TestParametersReadBack(t *testing.T) {
	for name, params := range map[string]map[string]string{
		"nothing":  {},
		"absolute": {KeyMin: "50", KeyMax: "100", KeyBurst: "200"},
		"scaled":   {KeyMinPerGiB: "0.5", KeyMaxPerGiB: "10", KeyEnforcement: "BestEffort"},
		"a policy": {KeyPolicy: "gold", KeyEnforcement: "Required"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Parse(params)
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Parameters(); !maps.Equal(got, params) {
				t.Errorf("got %v, want %v", got, params)
			}
		})
	}
}
