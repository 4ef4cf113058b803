package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// oldDirectory makes a directory of format 1: a file per volume, named by its id.
func oldDirectory(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(dir, modelTime)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(func(tx *Tx) error {
		for range 3 {
			if _, err := addModelVolume(tx, 1<<20); err != nil {
				return err
			}
		}
		return tx.RemoveVolume(3)
	})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(func(tx *Tx) error {
		for id := int64(1); id <= 2; id++ {
			v, err := tx.Volumes().Get(id)
			if err != nil {
				return err
			}
			v.Layer = 0
			if err := tx.Volumes().put(id, v); err != nil {
				return err
			}
		}
		for _, bucket := range [][]byte{bucketLayers, bucketLayerRefs, bucketSnapshots, bucketGroupSnapshots, bucketVolumeSnapshots} {
			if err := tx.tx.DeleteBucket(bucket); err != nil {
				return err
			}
		}
		return errors.Join(listOwned(tx), tx.tx.Bucket(bucketCluster).Delete(formatKey))
	})
	err = errors.Join(err, s.Close(),
		os.WriteFile(filepath.Join(dir, "layers", "2"), append([]byte("data of 2"), make([]byte, 1<<20-9)...), 0o600),
		os.Rename(filepath.Join(dir, "layers"), filepath.Join(dir, "volumes")))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// listOwned keeps volumes 1 and 2 as formats 1 and 2 did: in their account's record.
func listOwned(tx *Tx) error {
	return errors.Join(tx.tx.DeleteBucket(bucketAccountVolumes),
		tx.tx.Bucket(bucketAccounts).Put(key(1), []byte(`{"ID":1,"Username":"a","Volumes":[1,2]}`)))
}

// owns compares what the store says of account 1.
func owns(t *testing.T, s *Store, want ...int64) {
	t.Helper()
	err := s.View(func(tx *Tx) error {
		a, err := tx.Accounts().Get(1)
		if got := tx.VolumesOf(1); fmt.Sprint(got) != fmt.Sprint(want) || a.VolumeCount != int64(len(want)) {
			t.Errorf("account 1 has %v and counts %d, want %v", got, a.VolumeCount, want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestListsInAccountsAreConverted(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, modelTime)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(func(tx *Tx) error {
		for range 2 {
			if _, err := addModelVolume(tx, 1<<20); err != nil {
				return err
			}
		}
		return errors.Join(listOwned(tx), tx.tx.Bucket(bucketCluster).Put(formatKey, []byte("2")))
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing to convert
		if s, err = Open(dir, modelTime); err != nil {
			t.Fatal(err)
		}
		owns(t, s, 1, 2)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if report, err := Check(dir); err != nil || len(report.Problems) > 0 {
		t.Errorf("%+v, %v", report, err)
	}
	if s, err = Open(dir, modelTime); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(func(tx *Tx) error { return tx.RemoveVolume(1) }); err != nil {
		t.Error(err)
	}
	owns(t, s, 2)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestOldDirectoryIsConverted(t *testing.T) {
	for name, before := range map[string]func(dir string) error{
		"whole": func(string) error { return nil },
		"killed half way": func(dir string) error {
			return errors.Join(os.Mkdir(filepath.Join(dir, "layers"), 0o700),
				os.Rename(filepath.Join(dir, "volumes", "1"), filepath.Join(dir, "layers", "1")))
		},
		"with a file never committed": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "volumes", "9"), nil, 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := oldDirectory(t)
			if err := before(dir); err != nil {
				t.Fatal(err)
			}
			s, err := Open(dir, modelTime)
			if err != nil {
				t.Fatal(err)
			}
			owns(t, s, 1, 2)
			d, err := s.OpenDisk(Volume{ID: 2, Size: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 9)
			if _, err := d.ReadAt(got, 0); err != nil || !bytes.Equal(got, []byte("data of 2")) {
				t.Errorf("volume 2 has %q, %v", got, err)
			}
			snapshotNow(t, s, 2)
			if err := errors.Join(d.Close(), s.Close()); err != nil {
				t.Fatal(err)
			}
			report, err := Check(dir)
			if err != nil || len(report.Problems) > 0 || report.Volumes != 2 || report.Layers != 3 {
				t.Errorf("%+v, %v", report, err)
			}
			if _, err := os.Stat(filepath.Join(dir, "volumes")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the old directory is left: %v", err)
			}
		})
	}
}

func TestNewerDirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, modelTime)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(func(tx *Tx) error {
		return tx.tx.Bucket(bucketCluster).Put(formatKey, []byte(strconv.Itoa(format+1)))
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, modelTime); !errors.Is(err, ErrNewer) {
		t.Errorf("error %v, want %v", err, ErrNewer)
	}
	if _, err := Check(dir); !errors.Is(err, ErrNewer) {
		t.Errorf("check: error %v, want %v", err, ErrNewer)
	}
}
