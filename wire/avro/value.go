package avro

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// requestError says that the payload of a frame is not what it should be. The
// frames behind it can still be understood.
type requestError struct{ text string }

func (e *requestError) Error() string { return e.text }

func malformed(format string, args ...any) error {
	return &requestError{fmt.Sprintf(format, args...)}
}

// errShort says that a payload ends within a value.
var errShort error = &requestError{"the message ends within a value"}

// varint reads a zigzag varint from p and returns how many bytes it has: 0 if p
// ends within it, -1 if it has too many.
func varint(p []byte) (v int64, n int) {
	if len(p) > 0 && p[0] < 0x80 {
		return int64(p[0]>>1) ^ -int64(p[0]&1), 1
	}
	var u uint64
	for i, b := range p {
		if i == 9 && b > 1 {
			return 0, -1
		}
		u |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			return int64(u>>1) ^ -int64(u&1), i + 1
		}
	}
	return 0, 0
}

// long reads an int or long.
func (in *input) long() (int64, error) {
	n, err := in.window()
	if err != nil {
		return 0, err
	}
	if v, size := varint(in.slab[in.r : in.r+n]); size > 0 {
		in.advance(size)
		return v, nil
	}
	return in.longSlow()
}

// longSlow reads one that the window does not have as a whole.
func (in *input) longSlow() (int64, error) {
	var buf [10]byte
	for i := range buf {
		if err := in.full(buf[i : i+1]); err != nil {
			return 0, err
		}
		if buf[i] >= 0x80 {
			continue
		}
		v, size := varint(buf[:i+1])
		if size <= 0 {
			break
		}
		return v, nil
	}
	return 0, malformed("a number of more than 64 bits")
}

// full fills p from the payload.
func (in *input) full(p []byte) error {
	for len(p) > 0 {
		n, err := in.window()
		if err != nil {
			return err
		}
		if n == 0 {
			return errShort
		}
		n = copy(p, in.slab[in.r:in.r+n])
		in.advance(n)
		p = p[n:]
	}
	return nil
}

// length reads the length of a string or of bytes.
func (in *input) length(what string, most int) (int, error) {
	n, err := in.long()
	switch {
	case err != nil:
		return 0, err
	case n < 0:
		return 0, malformed("%s of %d bytes", what, n)
	case n > int64(most):
		return 0, malformed("%s of %d bytes, %d are allowed", what, n, most)
	}
	return int(n), nil
}

// bytes reads at most `most` bytes, which are new memory, taken as they arrive.
func (in *input) bytes(what string, most int) ([]byte, error) {
	n, err := in.length(what, most)
	if err != nil {
		return nil, err
	}
	return in.grow(n, nil)
}

// grow reads n bytes into new memory, which it takes as they arrive: at first as
// much as a slab, then twice that, and so on. Each step is charged.
func (in *input) grow(n int, charge func(int) error) ([]byte, error) {
	p := make([]byte, 0, min(n, believed))
	for len(p) < n {
		if len(p) == cap(p) {
			bigger := make([]byte, len(p), min(n, 2*len(p)))
			copy(bigger, p)
			p = bigger
		}
		from := len(p)
		if charge != nil {
			if err := charge(cap(p) - from); err != nil {
				return nil, err
			}
		}
		p = p[:cap(p)]
		if err := in.full(p[from:]); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// skip passes over n bytes.
func (in *input) skip(n int) error {
	for n > 0 {
		some, err := in.window()
		if err != nil {
			return err
		}
		if some == 0 {
			return errShort
		}
		some = min(some, n)
		in.advance(some)
		n -= some
	}
	return nil
}

// index reads the index of a union's branch or an enum's symbol, below n.
func (in *input) index(what string, n int64) (int, error) {
	v, err := in.long()
	if err == nil && (v < 0 || v >= n) {
		err = malformed("%s has the index %d", what, v)
	}
	return int(v), err
}

// block reads the head of a map's or array's block: the number of items in it, 0 at
// the end.
func (in *input) block() (int64, error) {
	n, err := in.long()
	if err != nil || n >= 0 {
		return n, err
	}
	if n == math.MinInt64 {
		return 0, malformed("a block of %d items", n)
	}
	_, err = in.long() // its size in bytes, for those who pass over it
	return -n, err
}

// Limits of metadata: there is little of it, if any.
const (
	maxMeta     = 64      // entries
	maxMetaKey  = 1 << 10 // bytes
	maxMetaSize = 64 << 10
)

// meta reads a map of bytes and returns its entries.
func (in *input) meta() (Meta, error) {
	var m Meta
	size := 0
	for {
		count, err := in.block()
		if err != nil || count == 0 {
			return m, err
		}
		for range count {
			if len(m) == maxMeta {
				return nil, malformed("metadata of more than %d entries", maxMeta)
			}
			key, err := in.bytes("a key of metadata", maxMetaKey)
			if err != nil {
				return nil, err
			}
			value, err := in.bytes("metadata", maxMetaSize-size)
			if err != nil {
				return nil, err
			}
			size += len(value)
			m = append(m, MetaEntry{string(key), value})
		}
	}
}

// isRequestError reports whether err leaves the frames behind readable.
func isRequestError(err error) bool {
	var r *requestError
	return errors.As(err, &r)
}

// appendLong appends an int or long.
func appendLong(p []byte, v int64) []byte {
	u := uint64(v)<<1 ^ uint64(v>>63)
	for u >= 0x80 {
		p = append(p, byte(u)|0x80)
		u >>= 7
	}
	return append(p, byte(u))
}

// appendString appends a string or bytes.
func appendString[T string | []byte](p []byte, s T) []byte {
	return append(appendLong(p, int64(len(s))), s...)
}

// sizeOfLong returns how many bytes appendLong appends for v, which is not negative:
// one has six bits, each further one seven.
func sizeOfLong(v int) int { return 1 + (bits.Len(uint(v)>>6)+6)/7 }
