package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Report is what Check found.
type Report struct {
	// Problems is what must not be, whatever happened: no crash leaves it.
	Problems []string
	// Leftovers is what a crash left that the next start removes. A directory
	// that was closed in order has none: there they are problems.
	Leftovers []string

	Volumes, Snapshots, GroupSnapshots, Layers int
	LongestChain                               int   // layers of one volume
	ProvisionedBytes                           int64 // sizes of all volumes
	AllocatedBytes                             int64 // what layers take of the file system
	FrozenBytes                                int64 // of those, what snapshots and clones share
	MappedBlocks                               int64 // in the layers' maps, of 4 KiB
}

// Check holds the records of a data directory against each other and against
// its files, and changes nothing. It returns ErrInUse where an array has the
// directory open, and an error where it could not look at everything.
func Check(dir string) (Report, error) {
	path := filepath.Join(dir, metadataName)
	if _, err := os.Stat(path); err != nil {
		return Report{}, fmt.Errorf("check %s: %w", dir, err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: lockWait})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return Report{}, fmt.Errorf("check %s: %w", dir, ErrInUse)
	}
	if err != nil {
		return Report{}, fmt.Errorf("check metadata of %s: %w", dir, err)
	}
	report, err := checkAll(db, &hostDir{path: filepath.Join(dir, layersDir), readOnly: true})
	return report, errors.Join(err, db.Close())
}

// checker gathers what is found.
type checker struct {
	*Tx
	media  media
	report Report
	clean  bool // closed in order

	volumes map[int64]Volume
	layers  map[int64]layerInfo
	uses    map[string]bool // refs that there must be, by their key
}

func checkAll(db *bbolt.DB, m media) (Report, error) {
	c := &checker{media: m, volumes: map[int64]Volume{}, layers: map[int64]layerInfo{}, uses: map[string]bool{}}
	err := db.View(func(b *bbolt.Tx) error {
		for err := range b.Check() {
			c.problemf("metadata.db: %v", err)
		}
		c.Tx = &Tx{tx: b}
		found, err := c.readFormat()
		if err != nil {
			return err
		}
		if found != format {
			return fmt.Errorf("format %d: start the array once, which brings it to %d", found, format)
		}
		c.clean = b.Bucket(bucketCluster).Get(cleanKey) != nil
		return c.all()
	})
	return c.report, err
}

func (c *checker) all() error {
	for _, look := range []func() error{
		c.readVolumes, c.readLayers, c.checkAccounts, c.checkGroups, c.checkInitiators, c.checkVolumes,
		c.checkSnapshots, c.checkGroupSnapshots, c.checkLayers, c.checkRefs, c.checkIndices, c.checkSequences, c.checkFiles,
	} {
		if err := look(); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) problemf(message string, args ...any) {
	c.report.Problems = append(c.report.Problems, fmt.Sprintf(message, args...))
}

// leftoverf is for what a crash may leave.
func (c *checker) leftoverf(message string, args ...any) {
	if c.clean {
		c.problemf(message, args...)
		return
	}
	c.report.Leftovers = append(c.report.Leftovers, fmt.Sprintf(message, args...))
}

// each walks a table; a record that cannot be read is a problem, and the end of
// the walk.
func each[T any](c *checker, t Table[T], visit func(T)) {
	for v, err := range t.From(0) {
		if err != nil {
			c.problemf("%v", err)
			return
		}
		visit(v)
	}
}
