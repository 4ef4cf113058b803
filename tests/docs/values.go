package docs

import (
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

// values are the chart's settings, dotted: sections and what is in them.
func values() (map[string]bool, error) {
	raw, err := os.ReadFile(filepath.Join(root, "charts/san-csi/values.yaml"))
	if err != nil {
		return nil, err
	}
	var document map[string]any
	if err := yaml.UnmarshalStrict(raw, &document); err != nil {
		return nil, err
	}
	all := map[string]bool{}
	dotted(document, "", all)
	return all, nil
}

func dotted(document map[string]any, prefix string, into map[string]bool) {
	for key, value := range document {
		into[prefix+key] = true
		if within, ok := value.(map[string]any); ok {
			dotted(within, prefix+key+".", into)
		}
	}
}
