package avro

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"

	"github.com/klauspost/compress/zlib"
)

// First bytes of a connection, by which its outermost layer is told.
const (
	firstOfTLS  = 0x16 // a record of the handshake
	firstOfZlib = 0x78 // deflate with a window of 32 KiB
)

// replayed is a connection some bytes of which have been read before.
type replayed struct {
	net.Conn
	first []byte
}

// Read implements net.Conn.
func (c *replayed) Read(p []byte) (int, error) {
	if len(c.first) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.first)
	c.first = c.first[n:]
	return n, nil
}

// compressed is a connection whose bytes travel as a zlib stream, one for each
// direction.
type compressed struct {
	net.Conn
	in  io.Reader
	out flushWriter
}

// flushWriter is a compressor.
type flushWriter interface {
	io.Writer
	// Flush makes the other side see all that was written.
	Flush() error
}

// newCompressed returns a connection that compresses at a level of zlib's; 0 writes
// without compression, and without the memory for it.
func newCompressed(conn net.Conn, level int) (*compressed, error) {
	c := &compressed{Conn: conn, in: &inflater{from: conn}}
	if level == 0 {
		c.out = &storer{to: conn}
		return c, nil
	}
	b := bufio.NewWriterSize(conn, deflaterBuffer)
	z, err := zlib.NewWriterLevel(b, level)
	if err != nil {
		return nil, err
	}
	c.out = &deflater{Writer: z, buf: b}
	return c, nil
}

// deflaterBuffer is written at once.
const deflaterBuffer = 16 << 10

// deflater compresses. The library writes a few bytes at a time.
type deflater struct {
	*zlib.Writer
	buf *bufio.Writer
}

// Flush implements flushWriter.
func (d *deflater) Flush() error {
	if err := d.Writer.Flush(); err != nil {
		return err
	}
	return d.buf.Flush()
}

// Read implements net.Conn.
func (c *compressed) Read(p []byte) (int, error) { return c.in.Read(p) }

// Write implements net.Conn. What is written can be read at once at the other end.
func (c *compressed) Write(p []byte) (int, error) {
	n, err := c.out.Write(p)
	if err != nil {
		return n, err
	}
	return n, c.out.Flush()
}

// inflaterBuffer is read at once: compressed, a request is mostly smaller.
const inflaterBuffer = 4 << 10

// inflater decompresses a stream. It begins with the first Read, which waits for the
// stream's head.
type inflater struct {
	from io.Reader
	z    io.Reader
}

// Read implements io.Reader. It returns what has arrived, and takes no more memory
// than the format's window.
func (r *inflater) Read(p []byte) (n int, err error) {
	if r.z == nil {
		r.z, err = zlib.NewReader(bufio.NewReaderSize(r.from, inflaterBuffer))
	}
	if err == nil {
		n, err = r.z.Read(p)
	} else {
		r.z = nil
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF // hardly anybody finishes the stream; frames tell what is missing
	}
	return n, err
}

// storer writes a zlib stream of blocks that are not compressed. Answers of a server
// are a few bytes long: compressing them would need a hundred thousand times their
// size for each connection, and make them longer.
type storer struct {
	to    io.Writer
	begun bool
	buf   []byte
}

// maxStored is the longest block of the format.
const maxStored = 65535

// Write implements io.Writer.
func (s *storer) Write(p []byte) (int, error) {
	if !s.begun {
		s.begun = true
		s.buf = append(s.buf, firstOfZlib, 0x01)
	}
	n := len(p)
	for len(p) > 0 {
		some := min(len(p), maxStored)
		s.block(p[:some])
		p = p[some:]
	}
	return n, nil
}

func (s *storer) block(p []byte) {
	n := uint16(len(p))
	s.buf = append(s.buf, 0)
	s.buf = binary.LittleEndian.AppendUint16(s.buf, n)
	s.buf = binary.LittleEndian.AppendUint16(s.buf, ^n)
	s.buf = append(s.buf, p...)
}

// Flush writes what was stored and, as readers of such streams look for it, an empty
// block.
func (s *storer) Flush() error {
	s.block(nil)
	_, err := s.to.Write(s.buf)
	if cap(s.buf) > smallSlab {
		s.buf = nil
	}
	s.buf = s.buf[:0]
	return err
}
