package javalock

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/flume-go/flume/internal/vfs"
)

func TestAllOrNone(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	mine, err := Lock(vfs.OS{}, second)
	if err != nil {
		t.Fatal(err)
	}
	defer mine.Close()
	if _, err := Lock(vfs.OS{}, first, second); !errors.Is(err, ErrLocked) {
		t.Errorf("error %v", err)
	}
	other, err := Lock(vfs.OS{}, first)
	if err != nil {
		t.Fatalf("the first directory stayed locked: %v", err)
	}
	for range 2 {
		if err := other.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	}
}

func TestMissingDirectory(t *testing.T) {
	if _, err := Lock(vfs.OS{}, filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// TestOtherFileSystems lock as they can, and are left as they were.
func TestOtherFileSystems(t *testing.T) {
	fsys := vfs.NewMem(1)
	if err := fsys.MkdirAll("/d", 0o755); err != nil {
		t.Fatal(err)
	}
	if by, err := User(fsys, "/d"); by != "" || err != nil {
		t.Errorf("before: %q, %v", by, err)
	}
	l, err := Lock(fsys, "/d")
	if err != nil {
		t.Fatal(err)
	}
	if by, err := User(fsys, "/d"); by == "" || err != nil {
		t.Errorf("while it is locked: %q, %v", by, err)
	}
	if _, err := Lock(fsys, "/d"); !errors.Is(err, ErrLocked) {
		t.Errorf("locked twice: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := fsys.Stat("/d/" + Name); err == nil {
		t.Error("there is a lock file")
	}
}

// TestLockFile is removed by whoever made it.
func TestLockFile(t *testing.T) {
	for _, there := range []bool{false, true} {
		dir := t.TempDir()
		name := filepath.Join(dir, Name)
		if there {
			if err := os.WriteFile(name, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		l, err := Lock(vfs.OS{}, dir)
		if err != nil {
			t.Fatal(err)
		}
		if by, err := User(vfs.OS{}, dir); by != "" || err != nil {
			t.Errorf("this process counts as another: %q, %v", by, err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(name); (err == nil) != there {
			t.Errorf("the file was there: %v; in the end: %v", there, err)
		}
	}
}
