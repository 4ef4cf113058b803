package main

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// component is the label by which the chart's objects are told apart.
var component = regexp.MustCompile(`(?m)^    app\.kubernetes\.io/component: (\S+)$`)

// rights marks the objects that say who may do what: the part to review.
var rights = regexp.MustCompile(`(?m)^kind: (ServiceAccount|(Cluster)?Role(Binding)?|ValidatingAdmissionPolicy(Binding)?)$`)

// ofHelm are lines that are true of an installation by Helm only.
var ofHelm = regexp.MustCompile(`(?m)^ *(helm\.sh/chart|app\.kubernetes\.io/managed-by): .*\n|^# Source: .*\n`)

// hook marks what is no part of an installation, such as tests.
var hook = regexp.MustCompile(`(?m)^    "?helm\.sh/hook"?:`)

const header = "# Generated from charts/san-csi by make deploy.\n"

// split sorts a rendered chart into files by the objects' component, rights apart.
func split(rendered []byte) (map[string][]byte, error) {
	files := map[string][]byte{}
	for document := range strings.SplitSeq(string(rendered), "\n---\n") {
		document = strings.TrimPrefix(document, "---\n")
		if hook.MatchString(document) {
			continue
		}
		document = strings.TrimSpace(ofHelm.ReplaceAllString(document+"\n", ""))
		if document == "" {
			continue
		}
		label := component.FindStringSubmatch(document)
		if label == nil {
			return nil, fmt.Errorf("an object has no component:\n%s", document)
		}
		name := label[1] + ".yaml"
		if rights.MatchString(document) {
			name = label[1] + "-rbac.yaml"
		}
		if files[name] == nil {
			files[name] = []byte(header)
		} else {
			files[name] = append(files[name], "---\n"...)
		}
		files[name] = append(files[name], document+"\n"...)
	}
	return files, nil
}

// kustomization names the files and the images, so that they can be replaced.
func kustomization(files map[string][]byte) []byte {
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	var b bytes.Buffer
	b.WriteString(header + "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: " + namespace + "\nresources:\n")
	for _, name := range names {
		fmt.Fprintf(&b, "  - %s\n", name)
	}
	return b.Bytes()
}
