package spooldir

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/twmb/avro"
	"github.com/twmb/avro/ocf"
)

// Limits of what the header of a container file may have.
const (
	mostHeader  = 16 << 20
	syncSize    = 16
	zeroRecords = 4096 // records of a block that may have no bytes at all
)

// container is an Avro object container file that is being read. The library's own reader does not tell where its blocks are, which is what
// positions are made of.
type container struct {
	in     *input
	limit  int64 // of a block
	schema *avro.Schema
	text   string // the schema, as it stands in the file but for white space
	sync   [syncSize]byte
	codec  ocf.Codec
	first  int64 // offset of the first block
	raw    []byte
}

// openContainer reads the header. The caller closes the codec.
func openContainer(in *input, limit int64) (*container, error) {
	r := bufio.NewReader(&sequential{in: in})
	h := header{r: r, left: mostHeader}
	meta, err := h.read()
	if err != nil {
		return nil, fmt.Errorf("reading the header of the Avro container file: %w", cutShort(err))
	}
	c := &container{in: in, limit: limit, sync: h.sync, first: mostHeader - h.left}
	text, ok := meta["avro.schema"]
	if !ok {
		return nil, errors.New("the header of the Avro container file has no schema")
	}
	if c.schema, err = avro.Parse(string(text)); err != nil {
		return nil, fmt.Errorf("parsing the schema of the Avro container file: %w", err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return nil, fmt.Errorf("parsing the schema of the Avro container file: %w", err)
	}
	c.text = compact.String()
	if c.codec, err = codecOf(string(meta["avro.codec"])); err != nil {
		return nil, err
	}
	return c, nil
}

// sequential reads an input from its beginning.
type sequential struct {
	in  *input
	pos int64
}

func (s *sequential) Read(p []byte) (int, error) {
	n, err := s.in.readAt(p, s.pos)
	s.pos += int64(n)
	return n, err
}

// header reads what a container file begins with.
type header struct {
	r    *bufio.Reader
	left int64 // bytes that the header may still have
	sync [syncSize]byte
}

// ReadByte implements io.ByteReader.
func (h *header) ReadByte() (byte, error) {
	h.left--
	return h.r.ReadByte()
}

func (h *header) bytes(n int64) ([]byte, error) {
	if n < 0 || n > h.left {
		return nil, fmt.Errorf("it has a piece of %d bytes", n)
	}
	h.left -= n
	// What is not there is not allocated.
	var b bytes.Buffer
	_, err := io.CopyN(&b, h.r, n)
	return b.Bytes(), err
}

func (h *header) read() (map[string][]byte, error) {
	magic, err := h.bytes(4)
	if err != nil {
		return nil, err
	}
	if string(magic) != "Obj\x01" {
		return nil, fmt.Errorf("it begins with %q, not with \"Obj\\x01\": the file is no such file", magic)
	}
	meta := map[string][]byte{}
	for {
		n, err := binary.ReadVarint(h)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			break
		}
		if n < 0 { // the size of the block follows, for those who skip it
			if _, err := binary.ReadVarint(h); err != nil {
				return nil, err
			}
			n = -n
		}
		for ; n != 0; n-- {
			if err := h.entry(meta); err != nil {
				return nil, err
			}
		}
	}
	sync, err := h.bytes(syncSize)
	copy(h.sync[:], sync)
	return meta, err
}

func (h *header) entry(meta map[string][]byte) error {
	var kv [2][]byte
	for i := range kv {
		n, err := binary.ReadVarint(h)
		if err != nil {
			return err
		}
		if kv[i], err = h.bytes(n); err != nil {
			return err
		}
	}
	meta[string(kv[0])] = kv[1]
	return nil
}

// cutShort gives the end of a file where there should be more a name.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the file ends in the middle of it")
	}
	return err
}

// errCut says that a block is not complete.
var errCut = errors.New("the file ends in the middle of it; what came before was handed on")

// block reads the block at off. It returns io.EOF at the end of the file, and otherwise the number of records, their bytes and the offset of
// the next block. The bytes are valid until the next call.
func (c *container) block(off int64) (records int64, data []byte, next int64, err error) {
	records, data, next, err = c.readBlock(off)
	if err != nil && !errors.Is(err, io.EOF) {
		var changed *changedError
		if !errors.As(err, &changed) {
			err = fmt.Errorf("reading the block at offset %d of the Avro container file: %w", off, err)
		}
	}
	return records, data, next, err
}

func (c *container) readBlock(off int64) (int64, []byte, int64, error) {
	if off >= c.in.size {
		return 0, nil, 0, io.EOF
	}
	var buf [2 * binary.MaxVarintLen64]byte
	head := buf[:min(int64(len(buf)), c.in.size-off)]
	if err := c.in.readFull(head, off); err != nil {
		return 0, nil, 0, err
	}
	records, n := binary.Varint(head)
	size, m := binary.Varint(head[max(n, 0):])
	switch {
	case n < 0 || m < 0 || records < 0 || size < 0:
		return 0, nil, 0, errors.New("its count or its size is damaged")
	case n == 0 || m == 0:
		return 0, nil, 0, errCut
	case size > c.limit:
		return 0, nil, 0, fmt.Errorf("it has %d bytes, more than deserializer.maxBlockLength (%d)", size, c.limit)
	}
	off += int64(n + m)
	if size+syncSize > c.in.size-off {
		return 0, nil, 0, errCut
	}
	if need := int(size) + syncSize; cap(c.raw) < need {
		c.raw = make([]byte, need)
	}
	raw := c.raw[:size+syncSize]
	if err := c.in.readFull(raw, off); err != nil {
		return 0, nil, 0, err
	}
	if !bytes.Equal(raw[size:], c.sync[:]) {
		return 0, nil, 0, errors.New("the marker behind it is not that of the file: the file is damaged")
	}
	data, err := c.decompress(raw[:size])
	if err != nil {
		return 0, nil, 0, fmt.Errorf("decompressing it (%s): %w", c.codec.Name(), cutShort(err))
	}
	if records > int64(len(data))+zeroRecords {
		return 0, nil, 0, fmt.Errorf("it claims to have %d records in %d bytes", records, len(data))
	}
	return records, data, off + size + syncSize, nil
}

func (c *container) decompress(raw []byte) ([]byte, error) {
	if b, ok := c.codec.(ocf.BoundedDecompressor); ok {
		return b.DecompressBounded(raw, c.limit)
	}
	return c.codec.Decompress(raw)
}

// begin returns the offset of the block that a position means: that of the marker before the block, or 0.
func (c *container) begin(offset int64) (int64, error) {
	if offset <= 0 || offset == c.first-syncSize {
		return c.first, nil
	}
	var marker [syncSize]byte
	if offset+syncSize > c.in.size {
		return 0, &changedError{fmt.Sprintf("the position %d is behind the end of the file", offset)}
	}
	if err := c.in.readFull(marker[:], offset); err != nil {
		return 0, err
	}
	if marker != c.sync {
		return 0, &changedError{fmt.Sprintf("the position %d is not between two blocks of the file", offset)}
	}
	return offset + syncSize, nil
}
