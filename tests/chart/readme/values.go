package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

// value is one setting of values.yaml.
type value struct {
	path string // controller.replicaCount
	text string // its comment
	def  string // its default as JSON, "" for what has settings of its own
}

// read takes the comments from values.yaml, line by line, and the defaults from
// the document. A comment stands above its key, at its indentation; every key
// that has none must lie beneath one that has, or have all of its own described.
func read(content []byte) ([]value, error) {
	var document map[string]any
	if err := yaml.UnmarshalStrict(content, &document); err != nil {
		return nil, err
	}
	var values []value
	var parents, comment []string
	for n, line := range strings.Split(string(content), "\n") {
		text := strings.TrimLeft(line, " ")
		if after, ok := strings.CutPrefix(text, "# "); ok {
			comment = append(comment, after)
			continue
		}
		key, rest, isKey := strings.Cut(text, ":")
		if text == "" || !isKey {
			comment = nil
			continue
		}
		depth := (len(line) - len(text)) / 2
		if depth > len(parents) {
			return nil, fmt.Errorf("line %d: deeper than its parent by more than one step", n+1)
		}
		parents = append(parents[:depth:depth], key)
		section := strings.TrimSpace(rest) == ""
		if len(comment) == 0 && !section {
			return nil, fmt.Errorf("line %d: %s has no comment", n+1, strings.Join(parents, "."))
		}
		if len(comment) > 0 {
			v := value{path: strings.Join(parents, "."), text: strings.Join(comment, " ")}
			if !section {
				def, err := at(document, parents)
				if err != nil {
					return nil, fmt.Errorf("line %d: %w", n+1, err)
				}
				v.def = def
			}
			values = append(values, v)
		}
		comment = nil
	}
	return values, nil
}

// at is the JSON of what lies at that path.
func at(document map[string]any, path []string) (string, error) {
	var found any = document
	for _, key := range path {
		within, ok := found.(map[string]any)
		if !ok {
			return "", fmt.Errorf("%s: not a map above %s", strings.Join(path, "."), key)
		}
		if found, ok = within[key]; !ok {
			return "", fmt.Errorf("%s: not in the document", strings.Join(path, "."))
		}
	}
	raw, err := json.Marshal(found)
	return string(raw), err
}
