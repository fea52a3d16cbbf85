package taildir

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// packing is the way in which a file is compressed.
type packing int

const (
	plain packing = iota
	gzipped
	zstandard
)

// Limits of what a packed file may ask for.
const (
	maxWindow  = 128 << 20 // of zstd; what the tool itself allows without being asked
	packedBack = 1 << 20   // bytes that can be read again without beginning anew
)

// What packed files begin with.
const (
	gzipMagic = "\x1f\x8b\x08"
	zstdMagic = "\x28\xb5\x2f\xfd"
)

// packingOf recognises a packed file by its first bytes.
func packingOf(head []byte) packing {
	switch {
	case bytes.HasPrefix(head, []byte(gzipMagic)):
		return gzipped
	case bytes.HasPrefix(head, []byte(zstdMagic)):
		return zstandard
	default:
		return plain
	}
}

// beginsMagic reports whether head, which is all that there is of a file, may become
// the beginning of a packed one.
func beginsMagic(head []byte) bool {
	return len(head) > 0 && (len(head) < len(gzipMagic) && strings.HasPrefix(gzipMagic, string(head)) ||
		len(head) < len(zstdMagic) && strings.HasPrefix(zstdMagic, string(head)))
}

// unpacker reads what is packed in a file. Reading forward is cheap; reading what
// lies further back than a block begins anew. Not safe for concurrent use.
type unpacker struct {
	file   *os.File
	pack   packing
	stream io.Reader
	shut   func()

	window []byte // what was unpacked last
	end    int64  // offset of the window's end
	err    error  // why there is no more
}

func newUnpacker(f *os.File, p packing) *unpacker { return &unpacker{file: f, pack: p} }

// rewind begins at the first byte.
func (u *unpacker) rewind() error {
	u.close()
	in := io.NewSectionReader(u.file, 0, 1<<62)
	switch u.pack {
	case gzipped:
		r, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("unpacking: %w", err)
		}
		u.stream, u.shut = r, func() {}
	default:
		r, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return fmt.Errorf("unpacking: %w", err)
		}
		u.stream, u.shut = r, r.Close
	}
	return nil
}

// ReadAt implements content. It returns io.EOF at the end of what is packed.
func (u *unpacker) ReadAt(p []byte, off int64) (int, error) {
	if u.stream == nil || off < u.end-int64(len(u.window)) {
		if err := u.rewind(); err != nil {
			return 0, err
		}
	}
	for u.end < off+int64(len(p)) && u.err == nil {
		u.fill(off)
	}
	start := u.end - int64(len(u.window))
	if off >= u.end {
		return 0, u.err
	}
	n := copy(p, u.window[off-start:])
	if n < len(p) {
		return n, u.err
	}
	return n, nil
}

// fill unpacks some more. Of what lies before keep, packedBack bytes are kept.
func (u *unpacker) fill(keep int64) {
	const step = 64 << 10
	start := u.end - int64(len(u.window))
	if drop := min(keep, u.end) - start - packedBack; drop > packedBack {
		u.window = u.window[:copy(u.window, u.window[drop:])]
	}
	n := len(u.window)
	u.window = append(u.window, make([]byte, step)...)
	got, err := u.stream.Read(u.window[n:])
	u.window = u.window[:n+got]
	u.end += int64(got)
	switch {
	case isEOF(err):
		u.err = io.EOF
	case err != nil:
		u.err = fmt.Errorf("unpacking at byte %d: %w", u.end, err)
	}
}

// size returns the length of what is packed, modulo 1<<32 for gzip, as the file
// itself says; ok is false if it does not say.
func (u *unpacker) size(packed int64) (n int64, ok bool) {
	switch u.pack {
	case gzipped:
		var footer [4]byte
		if _, err := u.file.ReadAt(footer[:], packed-4); err != nil {
			return 0, false
		}
		return int64(binary.LittleEndian.Uint32(footer[:])), true
	default:
		buf := make([]byte, zstd.HeaderMaxSize)
		k, _ := u.file.ReadAt(buf, 0)
		var h zstd.Header
		if h.Decode(buf[:k]) != nil || !h.HasFCS {
			return 0, false
		}
		return int64(h.FrameContentSize), true
	}
}

// saysLength reports whether the packed file itself says that so much is in it.
func (u *unpacker) saysLength(packed, n int64) bool {
	size, ok := u.size(packed)
	if u.pack == gzipped {
		n &= 1<<32 - 1
	}
	return ok && size == n
}

// close gives up the memory; the file stays open.
func (u *unpacker) close() {
	if u.shut != nil {
		u.shut()
	}
	u.stream, u.shut, u.window, u.end, u.err = nil, nil, nil, 0, nil
}

// isEOF reports whether err is the end of a file.
func isEOF(err error) bool { return errors.Is(err, io.EOF) }
