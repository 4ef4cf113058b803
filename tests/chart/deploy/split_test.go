package main

import (
	"strings"
	"testing"
)

const rendered = `---
# Source: san-csi/templates/a.yaml
apiVersion: v1
kind: ServiceAccount
metadata:
  name: a
  labels:
    app.kubernetes.io/component: node
    app.kubernetes.io/managed-by: Helm
    helm.sh/chart: san-csi-0.1.0
---
# Source: san-csi/templates/b.yaml
apiVersion: v1
kind: ServiceAccount
metadata:
  name: b
  labels:
    app.kubernetes.io/component: node
---
# Source: san-csi/templates/tests/t.yaml
apiVersion: v1
kind: Pod
metadata:
  name: t
  labels:
    app.kubernetes.io/component: test
  annotations:
    helm.sh/hook: test
`

func TestSplit(t *testing.T) {
	files, err := split([]byte(rendered))
	if err != nil {
		t.Fatal(err)
	}
	want := header + `apiVersion: v1
kind: ServiceAccount
metadata:
  name: a
  labels:
    app.kubernetes.io/component: node
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: b
  labels:
    app.kubernetes.io/component: node
`
	if got := string(files["node-rbac.yaml"]); len(files) != 1 || got != want {
		t.Errorf("%d files, node-rbac.yaml is\n%s\nwant\n%s", len(files), got, want)
	}
	if k := string(kustomization(files)); !strings.HasSuffix(k, "resources:\n  - node-rbac.yaml\n") {
		t.Errorf("kustomization:\n%s", k)
	}
	if _, err := split([]byte("kind: Pod\n")); err == nil {
		t.Error("an object without a component: accepted")
	}
}
