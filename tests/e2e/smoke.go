package e2e

import (
	_ "embed"
	"strings"
)

//go:embed smoke.txt
var smokeList string

// Smoke is a short list of specs, in which each capability of the driver has one.
func Smoke() []string { return strings.Split(strings.TrimSpace(smokeList), "\n") }
