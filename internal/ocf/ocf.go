// Package ocf writes Avro object container files, one block after the other, to
// a stream that is never read back.
//
// The caller appends encoded data to a block that lies in memory; a block goes
// out when it has reached the sync interval and at every Flush. What was not
// flushed can be taken back, so a sink whose write failed cuts its file back and
// goes on with the same writer.
package ocf

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
)

// Bounds and default of the sync interval, in bytes, as in Avro's own library.
const (
	MinSyncInterval     = 32
	MaxSyncInterval     = 1 << 30
	DefaultSyncInterval = 2048000
)

const (
	magic = "Obj\x01"
	// headroom is kept free before a block's data, for its count and size: the
	// two longest varints.
	headroom = 2 * binary.MaxVarintLen64
	syncSize = 16
	// keepAbove is how much memory beyond the sync interval a writer keeps
	// after a block with a very large datum.
	keepAbove = 1 << 20
)

// Writer writes one container file. Not safe for concurrent use.
type Writer struct {
	w          io.Writer
	codec      compressor
	interval   int
	sync       [syncSize]byte
	block      []byte // headroom, then the data of the open block
	count      int64  // data in the open block
	compressed []byte // headroom, then a compressed block; reused
}

// NewWriter writes a file's header to w: the schema as it is given, the codec
// (one of Codecs) and a random sync marker. interval is the size in bytes at
// which a block ends.
func NewWriter(w io.Writer, schema, codec string, interval int) (*Writer, error) {
	if interval < MinSyncInterval || interval > MaxSyncInterval {
		return nil, fmt.Errorf("sync interval of %d bytes: must be %d to %d", interval, MinSyncInterval, MaxSyncInterval)
	}
	c, err := newCompressor(codec, interval)
	if err != nil {
		return nil, err
	}
	o := &Writer{
		w: w, codec: c, interval: interval,
		block: make([]byte, headroom), compressed: make([]byte, headroom),
	}
	// crypto/rand never fails: it ends the program instead.
	_, _ = rand.Read(o.sync[:])
	if _, err := w.Write(o.header(schema, codec)); err != nil {
		return nil, fmt.Errorf("writing the container's header: %w", err)
	}
	return o, nil
}

func (o *Writer) header(schema, codec string) []byte {
	h := append(make([]byte, 0, len(schema)+128), magic...)
	h = binary.AppendVarint(h, 2) // entries in the only block of the map
	for _, kv := range [][2]string{{"avro.schema", schema}, {"avro.codec", codec}} {
		h = AppendString(h, kv[0])
		h = AppendString(h, kv[1])
	}
	h = binary.AppendVarint(h, 0)
	return append(h, o.sync[:]...)
}

// Block returns the open block, for the caller to append exactly one datum to
// and hand to Added.
func (o *Writer) Block() []byte { return o.block }

// Added takes back what Block returned, longer by one datum, and writes the
// block if it is full.
func (o *Writer) Added(block []byte) error {
	o.block = block
	o.count++
	if len(block)-headroom >= o.interval {
		return o.Flush()
	}
	return nil
}

// Flush ends the open block and writes it. Without data in it nothing happens.
// After an error the block is still open; see Rewind.
func (o *Writer) Flush() error {
	if o.count == 0 {
		return nil
	}
	framed, err := o.frame()
	if err != nil {
		return fmt.Errorf("compressing a block of %d bytes: %w", len(o.block)-headroom, err)
	}
	if _, err := o.w.Write(framed); err != nil {
		return err
	}
	o.Rewind()
	return nil
}

// Rewind drops the data of the open block.
func (o *Writer) Rewind() {
	o.count = 0
	o.block = o.trim(o.block)
	o.compressed = o.trim(o.compressed)
}

func (o *Writer) trim(b []byte) []byte {
	if cap(b) > 2*o.interval+keepAbove {
		return make([]byte, headroom)
	}
	return b[:headroom]
}

// frame returns the open block as it stands in the file: count, size, data and
// the sync marker, in one piece.
func (o *Writer) frame() ([]byte, error) {
	framed := o.block
	if o.codec != nil {
		packed, err := o.codec.compress(o.compressed[:headroom], o.block[headroom:])
		if err != nil {
			return nil, err
		}
		o.compressed = packed
		framed = packed
	}
	var head [headroom]byte
	prefix := binary.AppendVarint(head[:0], o.count)
	prefix = binary.AppendVarint(prefix, int64(len(framed)-headroom))
	start := headroom - len(prefix)
	copy(framed[start:], prefix)
	size := len(framed)
	framed = append(framed, o.sync[:]...)
	// The marker may have moved the block; keep the larger memory, without it.
	if o.codec != nil {
		o.compressed = framed[:size]
	} else {
		o.block = framed[:size]
	}
	return framed[start:], nil
}

// AppendString appends s in Avro's encoding of strings and bytes: the length as
// a varint, then the content.
func AppendString[T string | []byte](dst []byte, s T) []byte {
	dst = binary.AppendVarint(dst, int64(len(s)))
	return append(dst, s...)
}
