//go:build tools

// Package tools pins what the chart's tests are rendered with. It is a module of
// its own, so that the product's go.mod stays small.
package tools

import _ "helm.sh/helm/v4/cmd/helm"
