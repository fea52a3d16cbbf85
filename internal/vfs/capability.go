package vfs

import (
	"errors"
	"fmt"
	"io/fs"
)

// zeros is what WriteZeros writes; large enough that system calls do not matter.
var zeros [64 << 10]byte

// SyncData makes the content and length of f durable, with fdatasync where there is one
// and Sync elsewhere. Errors are as grave as those of Sync.
func SyncData(f File) error {
	if d, ok := f.(DataSyncer); ok {
		return d.SyncData()
	}
	return f.Sync()
}

// Preallocate makes f at least size bytes long and reserves the space, so that writing
// there does not run out of it. What it adds reads as zeros; what is there stays. On error
// the length is unchanged; nobody else may extend the file during the call. Like a write it
// needs a sync to be durable.
//
// Where the system cannot reserve, it writes zeros; that needs a file opened without
// O_APPEND. Reserved space is not always the same as written space: on ext4 the first write
// into a reserved block still changes metadata. Use [WriteZeros] for a file that is to be
// overwritten at the least cost per sync.
func Preallocate(f File, size int64) error {
	if p, ok := f.(Preallocator); ok {
		return p.Preallocate(size)
	}
	return preallocateZeros(f, size)
}

// ReserveBehind reserves the space of n bytes at off for writes to come, where that makes
// them cheaper. The length of f stays, and so does what it holds. What lies behind the length
// is given back by a Truncate, also one to the present length; until then the space is not
// there for others, also after the end of the process. On error some of it may be reserved.
//
// The error wraps [errors.ErrUnsupported] where there would be nothing to win.
func ReserveBehind(f File, off, n int64) error {
	if r, ok := f.(BehindReserver); ok {
		return r.ReserveBehind(off, n)
	}
	return &fs.PathError{Op: "fallocate", Path: f.Name(), Err: errors.ErrUnsupported}
}

// preallocateZeros is Preallocate for files that can only be written.
func preallocateZeros(f File, size int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	old := info.Size()
	if size <= old {
		return nil
	}
	if err := WriteZeros(f, old, size-old); err != nil {
		return errors.Join(err, f.Truncate(old))
	}
	return nil
}

// WriteZeros writes n zero bytes at off. On error some of them may have been written.
func WriteZeros(f File, off, n int64) error {
	for n > 0 {
		chunk := zeros[:min(n, int64(len(zeros)))]
		if _, err := f.WriteAt(chunk, off); err != nil {
			return fmt.Errorf("writing %d zeros at offset %d: %w", len(chunk), off, err)
		}
		off += int64(len(chunk))
		n -= int64(len(chunk))
	}
	return nil
}

// Writev writes the slices one after the other at the file's position (at its end, if
// opened with O_APPEND) and moves the position past them. It returns the number of bytes
// written, which is less than the sum only with an error. It neither changes nor keeps bufs.
func Writev(f File, bufs [][]byte) (int64, error) {
	if g, ok := f.(GatherWriter); ok {
		return g.Writev(bufs)
	}
	var done int64
	for _, b := range bufs {
		n, err := f.Write(b)
		done += int64(n)
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// WritevAt is [Writev] at offset off; the file's position stays. Like WriteAt it is refused
// for files opened with O_APPEND. A log that keeps its own offset uses it: after an error
// there is no position to repair.
func WritevAt(f File, bufs [][]byte, off int64) (int64, error) {
	if g, ok := f.(GatherWriter); ok {
		return g.WritevAt(bufs, off)
	}
	var done int64
	for _, b := range bufs {
		n, err := f.WriteAt(b, off+done)
		done += int64(n)
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// DiskFree returns the bytes that can still be stored on the volume of dir. The error wraps
// [errors.ErrUnsupported] if fsys cannot tell.
func DiskFree(fsys FS, dir string) (uint64, error) {
	if s, ok := fsys.(SpaceReporter); ok {
		return s.DiskFree(dir)
	}
	return 0, &fs.PathError{Op: "diskfree", Path: dir, Err: errors.ErrUnsupported}
}
