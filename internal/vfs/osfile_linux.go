package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

// maxIovec is IOV_MAX, the most slices one writev takes.
const maxIovec = 1024

// linuxFile adds to an *os.File what Linux has beyond it. Everything else, including the
// fast paths io.Copy looks for, is the embedded file's own.
type linuxFile struct {
	*os.File
	raw     syscall.RawConn // kept, as asking for it allocates
	appends bool
}

var (
	_ File           = (*linuxFile)(nil)
	_ DataSyncer     = (*linuxFile)(nil)
	_ Preallocator   = (*linuxFile)(nil)
	_ BehindReserver = (*linuxFile)(nil)
	_ GatherWriter   = (*linuxFile)(nil)
)

func newOSFile(f *os.File, flag int) (File, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &linuxFile{File: f, raw: raw, appends: flag&os.O_APPEND != 0}, nil
}

// control runs a system call on the descriptor, which cannot be closed meanwhile.
func (f *linuxFile) control(op string, call func(fd int) error) error {
	var callErr error
	err := f.raw.Control(func(fd uintptr) {
		callErr = retryInterrupted(func() error { return call(int(fd)) })
	})
	if err != nil {
		return f.errorOf(op, fs.ErrClosed) // all that Control itself reports
	}
	if callErr != nil {
		return f.errorOf(op, callErr)
	}
	return nil
}

func (f *linuxFile) errorOf(op string, err error) error {
	return &fs.PathError{Op: op, Path: f.Name(), Err: err}
}

// SyncData implements [DataSyncer] with fdatasync(2).
func (f *linuxFile) SyncData() error {
	return f.control("fdatasync", syscall.Fdatasync)
}

// Preallocate implements [Preallocator] with fallocate(2), or with zeros on the file systems
// that have none, such as NFS before version 4.2.
func (f *linuxFile) Preallocate(size int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if size <= info.Size() {
		return nil
	}
	err = f.control("fallocate", func(fd int) error {
		return syscall.Fallocate(fd, 0, 0, size)
	})
	if errors.Is(err, errors.ErrUnsupported) {
		return preallocateZeros(f, size)
	}
	if err != nil {
		// A file system that ran full may have grown the file part of the way.
		return errors.Join(err, f.Truncate(info.Size()))
	}
	return nil
}

const (
	keepSize = 0x1    // FALLOC_FL_KEEP_SIZE
	typeExt4 = 0xEF53 // as statfs tells it
)

// ReserveBehind implements [BehindReserver] with fallocate(2), on ext4. There a write past what
// is reserved does its accounts for each block of 4 KiB, which costs a quarter of the write.
// Others are left to their own ways: XFS reserves by itself, Btrfs does not compress what
// was reserved.
func (f *linuxFile) ReserveBehind(off, n int64) error {
	return f.control("fallocate", func(fd int) error {
		var st syscall.Statfs_t
		if err := syscall.Fstatfs(fd, &st); err != nil {
			return err
		}
		if uint32(st.Type) != typeExt4 { //nolint:gosec // the number has 32 bits; the field is wider on some systems
			return errors.ErrUnsupported
		}
		return syscall.Fallocate(fd, keepSize, off, n)
	})
}

// Writev implements [GatherWriter] with writev(2).
func (f *linuxFile) Writev(bufs [][]byte) (int64, error) {
	g := gatherPool.Get().(*gather)
	defer g.recycle()
	return g.writeAll(f, bufs, func() error { return f.raw.Write(g.callWritev) })
}

// WritevAt implements [GatherWriter] with pwritev(2).
func (f *linuxFile) WritevAt(bufs [][]byte, off int64) (int64, error) {
	switch {
	case f.appends:
		return 0, f.errorOf("pwritev", errAppendOffset)
	case off < 0:
		return 0, f.errorOf("pwritev", syscall.EINVAL)
	}
	g := gatherPool.Get().(*gather)
	defer g.recycle()
	g.off = off
	return g.writeAll(f, bufs, func() error { return f.raw.Control(g.callPwritev) })
}

// gather is the state of one gathering write. It is pooled with its two callbacks bound, as
// they would otherwise be allocated for each call.
type gather struct {
	iov   []syscall.Iovec
	off   int64 // of the next pwritev
	n     int   // result of the last call
	errno syscall.Errno

	callWritev  func(fd uintptr) bool
	callPwritev func(fd uintptr)
}

var gatherPool = sync.Pool{New: func() any {
	g := new(gather)
	g.callWritev = g.writev
	g.callPwritev = g.pwritev
	return g
}}

// recycle forgets the caller's memory before the state is shared again.
func (g *gather) recycle() {
	clear(g.iov[:cap(g.iov)])
	g.iov = g.iov[:0]
	gatherPool.Put(g)
}

// writeAll repeats the call until everything is written: the kernel takes at most maxIovec
// slices and 2 GiB at once, and may take less when interrupted or full.
func (g *gather) writeAll(f *linuxFile, bufs [][]byte, call func() error) (int64, error) {
	var done int64
	skip := 0 // bytes of bufs[0] already written
	for {
		g.fill(bufs, skip)
		if len(g.iov) == 0 {
			return done, nil
		}
		if err := call(); err != nil {
			return done, f.errorOf("writev", fs.ErrClosed) // all that a RawConn reports itself
		}
		if g.errno == syscall.EINTR {
			continue
		}
		if g.errno != 0 {
			return done, f.errorOf("writev", g.errno)
		}
		if g.n == 0 {
			return done, f.errorOf("writev", io.ErrShortWrite)
		}
		done += int64(g.n)
		g.off += int64(g.n)
		bufs, skip = advance(bufs, skip+g.n)
	}
}

// fill lists the next slices for the kernel, without the first skip bytes and empty ones.
func (g *gather) fill(bufs [][]byte, skip int) {
	g.iov = g.iov[:0]
	for _, b := range bufs {
		b = b[skip:]
		skip = 0
		if len(b) == 0 {
			continue
		}
		if len(g.iov) == maxIovec {
			return
		}
		v := syscall.Iovec{Base: &b[0]}
		v.SetLen(len(b))
		g.iov = append(g.iov, v)
	}
}

// advance drops the slices that n bytes cover and returns how much of the next is covered.
func advance(bufs [][]byte, n int) ([][]byte, int) {
	for len(bufs) > 0 && n >= len(bufs[0]) {
		n -= len(bufs[0])
		bufs = bufs[1:]
	}
	return bufs, n
}

// writev returns false if a pipe cannot take more now; the runtime then waits and calls again.
func (g *gather) writev(fd uintptr) bool {
	n, _, errno := syscall.Syscall(syscall.SYS_WRITEV, fd,
		uintptr(unsafe.Pointer(&g.iov[0])), uintptr(len(g.iov)))
	g.n, g.errno = int(n), errno
	return errno != syscall.EAGAIN
}

// pwritev passes the offset as two machine words, the second of which counts on 32-bit
// machines only.
func (g *gather) pwritev(fd uintptr) {
	n, _, errno := syscall.Syscall6(syscall.SYS_PWRITEV, fd,
		uintptr(unsafe.Pointer(&g.iov[0])), uintptr(len(g.iov)),
		uintptr(g.off), uintptr(uint64(g.off)>>32), 0)
	g.n, g.errno = int(n), errno
}
