//go:build images

package images

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// image is one platform's image of an OCI layout.
type image struct {
	RawConfig string // JSON
	Config    config
	Layers    []descriptor
	Files     map[string]file // by path, without a leading slash
}

// descriptor, index, manifest and config are of the OCI image specification,
// with the fields that are looked at.
type descriptor struct {
	MediaType string
	Digest    string
	Size      int64 // bytes
	Platform  struct{ Architecture, OS string }
}

type index struct{ Manifests []descriptor }

type manifest struct {
	Config descriptor
	Layers []descriptor
}

type config struct {
	Created          string
	Architecture, OS string
	Config           struct {
		User         string
		Env          []string
		Entrypoint   []string
		Labels       map[string]string
		Volumes      map[string]struct{}
		ExposedPorts map[string]struct{}
	}
	RootFS struct {
		DiffIDs []string `json:"diff_ids"`
	}
}

type file struct {
	*tar.Header
	Content []byte
}

// compressed is what a registry stores and a node downloads, bytes.
func (i *image) compressed() int64 {
	var sum int64
	for _, l := range i.Layers {
		sum += l.Size
	}
	return sum
}

// readLayout reads all images of the layout's only tag, by architecture.
func readLayout(dir string) (map[string]*image, error) {
	var top, list index
	if err := readJSON(filepath.Join(dir, "index.json"), &top); err != nil {
		return nil, err
	}
	if len(top.Manifests) != 1 {
		return nil, fmt.Errorf("%s: %d entries in index.json, want 1", dir, len(top.Manifests))
	}
	if err := readJSON(blob(dir, top.Manifests[0].Digest), &list); err != nil {
		return nil, err
	}
	images := map[string]*image{}
	for _, d := range list.Manifests {
		i, err := readImage(dir, d.Digest)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", dir, d.Platform.Architecture, err)
		}
		images[d.Platform.Architecture] = i
	}
	return images, nil
}

func readImage(dir, digest string) (*image, error) {
	var m manifest
	if err := readJSON(blob(dir, digest), &m); err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(blob(dir, m.Config.Digest))
	if err != nil {
		return nil, err
	}
	i := &image{RawConfig: string(raw), Layers: m.Layers, Files: map[string]file{}}
	if err := json.Unmarshal(raw, &i.Config); err != nil {
		return nil, err
	}
	for _, l := range m.Layers {
		if err := i.addLayer(blob(dir, l.Digest)); err != nil {
			return nil, fmt.Errorf("layer %s: %w", l.Digest, err)
		}
	}
	return i, nil
}

func (i *image) addLayer(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		i.Files[strings.TrimPrefix(path.Clean("/"+h.Name), "/")] = file{Header: h, Content: content}
	}
}

func blob(dir, digest string) string {
	return filepath.Join(dir, "blobs", strings.Replace(digest, ":", "/", 1))
}

func readJSON(name string, to any) error {
	content, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return json.Unmarshal(content, to)
}
