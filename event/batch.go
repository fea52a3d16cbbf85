package event

import (
	"sync"
	"sync/atomic"
	"unsafe"
)

// Batch is a counted group of events with the memory they live in. NewBatch gives
// the caller the first reference. Methods that change a batch are for one
// goroutine at a time and only before the selector (rule 2 of the package);
// readers, Retain and Release are safe for concurrent use.
type Batch struct {
	refs   atomic.Int32
	events []Event
	store  []Event // the backing of events that this batch owns and reuses
	shared bool    // events is another batch's slice: copy before changing it
	sealed bool    // the interceptors are through: read-only from here on

	origin    Origin
	hasOrigin bool

	mem     arena
	headers []Header // current slab of headers, len = used; kept for reuse
	room    int      // headers that an event of this batch has had to get room for, up to maxRoom

	// deps are the batches in whose memory (some of) the events live.
	deps []*Batch
}

var batchPool = sync.Pool{New: func() any { return new(Batch) }}

const (
	headerSlab   = 256 // headers in a batch's first slab; each further one doubles
	keepHeaders  = 32768
	headerRoom   = 4     // room left for interceptors when an event gets its first header
	maxRoom      = 16    // room that an event gets at once because one before it needed it
	keepEvents   = 32768 // an events slice longer than this is not kept for reuse
	sparseFactor = 4     // a batch pinning more than this times its content is sparse
	sparseFloor  = 8 << 10
	eventSize    = int(unsafe.Sizeof(Event{}))
)

// NewBatch returns an empty batch with one reference, the caller's.
func NewBatch() *Batch {
	b, _ := batchPool.Get().(*Batch)
	b.refs.Store(1)
	return b
}

// Len returns the number of events.
func (b *Batch) Len() int { return len(b.events) }

// Events returns the events in order. Read-only once the selector has seen the
// batch; the slice itself must never be appended to.
func (b *Batch) Events() []Event { return b.events }

// At returns event i.
func (b *Batch) At(i int) *Event { return &b.events[i] }

// Bytes returns the sum of the lengths of the bodies.
func (b *Batch) Bytes() int {
	n := 0
	for i := range b.events {
		n += len(b.events[i].Body)
	}
	return n
}

// Retain adds a reference: the batch and its memory stay until it is released.
func (b *Batch) Retain() *Batch {
	if b.refs.Add(1) <= 1 {
		panic("event: Retain of a released batch")
	}
	return b
}

// Release gives up one reference. With the last one the memory is recycled and
// everything taken from the batch is dead.
func (b *Batch) Release() {
	switch n := b.refs.Add(-1); {
	case n > 0:
		return
	case n < 0:
		panic("event: Release of a released batch")
	}
	b.mem.free()
	for i, d := range b.deps {
		d.Release()
		b.deps[i] = nil
	}
	b.deps = b.deps[:0]
	// Stale events and headers would keep other memory alive.
	clear(b.store)
	clear(b.headers)
	b.events, b.shared, b.sealed, b.hasOrigin, b.room = nil, false, false, false, 0
	if poison {
		return // never reused: a second Release of it is then always caught
	}
	if cap(b.store) > keepEvents {
		b.store = nil
	}
	if cap(b.headers) > keepHeaders {
		b.headers = nil
	}
	b.store, b.headers = b.store[:0], b.headers[:0]
	batchPool.Put(b)
}

// Seal makes the batch read-only for good: the interceptors are through with it.
// Builds that poison memory panic when a sealed batch is changed.
func (b *Batch) Seal() { b.sealed = true }

// Sealed reports whether Seal was called: the batch has been emitted before.
func (b *Batch) Sealed() bool { return b.sealed }

func (b *Batch) mustBeOpen() {
	if poison && b.sealed {
		panic("event: a batch was changed after it was sealed")
	}
}

// Reserve returns free memory of the batch's arena, at least n bytes, for a
// reader to fill; Commit then keeps the first part of it. Only the latest
// Reserve is valid, and any other method that takes memory ends it.
func (b *Batch) Reserve(n int) []byte { return b.mem.reserve(n) }

