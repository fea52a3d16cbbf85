package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// maxMemFile is the length past which a file of a [Mem] does not grow.
const maxMemFile = 1 << 30

// errAppendOffset refuses a write at an offset where the system would append instead.
var errAppendOffset = errors.New("writing at an offset of a file opened with O_APPEND")

// memFile is an open file of a [Mem], whose lock guards it.
type memFile struct {
	mem    *Mem
	node   *node
	name   string
	flag   int
	pos    int64
	closed bool
	locks  bool // holds the node's lock
}

var (
	_ File         = (*memFile)(nil)
	_ DataSyncer   = (*memFile)(nil)
	_ Preallocator = (*memFile)(nil)
	_ GatherWriter = (*memFile)(nil)
)

// lock starts an operation; the caller calls unlock also after an error.
func (f *memFile) lock(op string) (unlock func(), err error) {
	f.mem.mu.Lock()
	switch {
	case f.closed:
		err = pathError(op, f.name, fs.ErrClosed)
	case f.mem.crashed:
		err = pathError(op, f.name, ErrCrashed)
	}
	return f.mem.mu.Unlock, err
}

// lockWritable is lock for operations that change the file.
func (f *memFile) lockWritable(op string) (unlock func(), err error) {
	unlock, err = f.lock(op)
	if err == nil && f.flag&(os.O_WRONLY|os.O_RDWR) == 0 {
		err = pathError(op, f.name, syscall.EBADF)
	}
	return unlock, err
}

// lockReadable is lock for operations that read the file.
func (f *memFile) lockReadable(op string) (unlock func(), err error) {
	unlock, err = f.lock(op)
	if err == nil && f.flag&os.O_WRONLY != 0 {
		err = pathError(op, f.name, syscall.EBADF)
	}
	return unlock, err
}

func (f *memFile) Name() string { return f.name }

func (f *memFile) Read(p []byte) (int, error) {
	unlock, err := f.lockReadable("read")
	defer unlock()
	if err != nil || len(p) == 0 {
		return 0, err
	}
	n := f.copyFrom(p, f.pos)
	f.pos += int64(n)
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	unlock, err := f.lockReadable("read")
	defer unlock()
	if err == nil && off < 0 {
		err = pathError("read", f.name, syscall.EINVAL)
	}
	if err != nil {
		return 0, err
	}
	n := f.copyFrom(p, off)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) copyFrom(p []byte, off int64) int {
	live := f.node.content.live
	if off >= int64(len(live)) {
		return 0
	}
	return copy(p, live[off:])
}

func (f *memFile) Write(p []byte) (int, error) {
	n, err := f.Writev([][]byte{p})
	return int(n), err
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.WritevAt([][]byte{p}, off)
	return int(n), err
}

// Writev implements [GatherWriter].
func (f *memFile) Writev(bufs [][]byte) (int64, error) {
	unlock, err := f.lockWritable("write")
	defer unlock()
	if err != nil {
		return 0, err
	}
	if f.flag&os.O_APPEND != 0 {
		f.pos = int64(len(f.node.content.live))
	}
	n, err := f.write(bufs, f.pos)
	f.pos += n
	return n, err
}

// WritevAt implements [GatherWriter].
func (f *memFile) WritevAt(bufs [][]byte, off int64) (int64, error) {
	unlock, err := f.lockWritable("write")
	defer unlock()
	switch {
	case err != nil:
		return 0, err
	case f.flag&os.O_APPEND != 0:
		return 0, pathError("write", f.name, errAppendOffset)
	case off < 0:
		return 0, pathError("write", f.name, syscall.EINVAL)
	}
	return f.write(bufs, off)
}

// write stores as much as there is room for.
func (f *memFile) write(bufs [][]byte, off int64) (int64, error) {
	var done int64
	for _, b := range bufs {
		fit, err := f.reserve(b, off+done)
		f.node.content.write(fit, off+done)
		f.node.modTime = time.Now()
		done += int64(len(fit))
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// reserve takes the room that writing p at off needs, and returns the part of p that fits.
func (f *memFile) reserve(p []byte, off int64) ([]byte, error) {
	if off > maxMemFile-int64(len(p)) {
		return nil, pathError("write", f.name, syscall.EFBIG)
	}
	size := int64(len(f.node.content.live))
	growth := off + int64(len(p)) - size
	if len(p) == 0 || growth <= 0 {
		return p, nil
	}
	room := f.mem.room()
	if growth <= room {
		f.mem.used += growth
		return p, nil
	}
	fit := max(size+room-off, 0)
	if fit > 0 {
		f.mem.used += room
	}
	return p[:fit], pathError("write", f.name, syscall.ENOSPC)
}

func (f *memFile) Seek(offset int64, whence int) (int64, error) {
	unlock, err := f.lock("seek")
	defer unlock()
	if err != nil {
		return 0, err
	}
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += f.pos
	case io.SeekEnd:
		offset += int64(len(f.node.content.live))
	default:
		return 0, pathError("seek", f.name, syscall.EINVAL)
	}
	if offset < 0 {
		return 0, pathError("seek", f.name, syscall.EINVAL)
	}
	f.pos = offset
	return offset, nil
}

func (f *memFile) Stat() (fs.FileInfo, error) {
	unlock, err := f.lock("stat")
	defer unlock()
	if err != nil {
		return nil, err
	}
	return f.node.info(f.name), nil
}

func (f *memFile) Truncate(size int64) error {
	unlock, err := f.lockWritable("truncate")
	defer unlock()
	if err != nil {
		return err
	}
	return f.setSize("truncate", size)
}

// Preallocate implements [Preallocator].
func (f *memFile) Preallocate(size int64) error {
	unlock, err := f.lockWritable("preallocate")
	defer unlock()
	if err != nil || size <= int64(len(f.node.content.live)) {
		return err
	}
	return f.setSize("preallocate", size)
}

func (f *memFile) setSize(op string, size int64) error {
	growth := size - int64(len(f.node.content.live))
	switch {
	case size < 0:
		return pathError(op, f.name, syscall.EINVAL)
	case size > maxMemFile:
		return pathError(op, f.name, syscall.EFBIG)
	case growth > 0 && growth > f.mem.room():
		return pathError(op, f.name, syscall.ENOSPC)
	}
	f.mem.truncate(f.node, size)
	return nil
}

func (f *memFile) Sync() error {
	unlock, err := f.lock("sync")
	defer unlock()
	if err == nil {
		f.node.content.sync()
	}
	return err
}

// SyncData implements [DataSyncer]. The model has no attributes that it could leave out.
func (f *memFile) SyncData() error { return f.Sync() }

// failSync implements [syncFailer].
func (f *memFile) failSync() {
	unlock, err := f.lock("sync")
	defer unlock()
	if err == nil {
		f.node.content.failSync()
	}
}

func (f *memFile) Close() error {
	unlock, err := f.lock("close")
	defer unlock()
	if !f.closed {
		f.closed = true
		f.node.locked = f.node.locked && !f.locks
		f.node.handles--
		f.mem.release(f.node)
	}
	return err
}
