//go:build linux || darwin || freebsd

package javalock

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/flume-go/flume/internal/vfs"
)

// TestMain turns the test's program into another agent when it is told to: record locks only show between processes.
func TestMain(m *testing.M) {
	if dir := os.Getenv("JAVALOCK_DIR"); dir != "" {
		_, err := Lock(vfs.OS{}, dir)
		fmt.Fprintln(os.Stdout, err)
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		return
	}
	os.Exit(m.Run())
}

// agent starts another process that locks dir, and returns what its Lock returned. It holds the lock until stop.
func agent(t *testing.T, dir string) (outcome string, stop func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "JAVALOCK_DIR="+dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line), func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}

func TestOtherProcessesAreKeptAway(t *testing.T) {
	dir := t.TempDir()
	mine, err := Lock(vfs.OS{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	// An attempt of this process must not give the lock up.
	if _, err := Lock(vfs.OS{}, dir); !errors.Is(err, ErrLocked) {
		t.Errorf("locked twice: %v", err)
	}
	got, stop := agent(t, dir)
	stop()
	if want := fmt.Sprintf("locking %s: %v by process %d", dir, ErrLocked, os.Getpid()); !strings.HasPrefix(got, want) {
		t.Errorf("the other process got %q, want %q", got, want)
	}
	if err := mine.Close(); err != nil {
		t.Fatal(err)
	}
	got, stop = agent(t, dir)
	if got != "<nil>" {
		t.Errorf("after Close the other process got %q", got)
	}
	if _, err := Lock(vfs.OS{}, dir); !errors.Is(err, ErrLocked) {
		t.Errorf("the directory of another process: %v", err)
	}
	if by, err := User(vfs.OS{}, dir); !strings.HasPrefix(by, "process ") || err != nil {
		t.Errorf("the user is %q, %v", by, err)
	}
	stop()
	again, err := Lock(vfs.OS{}, dir)
	if err != nil {
		t.Fatalf("after the end of the other process: %v", err)
	}
	again.Close()
}
