package queue

import (
	"github.com/flume-go/flume/event"
)

// SlotSize is the unit of byte accounting, as in Flume: the body of each event
// takes up whole slots, an empty one too.
const SlotSize = 100

// usage is space needed or taken.
type usage struct {
	events int
	slots  int64
	bytes  int64
}

func (u *usage) add(v usage) {
	u.events += v.events
	u.slots += v.slots
	u.bytes += v.bytes
}

func (u *usage) sub(v usage) {
	u.events -= v.events
	u.slots -= v.slots
	u.bytes -= v.bytes
}

// measure returns the space that events need.
func measure(events []event.Event) usage {
	u := usage{events: len(events)}
	for i := range events {
		n := int64(len(events[i].Body))
		u.bytes += n
		u.slots += (max(n, 1) + SlotSize - 1) / SlotSize
	}
	return u
}

// segment is events [from, to) of a batch. It owns one reference of the batch.
type segment struct {
	batch    *event.Batch
	from, to int
	seq      uint64 // number of the first event
	at       int64  // when it was put, Unix time in nanoseconds
	size     usage
}

// split cuts the first n events off s, which keeps the rest. n is less than what
// s has.
func (s *segment) split(n int) segment {
	head := *s
	head.batch.Retain()
	head.to = s.from + n
	head.size = measure(s.batch.Events()[head.from:head.to])
	s.from = head.to
	s.seq += uint64(n)
	s.size.sub(head.size)
	return head
}

// ring is a first-in-first-out buffer of segments.
type ring struct {
	buf  []segment // length 0 or a power of two
	head int
	n    int
}

// ringKept is the longest buffer that an empty ring keeps.
const ringKept = 1024

func (r *ring) push(s segment) {
	if r.n == len(r.buf) {
		r.grow()
	}
	r.buf[(r.head+r.n)&(len(r.buf)-1)] = s
	r.n++
}

func (r *ring) grow() {
	buf := make([]segment, max(16, 2*len(r.buf)))
	n := copy(buf, r.buf[r.head:])
	copy(buf[n:], r.buf[:r.head])
	r.buf, r.head = buf, 0
}

// front returns the oldest segment in place, nil if there is none. It is valid
// until the next push or pop.
func (r *ring) front() *segment {
	if r.n == 0 {
		return nil
	}
	return &r.buf[r.head]
}

// pop removes the oldest segment, which must exist.
func (r *ring) pop() segment {
	s := r.buf[r.head]
	r.buf[r.head] = segment{} // hold no batch that is gone
	r.head = (r.head + 1) & (len(r.buf) - 1)
	r.n--
	if r.n == 0 && len(r.buf) > ringKept {
		*r = ring{} // the memory of a backlog goes with the backlog
	}
	return s
}
