package spooldir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/flume-go/flume/internal/vfs"
)

// input is a file that is being read: what it held when it was opened. Files are put into the directory when they are finished; one that
// is not is found out, and nothing that was appended is read.
type input struct {
	fs       vfs.FS
	file     vfs.File
	path     string // as Flume writes it
	rel      string // below the spool directory
	size     int64
	modified time.Time
}

// errNotAFile says that there is something else under the name of a file.
var errNotAFile = errors.New("it is no regular file")

// openInput opens a file. path may be a symbolic link to one.
func openInput(fsys vfs.FS, path, rel string) (*input, error) {
	// Opening a pipe would wait for its writer.
	info, err := fsys.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("opening %s: %w but %s", path, errNotAFile, kindOf(info.Mode()))
	}
	f, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	in := &input{fs: fsys, file: f, path: path, rel: rel}
	if info, err = f.Stat(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	in.size, in.modified = info.Size(), info.ModTime()
	return in, nil
}

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a directory"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	default:
		return "a device"
	}
}

// changedError says that a file is not what it was.
type changedError struct{ what string }

func (e *changedError) Error() string {
	return e.what + "; only files that are finished may be put into the directory: move them there under their last name"
}

// readAt fills the beginning of buf from off on, and returns how much. It returns io.EOF only at the end that the file had when it was
// opened.
func (in *input) readAt(buf []byte, off int64) (int, error) {
	left := in.size - off
	if left <= 0 {
		return 0, io.EOF
	}
	n, err := in.file.ReadAt(buf[:min(int64(len(buf)), left)], off)
	switch {
	case n > 0:
		return n, nil
	case err == nil || errors.Is(err, io.EOF):
		return 0, &changedError{fmt.Sprintf("the file has become shorter: it had %d bytes and ends at %d", in.size, off)}
	default:
		return 0, fmt.Errorf("reading at offset %d: %w", off, err)
	}
}

// readFull fills all of buf, or fails.
func (in *input) readFull(buf []byte, off int64) error {
	for done := 0; done < len(buf); {
		n, err := in.readAt(buf[done:], off+int64(done))
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		done += n
	}
	return nil
}

// end returns io.EOF if the file is still what it was, and otherwise what has changed.
func (in *input) end() error {
	info, err := in.file.Stat()
	if err != nil {
		return fmt.Errorf("looking whether the file has changed: %w", err)
	}
	if err := in.compare(info); err != nil {
		return err
	}
	return io.EOF
}

// compare returns what has changed.
func (in *input) compare(info fs.FileInfo) error {
	switch {
	case info.Size() != in.size:
		return &changedError{fmt.Sprintf("the file has changed since it was opened: it had %d bytes and has %d", in.size, info.Size())}
	case !info.ModTime().Equal(in.modified):
		return &changedError{fmt.Sprintf("the file has changed since it was opened: it was written to at %s", info.ModTime().Format(time.RFC3339Nano))}
	}
	return nil
}

// replaced returns what has changed about the file that has the name now; an error that is fs.ErrNotExist if there is none.
func (in *input) replaced() error {
	info, err := in.fs.Stat(in.path)
	if err != nil {
		return err
	}
	return in.compare(info)
}

func (in *input) close() error { return in.file.Close() }
