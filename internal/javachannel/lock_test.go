package javachannel

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/flume-go/flume/internal/javalock"
	"github.com/flume-go/flume/internal/vfs"
)

func TestInUse(t *testing.T) {
	c := newChannel(t)
	c.log("/d1", newLogWithEvent("a"))
	held, err := c.fs.Lock("/d1/in_use.lock")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(context.Background(), c.options()); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "/d1") {
		t.Errorf("Open: %v", err)
	}
	if _, err := Repair(context.Background(), c.options(), nil); !errors.Is(err, ErrInUse) {
		t.Errorf("Repair: %v", err)
	}
	options := c.options()
	options.InUse = true
	d, err := Open(context.Background(), options)
	if err != nil || d.Len() != 1 || len(d.Report().InUse) != 1 {
		t.Errorf("Open with InUse: %v, %v", d, err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	c.open()
}

// TestLock takes the locks of all directories that there are and leaves no files behind that were not there.
func TestLock(t *testing.T) {
	c := newChannel(t)
	c.write("/d1/in_use.lock", nil)
	options := c.options()
	options.Lock = true
	options.DataDirs = append(options.DataDirs, "/d1")
	if _, err := Open(context.Background(), options); !errors.Is(err, ErrInUse) {
		t.Errorf("locking one directory twice: %v", err)
	}
	options = c.options()
	options.Lock, options.BackupDir = true, "/missing"
	d, err := Open(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"/c", "/d1", "/d2"} {
		if _, err := c.fs.Lock(dir + "/in_use.lock"); !errors.Is(err, vfs.ErrLocked) {
			t.Errorf("%s is not locked: %v", dir, err)
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	for dir, want := range map[string]error{"/c": fs.ErrNotExist, "/d1": nil, "/d2": fs.ErrNotExist} {
		if _, err := c.fs.Stat(dir + "/in_use.lock"); !errors.Is(err, want) {
			t.Errorf("the lock file of %s: %v", dir, err)
		}
	}
}

// TestOtherProcess has a process that keeps the lock file open as Flume does: without a lock.
func TestOtherProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // elsewhere there is no way to notice it
	}
	dir := t.TempDir()
	name := filepath.Join(dir, javalock.Name)
	if err := os.WriteFile(name, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	// cat gets the file as one of its own and waits for the end of its input.
	cmd := exec.Command("cat")
	cmd.ExtraFiles = []*os.File{file}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	options := Options{CheckpointDir: dir, Lock: true}
	if _, err := Open(context.Background(), options); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "process ") {
		t.Errorf("with another process: %v", err)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	d, err := Open(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(name); err != nil {
		t.Errorf("the lock file that was there: %v", err)
	}
}
