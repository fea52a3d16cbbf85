package javachannel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/golang/snappy"
)

// snappyMagic begins a stream of the library snappy-java, which is a format of its own: after it come two
// version numbers and then blocks, each preceded by its compressed length.
const snappyMagic = "\x82SNAPPY\x00"

const (
	snappyVersion = 1
	// maxSnappyBlock bounds a block in clear. The library makes blocks of 32 KiB.
	maxSnappyBlock = 4 << 20
)

var errSnappy = errors.New("malformed snappy-java stream")

// snappyReader reads a stream in clear.
type snappyReader struct {
	src    io.Reader
	begun  bool
	packed []byte
	clear  []byte
	rest   []byte // of clear
}

// Read implements io.Reader.
func (r *snappyReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 && len(p) > 0 {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *snappyReader) fill() error {
	if !r.begun {
		if err := r.begin(); err != nil {
			return err
		}
	}
	var head [4]byte
	if _, err := io.ReadFull(r.src, head[:]); err != nil {
		return truncated(err, true)
	}
	n := int(int32(binary.BigEndian.Uint32(head[:])))
	if n <= 0 || n > snappy.MaxEncodedLen(maxSnappyBlock) {
		return fmt.Errorf("%w: block of %d bytes", errSnappy, n)
	}
	if cap(r.packed) < n {
		r.packed = make([]byte, n)
	}
	r.packed = r.packed[:n]
	if _, err := io.ReadFull(r.src, r.packed); err != nil {
		return truncated(err, false)
	}
	size, err := snappy.DecodedLen(r.packed)
	if err != nil || size > maxSnappyBlock {
		return fmt.Errorf("%w: block of %d bytes in clear", errSnappy, size)
	}
	if r.clear, err = snappy.Decode(r.clear[:cap(r.clear)], r.packed); err != nil {
		return fmt.Errorf("%w: %w", errSnappy, err)
	}
	r.rest = r.clear
	return nil
}

func (r *snappyReader) begin() error {
	var head [len(snappyMagic) + 8]byte
	if _, err := io.ReadFull(r.src, head[:]); err != nil {
		return truncated(err, false)
	}
	oldest := int32(binary.BigEndian.Uint32(head[len(snappyMagic)+4:]))
	if string(head[:len(snappyMagic)]) != snappyMagic || oldest > snappyVersion {
		return fmt.Errorf("%w: it begins with %x", errSnappy, head)
	}
	r.begun = true
	return nil
}

// truncated turns the end of the source into an error, except where it may be.
func truncated(err error, between bool) error {
	if between && errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it is cut short", errSnappy)
	}
	return err
}
