package event

import (
	"math/bits"
	"sync"

	"github.com/flume-go/flume/internal/invariants"
)

// Blocks of these sizes (powers of two from 4 KiB to 1 MiB) are kept for reuse.
// Smaller and larger ones are left to the garbage collector: small ones because
// a compacted batch should hold no more than it needs, large ones because a
// single 100 MiB event must not stay in memory for ever.
const (
	minPooled  = 4 << 10
	maxPooled  = 1 << 20
	classes    = 9
	keptBlocks = 8 << 20 // bytes kept per size
)

// freeBlocks is the blocks of one size that wait for reuse, the last freed on
// top: its memory is most likely still in a cache. A sync.Pool would hand a
// block freed by a sink on one processor to a source on another last, and
// would lose all of them at every second garbage collection.
type freeBlocks struct {
	mu     sync.Mutex
	blocks [][]byte
}

var free [classes]freeBlocks // index i holds blocks of minPooled<<i bytes

// classOf returns the index in free for blocks of at least n bytes.
func classOf(n int) int { return bits.Len(uint(n-1)) - bits.Len(minPooled-1) }

// newBlock returns a block of at least n bytes. Its content is arbitrary.
func newBlock(n int) []byte {
	if n < minPooled || n > maxPooled || poison {
		return make([]byte, n)
	}
	class := classOf(n)
	f := &free[class]
	f.mu.Lock()
	if last := len(f.blocks) - 1; last >= 0 {
		b := f.blocks[last]
		f.blocks[last] = nil
		f.blocks = f.blocks[:last]
		f.mu.Unlock()
		return b
	}
	f.mu.Unlock()
	return make([]byte, minPooled<<class)
}

// freeBlock takes a block back. Poisoned builds never reuse one, so that a view
// kept by mistake shows 0xCC for ever instead of somebody else's event.
func freeBlock(b []byte) {
	if poison {
		for i := range b {
			b[i] = 0xCC
		}
		return
	}
	n := len(b)
	if n < minPooled || n > maxPooled || n&(n-1) != 0 {
		return
	}
	f := &free[classOf(n)]
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.blocks) < keptBlocks/n {
		f.blocks = append(f.blocks, b)
	}
}

// poison makes released memory unusable; see the package comment.
const poison = invariants.Enabled

// arena hands out memory from blocks. The last byte of a block is never handed
// out: two slices that touch are then sure to be in one block, which Span
// relies on.
type arena struct {
	blocks [][]byte
	used   int // bytes handed out of the last block
	total  int // bytes held in all blocks
}

// reserve returns the free part of the last block, at least n bytes of it.
func (a *arena) reserve(n int) []byte {
	if last := len(a.blocks) - 1; last >= 0 {
		if free := len(a.blocks[last]) - 1 - a.used; free >= n && free > 0 {
			return a.blocks[last][a.used : len(a.blocks[last])-1]
		}
	}
	b := newBlock(n + 1)
	a.blocks = append(a.blocks, b)
	a.used = 0
	a.total += len(b)
	return b[:len(b)-1]
}

// mostGrown is the largest block that is taken for small requests.
const mostGrown = 64 << 10

// alloc returns n bytes for the caller to fill. Small requests share blocks.
func (a *arena) alloc(n int) []byte {
	var buf []byte
	if last := len(a.blocks) - 1; last >= 0 && len(a.blocks[last])-1-a.used >= n {
		buf = a.blocks[last][a.used:]
	} else {
		// As much again as there is: few blocks, and not much of them unused.
		buf = a.reserve(max(n, min(max(a.total, minPooled), mostGrown)-1))
	}
	a.used += n
	return buf[:n:n]
}

func (a *arena) free() {
	for i, b := range a.blocks {
		freeBlock(b)
		a.blocks[i] = nil
	}
	a.blocks, a.used, a.total = a.blocks[:0], 0, 0
}
