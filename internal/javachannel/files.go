package javachannel

import (
	"fmt"
	"io"
	"os"

	"github.com/flume-go/flume/internal/vfs"
)

const (
	// maxOpen bounds the logs open at a time. A merge reads one log of each directory at a time, so
	// this suffices for as many directories without opening anything twice.
	maxOpen = 16

	minWindow = 4 << 10   // read at a jump
	maxWindow = 256 << 10 // read ahead when reading on
)

// files reads logs at random places through a bounded number of open files, each with a window of what was
// read last. It is used by one goroutine.
type files struct {
	fs   vfs.FS
	open []*openFile // the least recently used first
}

// openFile is an open log.
type openFile struct {
	name string
	file vfs.File
	size int64

	window []byte // content from base on
	base   int64
	ahead  int // bytes to read at the next miss
	large  []byte
}

// get returns the open file of a log.
func (fs *files) get(name string) (*openFile, error) {
	for i, f := range fs.open {
		if f.name == name {
			copy(fs.open[i:], fs.open[i+1:])
			fs.open[len(fs.open)-1] = f
			return f, nil
		}
	}
	file, err := fs.fs.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close() // read-only: nothing can be lost
		return nil, err
	}
	f := &openFile{name: name, file: file, size: info.Size(), ahead: minWindow}
	if len(fs.open) >= maxOpen {
		_ = fs.open[0].file.Close() // as above
		f.window = fs.open[0].window[:0]
		fs.open = append(fs.open[:0], fs.open[1:]...)
	}
	fs.open = append(fs.open, f)
	return f, nil
}

func (fs *files) close() {
	for _, f := range fs.open {
		_ = f.file.Close() // read-only: nothing can be lost
	}
	fs.open = nil
}

// read returns the bytes [off, off+n), fewer only at the end of the file. They are valid until the next
// call. The caller has compared n with a limit.
func (f *openFile) read(off int64, n int) ([]byte, error) {
	if off >= f.size || off < 0 {
		return nil, nil
	}
	n = int(min(int64(n), f.size-off))
	end := f.base + int64(len(f.window))
	if off >= f.base && off+int64(n) <= end {
		return f.window[off-f.base:][:n], nil
	}
	if n > maxWindow {
		return f.readLarge(off, n)
	}
	if off >= f.base && off <= end+maxWindow {
		f.ahead = min(2*f.ahead, maxWindow)
	} else {
		f.ahead = minWindow
	}
	want := int(min(int64(max(n, f.ahead)), f.size-off))
	if cap(f.window) < want {
		f.window = make([]byte, want)
	}
	f.window, f.base = f.window[:want], off
	got, err := f.file.ReadAt(f.window, off)
	f.window = f.window[:got]
	if err != nil && err != io.EOF { //nolint:errorlint // io.ReaderAt returns io.EOF itself
		f.window = f.window[:0]
		return nil, fmt.Errorf("reading %d bytes at %d: %w", want, off, err)
	}
	return f.window[:min(n, got)], nil
}

// readOn returns the bytes from off on that are at hand, at least n of them unless the file ends before.
func (f *openFile) readOn(off int64, n int) ([]byte, error) {
	if end := f.base + int64(len(f.window)); off >= f.base && off+int64(n) <= end {
		return f.window[off-f.base:], nil
	}
	return f.read(off, maxWindow)
}

// readLarge reads what is too large for a window. The memory is kept for the next one as long as it is not
// huge.
func (f *openFile) readLarge(off int64, n int) ([]byte, error) {
	const keep = 4 << 20
	buf := f.large
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	if f.large = buf[:0]; cap(buf) > keep {
		f.large = nil
	}
	got, err := f.file.ReadAt(buf[:n], off)
	if err != nil && err != io.EOF { //nolint:errorlint // as above
		return nil, fmt.Errorf("reading %d bytes at %d: %w", n, off, err)
	}
	return buf[:got], nil
}

// readSmall returns the content of a file that may have at most limit bytes.
func readSmall(fsys vfs.FS, name string, limit int64) (data []byte, err error) {
	f, err := fsys.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err = io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%w: %s has more than %d bytes", errMalformed, name, limit)
	}
	return data, nil
}
