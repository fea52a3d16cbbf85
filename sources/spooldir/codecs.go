package spooldir

import (
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
	"github.com/twmb/avro/ocf"
	"github.com/ulikunitz/xz"
)

// codecOf returns what decompresses the blocks of a container file; the name is that of its header.
func codecOf(name string) (ocf.Codec, error) {
	switch name {
	case "", "null":
		return plainCodec{reading{name: "null"}}, nil
	case "deflate":
		return ocf.DeflateCodec(flate.DefaultCompression), nil
	case "snappy":
		return ocf.SnappyCodec(), nil
	case "zstandard":
		return ocf.ZstdCodec(nil, []zstd.DOption{zstd.WithDecoderLowmem(true)})
	case "bzip2":
		return streamCodec{reading{name: name}, func(src []byte, _ int64) (io.Reader, error) { return bzip2.NewReader(bytes.NewReader(src)), nil }}, nil
	case "xz":
		return streamCodec{reading{name: name}, newXZ}, nil
	default:
		return nil, fmt.Errorf("the Avro container file is compressed with %q; known are null, deflate, snappy, bzip2, xz and zstandard", name)
	}
}

// reading is the part of a codec that is the same for all that only decompress.
type reading struct{ name string }

// Name implements ocf.Codec.
func (c reading) Name() string { return c.name }

// Compress implements ocf.Codec.
func (c reading) Compress([]byte) ([]byte, error) { return nil, errors.ErrUnsupported }

// Close implements ocf.Codec.
func (c reading) Close() error { return nil }

// plainCodec is no compression.
type plainCodec struct{ reading }

// Decompress implements ocf.Codec.
func (plainCodec) Decompress(src []byte) ([]byte, error) { return src, nil }

// streamCodec decompresses with a reader.
type streamCodec struct {
	reading
	open func(src []byte, limit int64) (io.Reader, error)
}

// noLimit is for Decompress, which has none.
const noLimit = 1<<62 - 1

// Decompress implements ocf.Codec.
func (c streamCodec) Decompress(src []byte) ([]byte, error) { return c.DecompressBounded(src, noLimit) }

// DecompressBounded implements ocf.BoundedDecompressor.
func (c streamCodec) DecompressBounded(src []byte, limit int64) ([]byte, error) {
	r, err := c.open(src, limit)
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(out)) > limit {
		return nil, fmt.Errorf("it becomes longer than deserializer.maxBlockLength (%d)", limit)
	}
	return out, nil
}

// newXZ returns a reader of xz. The library takes the memory that the first header asks for at once.
func newXZ(src []byte, limit int64) (io.Reader, error) {
	if size := dictionaryOf(src); size > max(limit, 64<<20) {
		return nil, fmt.Errorf("it asks for a dictionary of %d bytes", size)
	}
	return xz.NewReader(bytes.NewReader(src))
}

// dictionaryOf returns the size of the dictionary that the first block of an xz stream asks for, 0 if it cannot be found.
func dictionaryOf(src []byte) int64 {
	const streamHeader, lzma2 = 12, 0x21
	if len(src) < streamHeader+2 {
		return 0
	}
	flags, rest := src[streamHeader+1], src[streamHeader+2:]
	for _, present := range []byte{0x40, 0x80} { // compressed and uncompressed size
		if flags&present != 0 {
			_, n := binary.Uvarint(rest)
			rest = rest[max(n, 0):]
		}
	}
	if len(rest) < 3 || rest[0] != lzma2 || rest[1] != 1 || rest[2] > 40 {
		return 0
	}
	if rest[2] == 40 {
		return 1<<32 - 1
	}
	return (2 | int64(rest[2]&1)) << (rest[2]/2 + 11)
}
