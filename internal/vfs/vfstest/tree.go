package vfstest

import (
	"io/fs"
	"os"

	"github.com/flume-go/flume/internal/vfs"
)

var treeCases = []testCase{
	{"OpenMissing", "opening a missing file without O_CREATE is fs.ErrNotExist", func(e *env) {
		_, err := e.OpenFile(e.path("missing"), os.O_RDONLY, 0)
		e.wantErr(err, fs.ErrNotExist)
		_, err = e.OpenFile(e.path("missing/file"), os.O_RDWR|os.O_CREATE, 0o644)
		e.wantErr(err, fs.ErrNotExist)
	}},
	{"OpenExclusive", "O_CREATE with O_EXCL of an existing file is fs.ErrExist and changes nothing", func(e *env) {
		e.create("a", "kept")
		_, err := e.OpenFile(e.path("a"), os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_TRUNC, 0o644)
		e.wantErr(err, fs.ErrExist)
		e.wantContent("a", "kept")
	}},
	{"OpenCreateExisting", "O_CREATE of an existing file opens it as it is", func(e *env) {
		e.create("a", "kept")
		e.open("a", os.O_RDWR|os.O_CREATE)
		e.wantContent("a", "kept")
	}},
	{"OpenTruncate", "O_TRUNC empties the file", func(e *env) {
		e.create("a", "gone")
		e.open("a", os.O_WRONLY|os.O_TRUNC)
		e.wantContent("a", "")
	}},
	{"OpenThroughFile", "a file is not a directory on the way to another", func(e *env) {
		e.create("a", "")
		_, err := e.OpenFile(e.path("a/b"), os.O_RDWR|os.O_CREATE, 0o644)
		e.failed("opening a file below a file", err)
	}},
	{"OpenDirectory", "a directory is not opened for writing", func(e *env) {
		_, err := e.OpenFile(e.dir, os.O_RDWR, 0)
		e.failed("opening a directory for writing", err)
	}},
	{"MkdirAll", "MkdirAll makes the parents, is repeatable and refuses a file in the way", func(e *env) {
		e.ok(e.MkdirAll(e.path("a/b/c"), 0o755))
		e.ok(e.MkdirAll(e.path("a/b/c"), 0o755))
		info, err := e.Stat(e.path("a/b/c"))
		e.ok(err)
		if !info.IsDir() || info.Name() != "c" {
			e.broken("Stat describes %q, directory %v", info.Name(), info.IsDir())
		}
		e.create("file", "")
		e.failed("MkdirAll through a file", e.MkdirAll(e.path("file/x"), 0o755))
		e.failed("MkdirAll of a file", e.MkdirAll(e.path("file"), 0o755))
	}},
	{"MkdirAllSync", "MkdirAllSync makes the parents, is repeatable and refuses a file in the way", func(e *env) {
		e.ok(vfs.MkdirAllSync(e, e.path("a/b/c"), 0o755))
		e.ok(vfs.MkdirAllSync(e, e.path("a/b/c"), 0o755))
		e.wantNames(e.path("a/b"), "c")
		e.create("file", "")
		e.failed("MkdirAllSync through a file", vfs.MkdirAllSync(e, e.path("file/x"), 0o755))
		e.failed("MkdirAllSync of a file", vfs.MkdirAllSync(e, e.path("file"), 0o755))
	}},
	{"Remove", "Remove deletes files and empty directories and nothing else", func(e *env) {
		e.wantErr(e.Remove(e.path("a")), fs.ErrNotExist)
		e.ok(e.create("a", "x").Close())
		e.ok(e.Remove(e.path("a")))
		_, err := e.Stat(e.path("a"))
		e.wantErr(err, fs.ErrNotExist)
		e.ok(e.MkdirAll(e.path("d/sub"), 0o755))
		e.failed("removing a directory that is not empty", e.Remove(e.path("d")))
		e.ok(e.Remove(e.path("d/sub")))
		e.ok(e.Remove(e.path("d")))
		e.wantNames(e.dir)
	}},
	{"Rename", "Rename moves a file, within a directory and between two", func(e *env) {
		e.ok(e.create("a", "x").Close())
		e.ok(e.Rename(e.path("a"), e.path("b")))
		e.wantNames(e.dir, "b")
		e.ok(e.MkdirAll(e.path("d"), 0o755))
		e.ok(e.Rename(e.path("b"), e.path("d/c")))
		e.wantNames(e.dir, "d")
		e.wantContent("d/c", "x")
	}},
	{"RenameReplaces", "Rename replaces a file of the new name; to its own name it does nothing", func(e *env) {
		e.ok(e.create("a", "new").Close())
		e.ok(e.create("b", "old").Close())
		e.ok(e.Rename(e.path("a"), e.path("b")))
		e.wantNames(e.dir, "b")
		e.wantContent("b", "new")
		e.ok(e.Rename(e.path("b"), e.path("b")))
		e.wantContent("b", "new")
	}},
	{"RenameErrors", "Rename refuses what is missing, and to replace a directory", func(e *env) {
		e.wantErr(e.Rename(e.path("a"), e.path("b")), fs.ErrNotExist)
		e.ok(e.create("a", "x").Close())
		e.wantErr(e.Rename(e.path("a"), e.path("none/b")), fs.ErrNotExist)
		e.ok(e.MkdirAll(e.path("d"), 0o755))
		e.failed("renaming a file onto a directory", e.Rename(e.path("a"), e.path("d")))
		e.failed("renaming a directory onto a file", e.Rename(e.path("d"), e.path("a")))
		e.failed("renaming a directory into itself", e.Rename(e.path("d"), e.path("d/e")))
		e.wantContent("a", "x")
	}},
	{"RenameDirectory", "Rename moves a directory with what it holds", func(e *env) {
		e.ok(e.MkdirAll(e.path("d/sub"), 0o755))
		e.ok(e.create("d/sub/a", "x").Close())
		e.ok(e.Rename(e.path("d"), e.path("e")))
		e.wantContent("e/sub/a", "x")
		e.wantNames(e.dir, "e")
	}},
	{"Stat", "Stat gives name, length and kind", func(e *env) {
		e.ok(e.create("a", "12345").Close())
		info, err := e.Stat(e.path("a"))
		e.ok(err)
		if info.Name() != "a" || info.Size() != 5 || !info.Mode().IsRegular() || info.ModTime().IsZero() {
			e.broken("Stat describes %q, %d bytes, %v, %v", info.Name(), info.Size(), info.Mode(), info.ModTime())
		}
		_, err = e.Stat(e.path("b"))
		e.wantErr(err, fs.ErrNotExist)
	}},
	{"ReadDir", "ReadDir lists files and directories by name, and only of directories", func(e *env) {
		e.wantNames(e.dir)
		for _, name := range []string{"b", "a", "c10", "c9"} {
			e.ok(e.create(name, "").Close())
		}
		e.ok(e.MkdirAll(e.path("aa/below"), 0o755))
		e.wantNames(e.dir, "a", "aa", "b", "c10", "c9")
		list, err := e.ReadDir(e.dir)
		e.ok(err)
		if list[0].IsDir() || !list[1].IsDir() {
			e.broken("kinds are wrong: %v", list)
		}
		_, err = e.ReadDir(e.path("missing"))
		e.wantErr(err, fs.ErrNotExist)
		_, err = e.ReadDir(e.path("a"))
		e.failed("listing a file", err)
	}},
	{"SyncDir", "SyncDir takes directories only", func(e *env) {
		e.create("a", "")
		e.ok(e.SyncDir(e.dir))
		e.wantErr(e.SyncDir(e.path("missing")), fs.ErrNotExist)
	}},
	{"Lock", "one owner holds a lock, until it is closed; the file stays", func(e *env) {
		lock, err := e.Lock(e.path("lock"))
		e.ok(err)
		_, err = e.Lock(e.path("lock"))
		e.wantErr(err, vfs.ErrLocked)
		other, err := e.Lock(e.path("other"))
		e.ok(err)
		e.ok(lock.Close())
		e.wantErr(lock.Close(), fs.ErrClosed)
		e.wantNames(e.dir, "lock", "other")
		lock, err = e.Lock(e.path("lock"))
		e.ok(err)
		e.ok(lock.Close())
		e.ok(other.Close())
	}},
	{"LockMissingDirectory", "a lock in a missing directory is fs.ErrNotExist", func(e *env) {
		_, err := e.Lock(e.path("missing/lock"))
		e.wantErr(err, fs.ErrNotExist)
	}},
	{"ReplaceFile", "ReplaceFile creates and replaces, and leaves no other file", func(e *env) {
		e.ok(vfs.ReplaceFile(e, e.path("pos"), []byte("a longer first"), 0o644))
		e.wantContent("pos", "a longer first")
		e.ok(vfs.ReplaceFile(e, e.path("pos"), []byte("second"), 0o644))
		e.wantContent("pos", "second")
		e.wantNames(e.dir, "pos")
	}},
}
