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

func TestOtherFileSystemsAreLeftAlone(t *testing.T) {
	fsys := vfs.NewMem(1)
	l, err := Lock(fsys, "/none")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := fsys.Stat("/none/" + Name); err == nil {
		t.Error("there is a lock file")
	}
}
