package event

import (
	"math/bits"
	"sync"
	"unsafe"
)

// Blocks of these sizes (powers of two from 4 KiB to 1 MiB) are pooled. Smaller
// and larger ones are left to the garbage collector: small ones because a
// compacted batch should hold no more than it needs, large ones because a single
// 100 MiB event must not stay in memory for ever.
const (
	minPooled = 4 << 10
	maxPooled = 1 << 20
)

var blockPools [9]sync.Pool // index i holds blocks of minPooled<<i bytes

// newBlock returns a block of at least n bytes. Its content is arbitrary.
func newBlock(n int) []byte {
	if n < minPooled || n > maxPooled || poison {
		return make([]byte, n)
	}
	class := bits.Len(uint(n-1)) - bits.Len(minPooled-1)
	if p, _ := blockPools[class].Get().(*byte); p != nil {
		return unsafe.Slice(p, minPooled<<class)
	}
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
	// A *byte in the pool: a slice would be boxed, one allocation per Put.
	blockPools[bits.Len(uint(n))-bits.Len(uint(minPooled))].Put(unsafe.SliceData(b))
}

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

// alloc returns n bytes for the caller to fill. Small requests share blocks.
func (a *arena) alloc(n int) []byte {
	var buf []byte
	if last := len(a.blocks) - 1; last >= 0 && len(a.blocks[last])-1-a.used >= n {
		buf = a.blocks[last][a.used:]
	} else {
		buf = a.reserve(max(n, minPooled-1))
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
