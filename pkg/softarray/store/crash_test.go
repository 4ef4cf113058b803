package store_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/san-csi/san-csi/pkg/softarray/store"
)

const (
	killRounds   = 20
	crashDirEnv  = "SAN_CSI_STORE_CRASH_DIR"
	crashSeedEnv = "SAN_CSI_STORE_CRASH_SEED"
)

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	dir := os.Getenv(crashDirEnv)
	if dir == "" {
		os.Exit(m.Run())
	}
	seed, err := strconv.ParseUint(os.Getenv(crashSeedEnv), 10, 64)
	if err == nil {
		err = work(dir, rand.New(rand.NewPCG(seed, 0)), os.Stdout)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// work changes the store at random for ever, and says on out what is committed
// and synced.
func work(dir string, r *rand.Rand, out io.Writer) error {
	s, err := store.Open(dir, time.Now())
	if err != nil {
		return err
	}
	for {
		var c changed
		err := s.Update(func(tx *store.Tx) error {
			var err error
			c, err = change(tx, r)
			return err
		})
		if err == nil && c.write {
			err = writePattern(s, c.volume)
		}
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%s\n", c.report); err != nil {
			return err
		}
	}
}

const step = 1 << 20

// changed is what a transaction did, as it is told.
type changed struct {
	report string
	volume store.Volume
	write  bool // a pattern is to be written to the volume, and synced
}

// change is one transaction: what an API call would do.
func change(tx *store.Tx, r *rand.Rand) (changed, error) {
	var all []store.Volume
	for v, err := range tx.Volumes().From(0) {
		if err != nil {
			return changed{}, err
		}
		all = append(all, v)
	}
	if len(all) == 0 || len(all) < 8 && r.IntN(3) == 0 {
		v, err := add(tx, "name"+strconv.Itoa(r.IntN(4)), step)
		return changed{report: fmt.Sprintf("set %d %d", v.ID, v.Size)}, err
	}
	v := all[r.IntN(len(all))]
	set := fmt.Sprintf("set %d %d", v.ID, v.Size)
	switch r.IntN(8) {
	case 0:
		return changed{report: fmt.Sprintf("removed %d 0", v.ID)}, tx.RemoveVolume(v.ID)
	case 1:
		g, err := tx.AddGroup(store.Group{Name: "g"})
		if err != nil {
			return changed{}, err
		}
		return changed{report: set}, tx.AddToGroup(g.ID, v.ID)
	case 2:
		v.Deleted = time.Unix(1, 0)
		return changed{report: set}, tx.PutVolume(v)
	case 3, 4:
		return changed{report: set}, snapshotOrBack(tx, v, r)
	case 5:
		if len(all) >= 8 {
			return changed{report: set}, tx.CopyVolume(v.ID, v.ID, 0)
		}
		c, err := tx.AddClone(store.Volume{Name: "clone", AccountID: v.AccountID, Size: v.Size}, v.ID, 0)
		return changed{report: fmt.Sprintf("set %d %d", c.ID, c.Size)}, err
	}
	v.Size += step
	return changed{fmt.Sprintf("written %d %d", v.ID, v.Size), v, true}, tx.PutVolume(v)
}

// snapshotOrBack snapshots a volume, or removes its first snapshot, or goes back
// to the present content through a snapshot: what was written must stay.
func snapshotOrBack(tx *store.Tx, v store.Volume, r *rand.Rand) error {
	if old, err := tx.SnapshotsOf(v.ID); err != nil || len(old) > 2 {
		return errors.Join(err, tx.RemoveSnapshot(old[0].ID))
	}
	s, err := tx.AddSnapshot(store.Snapshot{VolumeID: v.ID})
	if err != nil || r.IntN(2) == 0 {
		return err
	}
	return tx.Rollback(s.ID)
}

func writePattern(s *store.Store, v store.Volume) error {
	disk, err := s.OpenDisk(v)
	if err != nil {
		return err
	}
	_, err = disk.WriteAt(pattern(v.ID), v.Size-2*step)
	return errors.Join(err, disk.Sync(), disk.Close())
}

