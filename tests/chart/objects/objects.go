// Package objects decodes manifests as strictly as the API server does with
// field validation: an unknown kind or field, or a key that is there twice, is an error.
package objects

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
)

// custom are the groups whose kinds come with a CRD: only their YAML is checked.
var custom = []string{"monitoring.coreos.com/", "snapshot.storage.k8s.io/", "groupsnapshot.storage.k8s.io/", "kustomize.config.k8s.io/"}

// Decode gives the objects of a stream of documents, in its order. Those of
// Kubernetes' own kinds come as their types, custom ones as unstructured.
func Decode(stream io.Reader) ([]runtime.Object, error) {
	strict := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	var decoded []runtime.Object
	for documents := yaml.NewYAMLReader(bufio.NewReader(stream)); ; {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return decoded, nil
		}
		if err != nil {
			return nil, err
		}
		object, err := decode(strict, document)
		if err != nil {
			return nil, fmt.Errorf("%w in\n%s", err, document)
		}
		if object != nil {
			decoded = append(decoded, object)
		}
	}
}

func decode(strict runtime.Decoder, document []byte) (runtime.Object, error) {
	var any unstructured.Unstructured
	if err := yaml.Unmarshal(document, &any.Object); err != nil {
		return nil, err
	}
	if len(any.Object) == 0 {
		return nil, nil
	}
	for _, group := range custom {
		if strings.HasPrefix(any.GetAPIVersion(), group) {
			return &any, nil
		}
	}
	object, _, err := strict.Decode(document, nil, nil)
	return object, err
}
