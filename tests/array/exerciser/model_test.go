package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExerciserFindsNothingWhereNothingIs(t *testing.T) {
	m := open(t)
	for range 300 {
		if err := m.step(); err != nil {
			t.Fatal(err, m.history())
		}
	}
	if err := m.checkAll(); err != nil {
		t.Error(err)
	}
}

func TestExerciserFindsOneWrongByte(t *testing.T) {
	m := open(t)
	if err := m.write(1000, 5000); err != nil {
		t.Fatal(err)
	}
	if _, err := m.file.WriteAt([]byte{^m.want[4321]}, 4321); err != nil {
		t.Fatal(err)
	}
	for name, check := range map[string]func() error{
		"read":        func() error { return m.read(4000, 1000) },
		"mapped read": func() error { return m.mappedRead(4000, 1000) },
		"all":         m.checkAll,
	} {
		if err := check(); err == nil || !strings.Contains(err.Error(), "1 bytes differ, the first at 4321") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Truncate(m.file.Name(), 5999); err != nil {
		t.Fatal(err)
	}
	if err := m.checkAll(); err == nil || !strings.Contains(err.Error(), "has 5999 bytes, must have 6000") {
		t.Errorf("shorter file: %v", err)
	}
}

func open(t *testing.T) *model {
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return newModel(f, 1, 1<<20)
}
