package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// previousRelease is what upgrades begin with: the tag of the last release. As long
// as there is none it is the last commit of main before the present milestone.
const previousRelease = "cb0347ce9e4166c886bd97310990382b77f06828"

// previousTag is the tag of its image.
const previousTag = "previous"

// previousSource is the source tree of that release, with its driver built, from
// the cache where it is there.
func previousSource(ctx context.Context, root, cache string) (string, error) {
	tree := filepath.Join(cache, "previous-"+previousRelease)
	if _, err := os.Stat(tree); err == nil {
		return tree, nil
	}
	progress("building the driver of %s", previousRelease)
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(cache, "previous-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	// git's history is what a release is checked against; a clone without it has to fetch.
	script := exec.CommandContext(ctx, "sh", "-c", `set -e; git archive --output="$2/tree.tar" "$1"; tar -x -f "$2/tree.tar" -C "$2"; rm "$2/tree.tar"`, "sh", previousRelease, work)
	script.Dir = root
	if out, err := script.CombinedOutput(); err != nil {
		return "", fmt.Errorf("source of %s, which a shallow clone lacks: %w: %s", previousRelease, err, lastBytes(string(out), 2000))
	}
	if err := buildProduct(ctx, work, builtIn(work)); err != nil {
		return "", err
	}
	return tree, os.Rename(work, tree)
}