// Commit keeps the first n bytes of the latest Reserve and returns them.
func (b *Batch) Commit(n int) []byte {
	last := b.mem.blocks[len(b.mem.blocks)-1]
	start := b.mem.used
	b.mem.used += n
	return last[start : start+n : start+n]
}

// Alloc returns n bytes of the batch's arena, uninitialised, for the caller to fill.
func (b *Batch) Alloc(n int) []byte { return b.mem.alloc(n) }

// Copy puts p into the arena and returns the copy.
func (b *Batch) Copy(p []byte) []byte {
	c := b.mem.alloc(len(p))
	copy(c, p)
	return c
}

// String puts p into the arena and returns it as a string, for header values.
func (b *Batch) String(p []byte) string {
	if len(p) == 0 {
		return ""
	}
	c := b.Copy(p)
	return unsafe.String(unsafe.SliceData(c), len(c))
}

// Append adds an event with this body and no headers. The body is not copied: it
// must be memory of this batch (Commit, Alloc, Copy) or memory that nobody
// changes (a constant).
func (b *Batch) Append(body []byte) *Event {
	return b.add(body[:len(body):len(body)])
}

// AppendCopy adds an event with a copy of body and no headers.
func (b *Batch) AppendCopy(body []byte) *Event { return b.add(b.Copy(body)) }

// AppendLine adds an event whose body is line[:len(line)-1], where line is
// memory of this batch obtained from Commit and its last byte is the separator.
// The separator stays behind the body, so that a sink that wants the same one
// can write whole runs of events as one piece; see Span.
func (b *Batch) AppendLine(line []byte) *Event {
	n := len(line) - 1
	return b.add(line[: n : n+1])
}

func (b *Batch) add(body []byte) *Event {
	b.mustBeOpen()
	b.own()
	if b.events == nil {
		b.events = b.store[:0]
	}
	b.events = append(b.events, Event{Body: body})
	b.store = b.events
	return &b.events[len(b.events)-1]
}

// own makes sure that the events slice is this batch's before it is changed.
func (b *Batch) own() {
	if b.shared {
		b.store = append(b.store[:0], b.events...)
		b.events, b.shared = b.store, false
	}
}

// AppendEvent adds a copy of e, headers and body; as it is another event it has no Number.
func (b *Batch) AppendEvent(e *Event) *Event {
	n := b.AppendCopy(e.Body)
	b.copyHeaders(n, e.Headers)
	return n
}

func (b *Batch) copyHeaders(to *Event, hs []Header) {
	if len(hs) == 0 {
		return
	}
	to.Headers = b.allocHeaders(len(hs), len(hs))
	for i, h := range hs {
		to.Headers[i] = Header{b.cloneString(h.Key), b.cloneString(h.Value)}
	}
}

func (b *Batch) cloneString(s string) string {
	return b.String(unsafe.Slice(unsafe.StringData(s), len(s)))
}

func (b *Batch) allocHeaders(n, room int) []Header {
	if cap(b.headers)-len(b.headers) < room {
		b.headers = make([]Header, 0, max(headerSlab, 2*cap(b.headers), room))
	}
	start := len(b.headers)
	b.headers = b.headers[:start+room]
	return b.headers[start : start+n : start+room]
}

// SetHeader sets a header of e, an event of this batch, replacing one of the same
// key. Key and value are not copied: they must be memory of this batch (String)
// or live on by themselves.
func (b *Batch) SetHeader(e *Event, key, value string) {
	b.mustBeOpen()
	for i := range e.Headers {
		if e.Headers[i].Key == key {
			e.Headers[i].Value = value
			return
		}
	}
	n := len(e.Headers)
	if n == cap(e.Headers) {
		if n > 0 {
			b.room = min(max(b.room, n+headerRoom), maxRoom)
		}
		grown := b.allocHeaders(n, max(n+headerRoom, b.room))
		copy(grown, e.Headers)
		e.Headers = grown
	}
	e.Headers = e.Headers[:n+1]
	e.Headers[n] = Header{key, value}
}

