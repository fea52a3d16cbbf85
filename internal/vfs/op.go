package vfs

import (
	"fmt"
	"io/fs"
	"os"
)

// OpKind is what an operation does.
type OpKind uint8

// The kinds of operations that a [Failing] numbers.
const (
	OpOpen OpKind = iota
	OpMkdir
	OpRemove
	OpRename
	OpStat
	OpReadDir
	OpSyncDir
	OpLock
	OpUnlock
	OpDiskFree
	OpRead
	OpWrite // also the gathering writes
	OpSeek
	OpFileStat
	OpTruncate
	OpPreallocate // also ReserveBehind
	OpSync        // also SyncData
	OpClose
)

var opNames = [...]string{
	OpOpen: "open", OpMkdir: "mkdir", OpRemove: "remove", OpRename: "rename",
	OpStat: "stat", OpReadDir: "readdir", OpSyncDir: "syncdir", OpLock: "lock",
	OpUnlock: "unlock", OpDiskFree: "diskfree", OpRead: "read", OpWrite: "write",
	OpSeek: "seek", OpFileStat: "filestat", OpTruncate: "truncate",
	OpPreallocate: "preallocate", OpSync: "sync", OpClose: "close",
}

// String returns the kind as one lower-case word.
func (k OpKind) String() string {
	if int(k) < len(opNames) {
		return opNames[k]
	}
	return fmt.Sprintf("operation %d", uint8(k))
}

// Op is an operation on a [Failing] or one of its files.
type Op struct {
	N       int64 // from 0, in the order in which operations begin
	Kind    OpKind
	Path    string // of a file: the name it was opened with
	NewPath string // of a rename
	Flag    int    // of an opening
	Len     int64  // bytes to read or write
}

// Mutates reports whether the operation can change what a crash leaves: the points at which
// crashing makes a difference.
func (op Op) Mutates() bool {
	switch op.Kind {
	case OpOpen:
		return op.Flag&(os.O_CREATE|os.O_TRUNC) != 0
	case OpMkdir, OpRemove, OpRename, OpSyncDir, OpLock, OpWrite, OpTruncate, OpPreallocate, OpSync:
		return true
	}
	return false
}

// String describes the operation for the log of a test.
func (op Op) String() string {
	if op.Kind == OpRename {
		return fmt.Sprintf("#%d %s %s to %s", op.N, op.Kind, op.Path, op.NewPath)
	}
	return fmt.Sprintf("#%d %s %s", op.N, op.Kind, op.Path)
}

// failed is err as the operation would return it.
func (op Op) failed(err error) error {
	if op.Kind == OpRename {
		return &os.LinkError{Op: "rename", Old: op.Path, New: op.NewPath, Err: err}
	}
	return &fs.PathError{Op: op.Kind.String(), Path: op.Path, Err: err}
}
