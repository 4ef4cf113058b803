package guest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// The variables by which the outer process tells the isolated one its world.
const (
	runDirVariable = "SAN_CSI_GUEST_RUN"
	imageVariable  = "SAN_CSI_GUEST_IMAGE"
)

const runDirPattern = "san-csi-guest-"

// world is what one isolated run has: an image and a directory. The directory
// has logs, kept after a failure, and scratch, never kept. Its lock file, held
// by the outer process, tells a live run from the leavings of a killed one.
type world struct {
	dir   string
	image Image
	lock  *os.File
}

func (w world) logs() string     { return filepath.Join(w.dir, "logs") }
func (w world) scratch() string  { return filepath.Join(w.dir, "scratch") }
func (w world) lockPath() string { return filepath.Join(w.dir, "lock") }

// newWorld makes the directory of a run, and removes those of runs that were
// killed before they could do it themselves.
func newWorld(image Image) (world, error) {
	if err := sweepRuns(os.TempDir()); err != nil {
		return world{}, err
	}
	dir, err := os.MkdirTemp("", runDirPattern)
	if err != nil {
		return world{}, err
	}
	w := world{dir: dir, image: image}
	if w.lock, err = os.Create(w.lockPath()); err != nil {
		return world{}, err
	}
	return w, errors.Join(
		syscall.Flock(int(w.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB),
		os.Mkdir(w.logs(), 0o755),
		os.Mkdir(w.scratch(), 0o755),
	)
}

// currentWorld is the world of this process, once Isolate has returned.
func currentWorld() (world, error) {
	dir := os.Getenv(runDirVariable)
	if dir == "" || os.Getpid() != 1 {
		return world{}, errors.New("guest.Isolate was not called first thing in this program")
	}
	return world{dir: dir, image: Image{Dir: os.Getenv(imageVariable)}}, nil
}

func (w world) remove() error {
	return errors.Join(os.RemoveAll(w.dir), w.lock.Close())
}

// keepLogs removes all but the logs; without the lock file they are not swept.
func (w world) keepLogs() error {
	return errors.Join(os.RemoveAll(w.scratch()), os.Remove(w.lockPath()), w.lock.Close())
}

func sweepRuns(parent string) error {
	locks, err := filepath.Glob(filepath.Join(parent, runDirPattern+"*", "lock"))
	if err != nil {
		return err
	}
	for _, path := range locks {
		if err := sweepRun(path); err != nil {
			return fmt.Errorf("remove the leavings of a killed run: %w", err)
		}
	}
	return nil
}

func sweepRun(lockPath string) error {
	lock, err := os.Open(lockPath)
	if err != nil {
		return nil // another user's, or gone
	}
	defer lock.Close()
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return nil // it runs
	}
	return os.RemoveAll(filepath.Dir(lockPath))
}

// RunDir returns a directory for this run's files, such as sockets and an
// array's data. It is removed at the end.
func RunDir() (string, error) {
	w, err := currentWorld()
	return w.scratch(), err
}

// LogDir returns the directory of this run's logs. It is kept if the run fails.
func LogDir() (string, error) {
	w, err := currentWorld()
	return w.logs(), err
}
