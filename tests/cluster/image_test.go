package cluster

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// readTar returns the contents of a tar's files, and the targets of its links.
func readTar(t *testing.T, path string) (contents, links map[string]string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	contents, links = map[string]string{}, map[string]string{}
	for r := tar.NewReader(f); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return contents, links
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		contents[header.Name] = string(content)
		if header.Typeflag == tar.TypeSymlink {
			links[header.Name] = header.Linkname
		}
	}
}

func TestArchive(t *testing.T) {
	tree, out := t.TempDir(), t.TempDir()
	if err := os.MkdirAll(filepath.Join(tree, "usr/bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tree, "usr/bin/sh"), []byte("shell"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("usr/bin", filepath.Join(tree, "bin")); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(out, "program")
	if err := os.WriteFile(program, []byte("binary"), 0o600); err != nil {
		t.Fatal(err)
	}
	i := image{name: "local.test/x:1", entrypoint: []string{"/program", "-v"}, tree: tree, files: map[string]string{"program": program}}
	path := filepath.Join(out, "x.tar")
	if err := i.archive(path); err != nil {
		t.Fatal(err)
	}
	archive, _ := readTar(t, path)

	var manifest []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if err := json.Unmarshal([]byte(archive["manifest.json"]), &manifest); err != nil || len(manifest) != 1 {
		t.Fatalf("manifest %q: %v", archive["manifest.json"], err)
	}
	if !slices.Equal(manifest[0].RepoTags, []string{"local.test/x:1"}) {
		t.Errorf("tags %q", manifest[0].RepoTags)
	}
	var config struct {
		Config struct{ Entrypoint []string }
		Rootfs struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	if err := json.Unmarshal([]byte(archive[manifest[0].Config]), &config); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(config.Config.Entrypoint, i.entrypoint) {
		t.Errorf("entrypoint %q", config.Config.Entrypoint)
	}
	layer := archive[manifest[0].Layers[0]]
	sum := sha256.Sum256([]byte(layer))
	if want := "sha256:" + hex.EncodeToString(sum[:]); !slices.Equal(config.Rootfs.DiffIDs, []string{want}) {
		t.Errorf("layer %q, the configuration says %q", want, config.Rootfs.DiffIDs)
	}

	layerPath := filepath.Join(out, "layer.tar")
	if err := os.WriteFile(layerPath, []byte(layer), 0o600); err != nil {
		t.Fatal(err)
	}
	files, links := readTar(t, layerPath)
	if files["usr/bin/sh"] != "shell" || files["program"] != "binary" || links["bin"] != "usr/bin" {
		t.Errorf("layer has %q, links %q", files, links)
	}
}
