package codectest

import (
	"errors"
	"io"
	"slices"

	"github.com/flume-go/flume/internal/gather"
)

// errDisk is what a scripted disk fails with.
var errDisk = errors.New("the disk failed, as scripted")

// disk is a stream in memory that can fail, with gathering writes, as the files
// of package vfs have them.
type disk struct {
	content []byte
	closed  bool

	// The write that comes after so many others fails when it has written
	// keep bytes; -1: none does.
	failAt, keep int
	failed       bool
}

var _ gather.Vectored = (*disk)(nil)

func newDisk() *disk { return &disk{failAt: -1} }

func (d *disk) Write(p []byte) (int, error) {
	if d.failAt == 0 {
		d.failAt, d.failed = -1, true
		n := min(d.keep, len(p))
		d.content = append(d.content, p[:n]...)
		return n, errDisk
	}
	if d.failAt > 0 {
		d.failAt--
	}
	d.content = append(d.content, p...)
	return len(p), nil
}

func (d *disk) Writev(bufs [][]byte) (int64, error) {
	n, err := d.Write(slices.Concat(bufs...))
	return int64(n), err
}

// Close is not the encoder's business.
func (d *disk) Close() error {
	d.closed = true
	return nil
}

// cut cuts the stream back to its first n bytes.
func (d *disk) cut(n int) { d.content = d.content[:n] }

// plain hides that a disk has gathering writes.
type plain struct{ io.WriteCloser }

// nowhere takes everything and keeps nothing.
type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

func (nowhere) Writev(bufs [][]byte) (n int64, err error) {
	for _, p := range bufs {
		n += int64(len(p))
	}
	return n, nil
}
