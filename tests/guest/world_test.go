package guest

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSweepRemovesOnlyKilledRuns(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	killed, err := newWorld(Image{})
	if err != nil {
		t.Fatal(err)
	}
	killed.lock.Close() // as the kernel does

	failed, err := newWorld(Image{})
	if err != nil {
		t.Fatal(err)
	}
	if err := failed.keepLogs(); err != nil {
		t.Fatal(err)
	}
	alive, err := newWorld(Image{})
	if err != nil {
		t.Fatal(err)
	}
	if err := sweepRuns(os.TempDir()); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		killed.dir:       false,
		failed.logs():    true,
		failed.scratch(): false,
		alive.logs():     true,
		alive.scratch():  true,
	} {
		if exists(path) != want {
			t.Errorf("%s exists: %v, want %v", filepath.Base(path), !want, want)
		}
	}
	if err := alive.remove(); err != nil || exists(alive.dir) {
		t.Errorf("remove: %v, exists %v", err, exists(alive.dir))
	}
}

func TestOutsideOfIsolation(t *testing.T) {
	t.Setenv(runDirVariable, "")
	if _, err := Boot(t.Context(), Config{}); err == nil {
		t.Error("Boot outside of Isolate: no error")
	}
	if _, err := StartArray(t.Context(), ArrayConfig{}); err == nil {
		t.Error("StartArray outside of Isolate: no error")
	}
	if _, err := Payload(t.Context(), t.TempDir()); err == nil {
		t.Error("Payload outside of Isolate: no error")
	}
}