func pattern(id int64) []byte { return bytes.Repeat([]byte{byte(id), 0xa5}, 256) }

// TestKillAtAnyPoint kills a process that changes the store, at random, again
// and again on the same directory: what was committed is there, of what was
// under way all or nothing.
func TestKillAtAnyPoint(t *testing.T) {
	dir := t.TempDir()
	model := map[int64]int64{} // volume -> size
	lastID := int64(0)
	for round := range uint64(killRounds) {
		before := model
		var reports []report
		reports, model = killed(t, dir, round, model)
		looksGood(t, dir, false)
		s, err := store.Open(dir, now)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		volumes := check(t, s, dir)
		differences := compare(volumes, model)
		if len(differences) > 1 { // one transaction may have been committed and not told
			t.Errorf("round %d, from %v by %v: %v", round, before, reports, differences)
		}
		checkData(t, s, volumes, reports)
		model = map[int64]int64{}
		for id, v := range volumes {
			model[id] = v.Size
		}
		for _, r := range reports {
			lastID = max(lastID, r.id)
		}
		update(t, s, func(tx *store.Tx) error {
			v, err := add(tx, "probe", step)
			if v.ID <= lastID {
				t.Errorf("round %d: id %d came back after %d", round, v.ID, lastID)
			}
			lastID, model[v.ID] = v.ID, v.Size
			return err
		})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		looksGood(t, dir, true)
	}
}

// looksGood checks a directory; what goes at the next start a kill may leave.
func looksGood(t *testing.T, dir string, closed bool) {
	t.Helper()
	found, err := store.Check(dir)
	if err != nil || len(found.Problems) > 0 || closed && len(found.Leftovers) > 0 {
		t.Errorf("%v; %+v", err, found)
	}
}

type report struct {
	what     string
	id, size int64
}

// killed runs the worker until it has told of some changes, kills it and
// returns what it told and the volumes that there must be.
func killed(t *testing.T, dir string, seed uint64, model map[int64]int64) ([]report, map[int64]int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), crashDirEnv+"="+dir, fmt.Sprintf("%s=%d", crashSeedEnv, seed))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	enough := 1 + rand.New(rand.NewPCG(seed, 1)).IntN(30)
	volumes := map[int64]int64{}
	for id, size := range model {
		volumes[id] = size
	}
	var reports []report
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var r report
		if n, err := fmt.Sscan(lines.Text(), &r.what, &r.id, &r.size); n != 3 {
			continue // an empty line, or one that the kill cut
		} else if err != nil {
			t.Fatal(err)
		}
		reports = append(reports, r)
		if volumes[r.id] = r.size; r.what == "removed" {
			delete(volumes, r.id)
		}
		if len(reports) == enough {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
		t.Fatalf("the worker ended by itself: %v: %s", err, &stderr)
	}
	return reports, volumes
}

func compare(have map[int64]store.Volume, want map[int64]int64) []string {
	var differences []string
	for id, size := range want {
		if v, ok := have[id]; !ok {
			differences = append(differences, fmt.Sprintf("volume %d is missing", id))
		} else if v.Size != size {
			differences = append(differences, fmt.Sprintf("volume %d has %d bytes, not %d", id, v.Size, size))
		}
	}
	for id := range have {
		if _, ok := want[id]; !ok {
			differences = append(differences, fmt.Sprintf("volume %d is too many", id))
		}
	}
	return differences
}

// checkData reads back what was synced.
func checkData(t *testing.T, s *store.Store, volumes map[int64]store.Volume, reports []report) {
	t.Helper()
	for _, r := range slices.Backward(reports) {
		v, ok := volumes[r.id]
		if !ok || r.what != "written" {
			continue
		}
		disk, err := s.OpenDisk(v)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(pattern(r.id)))
		if _, err := disk.ReadAt(got, r.size-2*step); err != nil || !bytes.Equal(got, pattern(r.id)) {
			t.Errorf("volume %d at %d: % x..., %v", r.id, r.size-2*step, got[:4], err)
		}
		if err := disk.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
