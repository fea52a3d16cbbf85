// Package gather turns many small pieces of output into few, large writes.
//
// Large pieces are written from where they stand, small ones are copied next to
// each other, and both go out in one gathering write when the destination has
// one. So a run of lines that already lies in memory as it should stand in the
// file is never copied, and a batch of scattered ones costs one system call.
package gather

import (
	"io"
	"sync"
	"unsafe"
)

const (
	// roomSize is how much can be copied before it must be written.
	roomSize = 64 << 10
	// copyBelow is the size below which copying a piece is cheaper than
	// listing it for the kernel.
	copyBelow = 2 << 10
	// writeSize is about how much goes out in one write. Larger writes save next
	// to nothing, and have the kernel look for larger pages for its cache, which
	// on virtual machines are often such as the host has taken away.
	writeSize = 256 << 10
	// maxPieces keeps a write below the 1,024 pieces that Linux takes at once.
	maxPieces = 512
)

// Vectored is a destination that takes several slices in one call; files of
// package vfs and the like. The contract is that of vfs.GatherWriter.
type Vectored interface {
	Writev(bufs [][]byte) (int64, error)
}

// rooms are shared by all writers: a sink may have thousands of files open, of
// which few are being written at any moment.
var rooms = sync.Pool{New: func() any { return new([roomSize]byte) }}

// Writer collects pieces for one destination. Not safe for concurrent use. After
// Flush or Reset it holds no memory but a short list.
type Writer struct {
	w        io.Writer
	vectored Vectored // w, if it is one

	pieces [][]byte
	size   int // bytes in pieces that are not in room
	room   *[roomSize]byte
	from   int // start of the copied bytes that are not in pieces yet
	to     int // end of the copied bytes
}

// New returns a writer to w.
func New(w io.Writer) *Writer {
	g := &Writer{w: w}
	g.vectored, _ = w.(Vectored)
	return g
}

// Add appends p, which must stay as it is until Flush or Reset. An error is one
// of a write; then what was added since the last Flush may be written in part.
func (g *Writer) Add(p []byte) error {
	if len(p) < copyBelow {
		return g.copyIn(p)
	}
	g.seal()
	g.pieces = append(g.pieces, p)
	g.size += len(p)
	if len(g.pieces) >= maxPieces || g.size >= writeSize {
		return g.Flush()
	}
	return nil
}

// AddString is Add for a string.
func (g *Writer) AddString(s string) error {
	return g.Add(unsafe.Slice(unsafe.StringData(s), len(s)))
}

// AddCopy appends a copy of p, which may be of any size.
func (g *Writer) AddCopy(p []byte) error {
	for len(p) > roomSize {
		if err := g.copyIn(p[:roomSize]); err != nil {
			return err
		}
		p = p[roomSize:]
	}
	return g.copyIn(p)
}

// AddByte appends c.
func (g *Writer) AddByte(c byte) error {
	if err := g.needRoom(1); err != nil {
		return err
	}
	g.room[g.to] = c
	g.to++
	return nil
}

func (g *Writer) copyIn(p []byte) error {
	if err := g.needRoom(len(p)); err != nil {
		return err
	}
	g.to += copy(g.room[g.to:], p)
	return nil
}

func (g *Writer) needRoom(n int) error {
	if roomSize-g.to < n {
		if err := g.Flush(); err != nil {
			return err
		}
	}
	if g.room == nil {
		g.room = rooms.Get().(*[roomSize]byte)
	}
	return nil
}

// seal lists the copied bytes as a piece, so that others can follow.
func (g *Writer) seal() {
	if g.to > g.from {
		g.pieces = append(g.pieces, g.room[g.from:g.to])
		g.from = g.to
	}
}

// Flush writes everything that was added. Nothing is kept, also on error.
func (g *Writer) Flush() error {
	g.seal()
	err := g.write()
	g.Reset()
	return err
}

func (g *Writer) write() error {
	if g.vectored != nil && len(g.pieces) > 1 {
		_, err := g.vectored.Writev(g.pieces)
		return err
	}
	for _, p := range g.pieces {
		if _, err := g.w.Write(p); err != nil {
			return err
		}
	}
	return nil
}

// Reset forgets what was added and not written.
func (g *Writer) Reset() {
	clear(g.pieces)
	g.pieces = g.pieces[:0]
	if g.room != nil {
		rooms.Put(g.room)
		g.room = nil
	}
	g.from, g.to, g.size = 0, 0, 0
}
