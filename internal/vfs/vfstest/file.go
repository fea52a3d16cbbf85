package vfstest

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"github.com/flume-go/flume/internal/vfs"
)

var fileCases = []testCase{
	{"ReadWriteSeek", "Read, Write and Seek share one position", func(e *env) {
		f := e.create("a", "0123456789")
		pos, err := f.Seek(2, io.SeekStart)
		e.ok(err)
		if pos != 2 {
			e.broken("position is %d, want 2", pos)
		}
		b := make([]byte, 3)
		_, err = io.ReadFull(f, b)
		e.ok(err)
		_, err = f.Write([]byte("X"))
		e.ok(err)
		pos, err = f.Seek(-1, io.SeekCurrent)
		e.ok(err)
		if string(b) != "234" || pos != 5 {
			e.broken("read %q, then at %d; want 234, 5", b, pos)
		}
		e.wantContent("a", "01234X6789")
		if pos, err = f.Seek(-3, io.SeekEnd); err != nil || pos != 7 {
			e.broken("seeking from the end: %d, %v", pos, err)
		}
		_, err = f.Seek(-1, io.SeekStart)
		e.failed("seeking before the start", err)
	}},
	{"ReadEnd", "Read at the end is io.EOF; ReadAt across it returns what is there and io.EOF", func(e *env) {
		f := e.create("a", "abc")
		n, err := f.Read(make([]byte, 1))
		if n != 0 || err != io.EOF {
			e.broken("Read returned %d, %v", n, err)
		}
		b := make([]byte, 4)
		n, err = f.ReadAt(b, 1)
		if n != 2 || err != io.EOF || string(b[:2]) != "bc" {
			e.broken("ReadAt returned %d, %v, %q", n, err, b[:n])
		}
		n, err = f.ReadAt(b, 100)
		if n != 0 || err != io.EOF {
			e.broken("ReadAt far past the end returned %d, %v", n, err)
		}
		n, err = f.ReadAt(nil, 0)
		if n != 0 || err != nil {
			e.broken("ReadAt of nothing returned %d, %v", n, err)
		}
	}},
	{"PositionlessAccess", "ReadAt and WriteAt leave the position alone; offsets below zero are errors", func(e *env) {
		f := e.create("a", "abc")
		_, err := f.WriteAt([]byte("XY"), 1)
		e.ok(err)
		if got := e.readAt(f, 0, 3); got != "aXY" {
			e.broken("holds %q, want aXY", got)
		}
		_, err = f.Write([]byte("d"))
		e.ok(err)
		e.wantContent("a", "aXYd")
		_, err = f.WriteAt([]byte("x"), -1)
		e.failed("WriteAt at -1", err)
		_, err = f.ReadAt(make([]byte, 1), -1)
		e.failed("ReadAt at -1", err)
	}},
	{"Hole", "what lies between the old end and a later write reads as zeros", func(e *env) {
		f := e.create("a", "ab")
		_, err := f.WriteAt([]byte("z"), 1000)
		e.ok(err)
		e.wantContent("a", "ab"+strings.Repeat("\x00", 998)+"z")
	}},
	{"Append", "O_APPEND writes at the end whatever the position, and refuses WriteAt", func(e *env) {
		e.create("a", "one,")
		f := e.open("a", os.O_RDWR|os.O_APPEND)
		_, err := f.Write([]byte("two,"))
		e.ok(err)
		_, err = f.Seek(0, io.SeekStart)
		e.ok(err)
		n, err := vfs.Writev(f, [][]byte{[]byte("th"), []byte("ree")})
		e.ok(err)
		if n != 5 {
			e.broken("Writev returned %d, want 5", n)
		}
		e.wantContent("a", "one,two,three")
		_, err = f.WriteAt([]byte("x"), 0)
		e.failed("WriteAt with O_APPEND", err)
		_, err = vfs.WritevAt(f, [][]byte{[]byte("x")}, 0)
		e.failed("WritevAt with O_APPEND", err)
		e.wantContent("a", "one,two,three")
	}},
	{"AccessMode", "a handle does what it was opened for and no more", func(e *env) {
		e.create("a", "abc")
		r := e.open("a", os.O_RDONLY)
		_, err := r.Write([]byte("x"))
		e.failed("writing to O_RDONLY", err)
		_, err = vfs.WritevAt(r, [][]byte{[]byte("x")}, 0)
		e.failed("WritevAt to O_RDONLY", err)
		e.failed("truncating O_RDONLY", r.Truncate(0))
		w := e.open("a", os.O_WRONLY)
		_, err = w.ReadAt(make([]byte, 1), 0)
		e.failed("reading from O_WRONLY", err)
		e.wantContent("a", "abc")
	}},
	{"Truncate", "Truncate cuts and extends; cut bytes do not come back", func(e *env) {
		f := e.create("a", "abcdef")
		e.ok(f.Truncate(2))
		e.ok(f.Truncate(4))
		e.wantContent("a", "ab\x00\x00")
		e.wantSize(f, 4)
		e.failed("truncating to -1", f.Truncate(-1))
		_, err := f.Write([]byte("g"))
		e.ok(err)
		e.wantContent("a", "ab\x00\x00\x00\x00g")
	}},
	{"TwoHandles", "handles see each other's writes at once", func(e *env) {
		f := e.create("a", "abc")
		g := e.open("a", os.O_RDWR)
		_, err := g.WriteAt([]byte("X"), 0)
		e.ok(err)
		if got := e.readAt(f, 0, 3); got != "Xbc" {
			e.broken("the other handle reads %q", got)
		}
	}},
	{"RenameWhileOpen", "a handle follows its file through Rename and Remove", func(e *env) {
		if runtime.GOOS == "windows" {
			return // where open files keep their names
		}
		f := e.create("a", "abc")
		e.ok(e.Rename(e.path("a"), e.path("b")))
		_, err := f.Write([]byte("d"))
		e.ok(err)
		e.wantContent("b", "abcd")
		e.ok(e.Remove(e.path("b")))
		_, err = f.Write([]byte("e"))
		e.ok(err)
		if got := e.readAt(f, 0, 5); got != "abcde" {
			e.broken("the removed file reads %q", got)
		}
		e.ok(f.Sync())
	}},
	{"Closed", "after Close every method is fs.ErrClosed", func(e *env) {
		f := e.create("a", "abc")
		e.ok(f.Close())
		b := make([]byte, 1)
		for name, call := range map[string]func() error{
			"Read":        func() error { _, err := f.Read(b); return err },
			"Write":       func() error { _, err := f.Write(b); return err },
			"ReadAt":      func() error { _, err := f.ReadAt(b, 0); return err },
			"WriteAt":     func() error { _, err := f.WriteAt(b, 0); return err },
			"Writev":      func() error { _, err := vfs.Writev(f, [][]byte{b}); return err },
			"WritevAt":    func() error { _, err := vfs.WritevAt(f, [][]byte{b}, 0); return err },
			"Seek":        func() error { _, err := f.Seek(0, io.SeekStart); return err },
			"Stat":        func() error { _, err := f.Stat(); return err },
			"Truncate":    func() error { return f.Truncate(0) },
			"Preallocate": func() error { return vfs.Preallocate(f, 10) },
			"Sync":        f.Sync,
			"SyncData":    func() error { return vfs.SyncData(f) },
			"Close":       f.Close,
		} {
			if err := call(); !errors.Is(err, fs.ErrClosed) {
				e.broken("%s returned %v", name, err)
			}
		}
		e.wantContent("a", "abc")
	}},
	{"Name", "Name is the name given to OpenFile", func(e *env) {
		f := e.create("a", "")
		if f.Name() != e.path("a") {
			e.broken("name is %q", f.Name())
		}
	}},
}
