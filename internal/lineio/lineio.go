// Package lineio helps sources that read lines in large blocks: straight into
// the memory of a batch, with one copy for the line that a block cuts in two.
package lineio

import "github.com/flume-go/flume/event"

// Rest is the unfinished last line of a stream. Between batches it lives in
// memory of its own, so that a line whose end is long in coming does not keep a
// whole block. The zero value is an empty rest. Not safe for concurrent use.
//
// One round is
//
//	space := rest.Reserve(batch, size)   // read into space …
//	data := rest.Commit(batch, n)        // … n bytes
//	if rest.Len() > 0 {
//		line := rest.Join(batch, data[:end])
//	}
//	…
//	rest.Append(data) // what follows the last separator
type Rest struct {
	buf   []byte
	gap   int    // room left for buf in front of the block being read, or 0
	block []byte // the committed block, gap included; valid until Join
}

// keepRest is the most memory that an empty rest holds on to.
const keepRest = 1 << 10

// Len returns the length of the rest.
func (r *Rest) Len() int { return len(r.buf) }

// Bytes returns the rest, valid until the next call of Append, Join or Reset.
func (r *Rest) Bytes() []byte { return r.buf }

// Reserve returns memory of b to read into. size is that of the whole block,
// best a power of two, for which arenas are made. Unless the rest is a large
// part of it there is room for the rest in front, so that the joined line and
// those that follow are one run of memory.
func (r *Rest) Reserve(b *event.Batch, size int) []byte {
	r.gap = 0
	if len(r.buf) <= size/4 {
		r.gap = len(r.buf)
	}
	return b.Reserve(size - 1)[r.gap:]
}

// Commit says that n bytes were read into the memory from Reserve, and returns
// them.
func (r *Rest) Commit(b *event.Batch, n int) []byte {
	r.block = b.Commit(r.gap + n)
	return r.block[r.gap:]
}

// Join returns the rest with end behind it, in memory of b, and makes the rest
// empty. end is the beginning of what Commit returned. The rest is copied once.
func (r *Rest) Join(b *event.Batch, end []byte) []byte {
	n := len(r.buf) + len(end)
	var line []byte
	if r.gap == len(r.buf) {
		copy(r.block, r.buf)
		line = r.block[:n:n]
	} else {
		space := b.Reserve(n)
		copy(space, r.buf)
		copy(space[len(r.buf):], end)
		line = b.Commit(n)
	}
	r.Reset()
	return line
}

// Append adds data to the rest.
func (r *Rest) Append(data []byte) {
	r.buf = append(r.buf, data...)
	r.block = nil
}

// Drop removes the first n bytes of the rest.
func (r *Rest) Drop(n int) {
	r.buf = r.buf[:copy(r.buf, r.buf[n:])]
}

// Reset makes the rest empty.
func (r *Rest) Reset() {
	if cap(r.buf) > keepRest {
		r.buf = nil
	}
	r.buf, r.gap, r.block = r.buf[:0], 0, nil
}

// BlockSize finds the size of the blocks for one stream: small for one that
// trickles, large for a flood. The zero value begins small.
type BlockSize struct {
	// Most is what a flood gets, a power of two; 0 for 256 KiB. It may change
	// between blocks: see Share.
	Most int

	size int
}

const (
	minBlock   = 8 << 10
	usualBlock = 256 << 10
	// largeBlock is the largest that batches reuse.
	largeBlock = 1 << 20
	// together is the memory that the large blocks of all streams may take.
	together = 32 << 20
	// shortLine is the mean length from which on large blocks are worth it: with
	// lines of 40 bytes they took 6 to 11 % off the events per second.
	shortLine = 128
)

// Share returns what BlockSize.Most should be for one of several streams whose
// last block of n bytes had this number of lines. Few streams get large blocks:
// where each block is made durable before the next is read, there are fewer
// waits for the disk then. Many get no more than ever.
func Share(streams, n, lines int) int {
	most := largeBlock
	if lines*shortLine > n {
		most = usualBlock
	}
	for most > usualBlock && most*streams > together {
		most /= 2
	}
	return most
}

func (s *BlockSize) most() int {
	if s.Most == 0 {
		return usualBlock
	}
	return s.Most
}

// Next returns the size for the next block, a power of two.
func (s *BlockSize) Next() int { return min(max(s.size, minBlock), s.most()) }

// Observe takes note that n bytes of a block of space bytes were filled.
func (s *BlockSize) Observe(n, space int) {
	switch {
	case n >= space:
		s.size = min(2*s.Next(), s.most())
	case n < s.Next()/4:
		s.size = s.Next() / 2
	}
}
