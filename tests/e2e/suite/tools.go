//go:build tools

// Package suite pins Kubernetes' end-to-end tests and the server that their
// pods run: a module of their own, since they want more than Kubernetes does.
package suite

import (
	_ "k8s.io/kubernetes/test/e2e"
	_ "k8s.io/kubernetes/test/images/agnhost"
)
