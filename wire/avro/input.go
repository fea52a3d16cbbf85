package avro

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/flume-go/flume/internal/netio"
)

// Sizes of the memory to read into. A connection begins with a small slab and gets
// a large one, for several calls of a usual size, when a frame does not fit.
const (
	smallSlab = 4 << 10
	largeSlab = 256 << 10
)

// believed is how long a value is without growing as it arrives.
const believed = 64 << 10

var slabs = [2]sync.Pool{
	{New: func() any { return new([smallSlab]byte) }},
	{New: func() any { return new([largeSlab]byte) }},
}

// A frame may have so many buffers, and one more for so many bytes that it may have.
// Java's are of 8192 bytes where they can be. What is no frame mostly has more, and
// is not waited for.
const (
	mostBuffers = 4096
	shortBuffer = 256
)

// frameError says that the bytes of a connection are not frames. Nothing behind it
// can be understood.
type frameError struct{ text string }

func (e *frameError) Error() string { return e.text }

func badFrame(format string, args ...any) error {
	return &frameError{fmt.Sprintf(format, args...)}
}

// input reads the frames of a connection and, from a frame, values. Not safe for
// concurrent use.
//
// What a frame says of lengths is believed only up to the limit, and memory is not
// taken for it: values are read through a slab of fixed size, which exists only
// while there is something to read.
type input struct {
	conn     net.Conn
	reader   *netio.Reader
	layered  bool          // conn is not the socket: waiting needs memory
	limit    int           // most bytes of a frame
	patience time.Duration // for a frame that has begun to arrive
	stopped  func() bool   // whether reads of conn were interrupted for good

	slab  []byte // unread are slab[r:w]
	r, w  int
	large bool // take a large slab next time
	tiny  [8]byte

	serial   uint32
	idle     bool // between frames
	timed    bool // a deadline is set
	seg      int  // bytes left of the present buffer
	segments int  // buffers left behind it
	left     int  // bytes that the frame may still have
}

// newInput returns an input of conn. layered says that conn is not a socket.
func newInput(conn net.Conn, limit int, patience time.Duration, layered bool, stopped func() bool) *input {
	in := &input{conn: conn, limit: limit, patience: patience, layered: layered, stopped: stopped, idle: true}
	in.reader = netio.NewReader(conn, in)
	return in
}

// Lend implements netio.Memory.
func (in *input) Lend() []byte {
	if in.slab == nil {
		if in.layered && in.idle {
			return in.tiny[:]
		}
		in.take()
	}
	return in.slab[in.w:]
}

// Return implements netio.Memory.
func (in *input) Return() {
	if in.r == in.w {
		in.drop()
	}
}

func (in *input) take() {
	if in.large {
		in.slab = slabs[1].Get().(*[largeSlab]byte)[:]
	} else {
		in.slab = slabs[0].Get().(*[smallSlab]byte)[:]
	}
}

// drop gives the slab back. Nothing in it is needed.
func (in *input) drop() {
	switch len(in.slab) {
	case smallSlab:
		slabs[0].Put((*[smallSlab]byte)(in.slab))
	case largeSlab:
		slabs[1].Put((*[largeSlab]byte)(in.slab))
	}
	in.slab, in.r, in.w = nil, 0, 0
}

// fill reads once.
func (in *input) fill() error {
	in.makeRoom()
	begun := !in.idle || in.r < in.w
	if begun && !in.timed && in.patience > 0 {
		in.timed = true
		if err := in.conn.SetReadDeadline(time.Now().Add(in.patience)); err != nil {
			return err
		}
		if in.stopped() { // an earlier deadline has just been overwritten
			return os.ErrDeadlineExceeded
		}
	}
	n, err := in.reader.Read()
	if n == 0 {
		if err == nil {
			err = io.ErrNoProgress
		}
		return err
	}
	if in.slab == nil { // into tiny
		in.take()
		copy(in.slab, in.tiny[:n])
	}
	in.w += n
	return nil
}

// makeRoom moves what is unread to the front, of a larger slab if it fills this one.
func (in *input) makeRoom() {
	switch {
	case in.slab == nil:
	case in.w == len(in.slab) && !in.large:
		in.large = true
		old := *in
		in.take()
		in.w = copy(in.slab, old.slab[old.r:old.w])
		in.r = 0
		old.drop()
	case in.r > 0:
		in.w = copy(in.slab, in.slab[in.r:in.w])
		in.r = 0
	}
}

// raw returns the next n bytes of the connection, at most 8, from wherever they are.
// They are valid until the next call.
func (in *input) raw(n int) ([]byte, error) {
	for in.w-in.r < n {
		if err := in.fill(); err != nil {
			if errors.Is(err, io.EOF) && (in.w > in.r || !in.idle) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	p := in.slab[in.r : in.r+n]
	in.r += n
	return p, nil
}

// next waits for a frame and begins it. At the end of the connection between
// frames the error is io.EOF.
func (in *input) next() error {
	if in.r == in.w && in.slab != nil {
		in.drop()
	}
	head, err := in.raw(8)
	if err != nil {
		return err
	}
	in.idle = false
	in.serial = binary.BigEndian.Uint32(head)
	n := int32(binary.BigEndian.Uint32(head[4:]))
	in.left = in.limit
	if n <= 0 || int(n) > mostBuffers+in.limit/shortBuffer {
		return badFrame("a frame of %d buffers: this is not Flume's Avro protocol, or compression or TLS are not the same on both ends", n)
	}
	in.segments, in.seg = int(n), 0
	return nil
}

// whole reports whether the next frame has been read as a whole. To be called between frames.
func (in *input) whole() bool {
	p := in.slab[in.r:in.w]
	if len(p) < 8 {
		return false
	}
	buffers := binary.BigEndian.Uint32(p[4:])
	p = p[8:]
	for ; buffers > 0; buffers-- {
		if len(p) < 4 {
			return false
		}
		n := binary.BigEndian.Uint32(p)
		if int64(n) > int64(len(p)-4) {
			return false
		}
		p = p[4+n:]
	}
	return true
}

// end reads the rest of the frame, so that the next can begin.
func (in *input) end() error {
	for {
		n, err := in.window()
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		in.advance(n)
	}
	in.idle = true
	if !in.timed {
		return nil
	}
	in.timed = false
	if err := in.conn.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	if in.stopped() {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// window returns how many bytes of the payload stand in slab[r:], at least one; 0
// at the end of the frame.
func (in *input) window() (int, error) {
	for in.seg == 0 {
		if in.segments == 0 {
			return 0, nil
		}
		if err := in.segment(); err != nil {
			return 0, err
		}
	}
	for in.r == in.w {
		if err := in.fill(); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
	}
	return min(in.w-in.r, in.seg), nil
}

// segment begins the next buffer.
func (in *input) segment() error {
	head, err := in.raw(4)
	if err != nil {
		return err
	}
	n := int32(binary.BigEndian.Uint32(head))
	if n < 0 {
		return badFrame("a buffer of %d bytes", n)
	}
	in.left -= 4
	if int(n) > in.left {
		return badFrame("a frame of more than %d bytes: lower the batch size of the sender, or raise the limit", in.limit)
	}
	in.left -= int(n)
	in.seg = int(n)
	in.segments--
	return nil
}

// advance consumes n bytes of the window.
func (in *input) advance(n int) {
	in.r += n
	in.seg -= n
}

// discard forgets all that was read, for the end of the connection.
func (in *input) discard() {
	in.r = in.w
	in.drop()
}
