// Package vfstest proves that a [vfs.FS] keeps the contract in package vfs. Each case names
// the rule it checks, and a failure begins with that rule.
package vfstest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/flume-go/flume/internal/vfs"
)

// NewFS returns a file system to test and an existing empty directory in it. It is called
// once for each case.
type NewFS func(t *testing.T) (fsys vfs.FS, dir string)

type testCase struct {
	name string
	rule string
	run  func(*env)
}

// Run checks the implementation that newFS makes. Crashes and full disks are not part of it.
func Run(t *testing.T, newFS NewFS) {
	t.Helper()
	for _, list := range [][]testCase{treeCases, fileCases, capabilityCases, concurrencyCases} {
		for _, c := range list {
			t.Run(c.name, func(t *testing.T) {
				fsys, dir := newFS(t)
				c.run(&env{T: t, FS: fsys, dir: dir, rule: c.rule})
			})
		}
	}
}

// env is what a case works with. Its methods fail the test with the rule.
type env struct {
	*testing.T
	vfs.FS
	dir  string
	rule string
}

func (e *env) path(name string) string { return filepath.Join(e.dir, name) }

func (e *env) broken(format string, args ...any) {
	e.Helper()
	e.Errorf("rule: %s", e.rule)
	e.Fatalf(format, args...)
}

func (e *env) ok(err error) {
	e.Helper()
	if err != nil {
		e.broken("unexpected error: %v", err)
	}
}

func (e *env) wantErr(err, target error) {
	e.Helper()
	if !errors.Is(err, target) {
		e.broken("error is %v, want one that is %v", err, target)
	}
}

func (e *env) failed(what string, err error) {
	e.Helper()
	if err == nil {
		e.broken("%s succeeded", what)
	}
}

// open opens a file that is closed at the end of the test if it is not before.
func (e *env) open(name string, flag int) vfs.File {
	e.Helper()
	f, err := e.OpenFile(e.path(name), flag, 0o644)
	e.ok(err)
	e.Cleanup(func() {
		if err := f.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
			e.Errorf("closing %s: %v", name, err)
		}
	})
	return f
}

// create makes a file with content and leaves it open for reading and writing.
func (e *env) create(name, content string) vfs.File {
	e.Helper()
	f := e.open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	n, err := f.Write([]byte(content))
	e.ok(err)
	if n != len(content) {
		e.broken("wrote %d bytes of %d without an error", n, len(content))
	}
	return f
}

func (e *env) wantContent(name, want string) {
	e.Helper()
	got, err := vfs.ReadFile(e, e.path(name))
	e.ok(err)
	if !bytes.Equal(got, []byte(want)) {
		e.broken("%s holds %s, want %s", name, brief(got), brief([]byte(want)))
	}
}

func (e *env) wantSize(f vfs.File, want int64) {
	e.Helper()
	info, err := f.Stat()
	e.ok(err)
	if info.Size() != want {
		e.broken("size is %d, want %d", info.Size(), want)
	}
}

func (e *env) wantNames(dir string, want ...string) {
	e.Helper()
	list, err := e.ReadDir(dir)
	e.ok(err)
	var got []string
	for _, entry := range list {
		got = append(got, entry.Name())
	}
	if len(got) != len(want) {
		e.broken("directory holds %q, want %q", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			e.broken("directory holds %q, want %q", got, want)
		}
	}
}

func (e *env) readAt(f io.ReaderAt, off int64, n int) string {
	e.Helper()
	b := make([]byte, n)
	if _, err := f.ReadAt(b, off); err != nil {
		e.broken("reading %d bytes at %d: %v", n, off, err)
	}
	return string(b)
}

// brief shortens content for a message.
func brief(b []byte) string {
	const most = 64
	if len(b) <= most {
		return strconv.Quote(string(b))
	}
	return fmt.Sprintf("%q… (%d bytes)", b[:most], len(b))
}
