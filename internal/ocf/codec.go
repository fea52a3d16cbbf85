package ocf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"

	"github.com/dsnet/compress/bzip2"
	"github.com/golang/snappy"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/flume-go/flume/component"
)

// CodecNull is the name of no compression.
const CodecNull = "null"

// Codecs lists the names of the codecs, spelled as in a file's header.
var Codecs = []string{CodecNull, "deflate", "bzip2", "snappy", "xz", "zstandard"}

// CheckCodec warns of a codec name that is not known. Flume writes such files
// uncompressed, and so do the serializers here: see CodecOrNull.
func CheckCodec(r *component.Report, key, name string) {
	if slices.Contains(Codecs, name) {
		return
	}
	remedy := "write one of " + strings.Join(Codecs, ", ") + ", in this spelling"
	if near := component.Nearest(name, Codecs); near != "" {
		remedy = fmt.Sprintf("did you mean %q?", near)
	}
	r.Warn(key, fmt.Sprintf("%q is not a codec; files are written uncompressed", name), remedy)
}

// CodecOrNull returns name if it is a codec and otherwise CodecNull.
func CodecOrNull(name string) string {
	if slices.Contains(Codecs, name) {
		return name
	}
	return CodecNull
}

// compressor appends the compressed form of src to dst.
type compressor interface {
	compress(dst, src []byte) ([]byte, error)
}

// newCompressor returns nil for the null codec. Levels are those of Avro's Java
// library: deflate and xz 6, bzip2 9, zstandard 3.
func newCompressor(name string, interval int) (compressor, error) {
	switch name {
	case CodecNull:
		return nil, nil
	case "deflate":
		w, err := flate.NewWriter(io.Discard, 6)
		return &stream{w: w}, err
	case "bzip2":
		w, err := bzip2.NewWriter(io.Discard, &bzip2.WriterConfig{Level: bzip2.BestCompression})
		return &stream{w: bzip2Writer{w}}, err
	case "snappy":
		return snappyBlock{}, nil
	case "xz":
		return xzBlock{}, nil
	case "zstandard":
		e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault),
			zstd.WithWindowSize(zstdWindow(interval)))
		return zstdBlock{e}, err
	default:
		return nil, fmt.Errorf("codec %q: must be one of %s", name, strings.Join(Codecs, ", "))
	}
}

// resetter is a compressing writer that can be used again.
type resetter interface {
	io.WriteCloser
	Reset(w io.Writer)
}

// bzip2Writer hides that Reset has a result, which is always nil.
type bzip2Writer struct{ *bzip2.Writer }

func (w bzip2Writer) Reset(to io.Writer) { _ = w.Writer.Reset(to) }

// stream compresses a block with a writer that is kept between blocks.
type stream struct{ w resetter }

func (s *stream) compress(dst, src []byte) ([]byte, error) {
	out := bytes.NewBuffer(dst)
	s.w.Reset(out)
	if _, err := s.w.Write(src); err != nil {
		return nil, err
	}
	if err := s.w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// snappyBlock is a raw snappy block and the big-endian CRC-32 of its content.
type snappyBlock struct{}

func (snappyBlock) compress(dst, src []byte) ([]byte, error) {
	size := snappy.MaxEncodedLen(len(src))
	if size < 0 {
		return nil, errors.New("snappy cannot take that much at once")
	}
	start := len(dst)
	dst = slices.Grow(dst, size)
	packed := snappy.Encode(dst[start:cap(dst)], src)
	return binary.BigEndian.AppendUint32(dst[:start+len(packed)], crc32.ChecksumIEEE(src)), nil
}

// xzBlock makes its writer for each block: the library's cannot be used again.
type xzBlock struct{}

// xzDictionary is the dictionary of xz's level 6.
const xzDictionary = 8 << 20

func (xzBlock) compress(dst, src []byte) ([]byte, error) {
	out := bytes.NewBuffer(dst)
	// A dictionary larger than the block costs memory for nothing.
	config := xz.WriterConfig{DictCap: min(xzDictionary, max(len(src), 4<<10))}
	w, err := config.NewWriter(out)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(src); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

type zstdBlock struct{ e *zstd.Encoder }

func (z zstdBlock) compress(dst, src []byte) ([]byte, error) { return z.e.EncodeAll(src, dst), nil }

// zstdWindow is the smallest power of two that covers a block, within what
// readers accept; a wider window costs each open file memory for nothing.
func zstdWindow(interval int) int {
	window := 64 << 10
	for window < interval && window < 4<<20 {
		window *= 2
	}
	return window
}