// RepeatHeaders gives e, an event of this batch that has no headers yet, those of another one of it.
func (b *Batch) RepeatHeaders(e *Event, headers []Header) {
	b.mustBeOpen()
	if len(headers) > 0 {
		e.Headers = b.allocHeaders(len(headers), max(len(headers), headerRoom, b.room))
		copy(e.Headers, headers)
	}
}

// SetBody replaces the body of e, an event of this batch, by body, which is not
// copied: it must be memory of this batch or memory that nobody changes.
func (b *Batch) SetBody(e *Event, body []byte) {
	b.mustBeOpen()
	e.Body = body[:len(body):len(body)]
}

// Filter keeps the events that keep accepts, in order.
func (b *Batch) Filter(keep func(*Event) bool) {
	b.mustBeOpen()
	b.own()
	n := 0
	for i := range b.events {
		if keep(&b.events[i]) {
			if n != i {
				b.events[n] = b.events[i]
			}
			n++
		}
	}
	clear(b.events[n:])
	b.events = b.events[:n]
	b.store = b.events
}

// View returns a batch of events [from, to) of b that shares b's memory and holds
// a reference on it. b must be read-only from here on.
func (b *Batch) View(from, to int) *Batch {
	v := NewBatch()
	v.events, v.shared = b.events[from:to:to], true
	v.origin, v.hasOrigin = b.origin, b.hasOrigin
	v.deps = append(v.deps, b.Retain())
	return v
}

// AppendShared adds events [from, to) of src, which stay in src's memory: b holds
// a reference on it. src must be read-only from here on.
func (b *Batch) AppendShared(src *Batch, from, to int) {
	b.own()
	b.inherit(src)
	if b.events == nil {
		b.events = b.store[:0]
	}
	b.events = append(b.events, src.events[from:to]...)
	b.store = b.events
	if n := len(b.deps); n == 0 || b.deps[n-1] != src {
		b.deps = append(b.deps, src.Retain())
	}
}

// Sparse reports whether the batch pins much more memory than its events need, as
// when one short line sits in a block read from a socket. Whoever is about to
// keep a sparse batch for long keeps its Compact copy instead. Asked of the batch
// that owns the memory, before it is cut into views.
func (b *Batch) Sparse() bool {
	if b.mem.total <= sparseFloor {
		return false
	}
	need := len(b.events) * eventSize
	for i := range b.events {
		need += len(b.events[i].Body)
		if need*sparseFactor >= b.mem.total {
			return false
		}
	}
	for i := range b.events {
		for _, h := range b.events[i].Headers {
			need += len(h.Key) + len(h.Value)
		}
	}
	return need*sparseFactor < b.mem.total
}

// Compact returns a copy of b in memory of just the size needed, with one
// reference, the caller's. b is unchanged.
func (b *Batch) Compact() *Batch {
	size := 1 // the byte that an arena never hands out
	for i := range b.events {
		size += len(b.events[i].Body)
		for _, h := range b.events[i].Headers {
			size += len(h.Key) + len(h.Value)
		}
	}
	c := NewBatch()
	c.mem.reserve(size)
	for i := range b.events {
		c.AppendEvent(&b.events[i]).Number = b.events[i].Number
	}
	c.origin, c.hasOrigin = b.origin, b.hasOrigin
	return c
}

// Span returns the bytes of the longest run of events, from event i on, whose
// bodies stand one behind the other in memory with sep behind each, and the
// number of events in it. Bodies appended by AppendLine qualify. n is 0 when
// event i has no such separator behind it.
//
// A sink that separates events by sep writes the span as it is: no copy, one
// call for hundreds of events.
func (b *Batch) Span(i int, sep byte) (span []byte, n int) {
	first := b.events[i].Body
	end := first
	total := 0
	for ; i < len(b.events); i++ {
		body := b.events[i].Body
		l := len(body)
		if cap(body) == l || body[: l+1 : l+1][l] != sep {
			break
		}
		// Touching slices are in one block: see arena.
		if n > 0 && unsafe.SliceData(body) != (*byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(end)), len(end)+1)) {
			break
		}
		end = body
		total += l + 1
		n++
	}
	if n == 0 {
		return nil, 0
	}
	return unsafe.Slice(unsafe.SliceData(first), total), n
}
