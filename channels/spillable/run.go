package spillable

import (
	"github.com/flume-go/flume/event"
)

// place is where events are.
type place uint8

const (
	inMemory place = iota
	onDisk
	carried // in the log of what was in memory at a stop
)

// usage is memory needed or taken.
type usage struct {
	events int
	slots  int64 // of bodies, in units of avgEventSize
	bytes  int64 // of bodies
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

// measure returns the memory that events take up in slots of this size.
func measure(events []event.Event, slot int64) usage {
	u := usage{events: len(events)}
	for i := range events {
		n := int64(len(events[i].Body))
		u.bytes += n
		u.slots += (max(n, 1) + slot - 1) / slot
	}
	return u
}

// run is events that follow one another in one place. In memory they are events of one batch; elsewhere they are the next ones
// of that place.
type run struct {
	place  place
	events int    // that are there and not taken
	seq    uint64 // number of the first event, once it was taken

	// size is what the run takes up of the memory's capacity: nothing on disk. What was carried over a stop has its places, though
	// not its bytes, until it is delivered; a channel that is never drained would grow with every stop.
	size usage

	// in memory
	batch *event.Batch // the run owns one reference
	from  int          // of the first event in batch
	at    int64        // when it was put, Unix time in nanoseconds

	// on disk
	pending int           // puts into this run that have not returned
	turn    chan struct{} // closed when they may be written; nil: at once
}

// split cuts the first n events off r, which keeps the rest. n is less than what r has.
func (r *run) split(n int, slot int64) *run {
	head := &run{place: r.place, events: n, seq: r.seq, at: r.at}
	switch r.place {
	case inMemory:
		head.batch, head.from = r.batch.Retain(), r.from
		head.size = measure(r.batch.Events()[r.from:r.from+n], slot)
		r.from += n
	case carried:
		head.size.events = n
	}
	r.size.sub(head.size)
	r.events -= n
	r.seq += uint64(n)
	return head
}

// elsewhere returns a run of n events that are not in memory.
func elsewhere(p place, n int) *run {
	r := &run{place: p, events: n}
	if p == carried {
		r.size.events = n
	}
	return r
}

// release lets go of the batch of a run in memory.
func (r *run) release() {
	if r.batch != nil {
		r.batch.Release()
		r.batch = nil
	}
}

// runs is a first-in-first-out list.
type runs struct {
	all  []*run
	head int // all before are gone
}

// runsKept is the longest list whose memory is kept when it has become empty.
const runsKept = 1024

func (q *runs) push(r *run) { q.all = append(q.all, r) }

// first returns the oldest run, nil if there is none.
func (q *runs) first() *run {
	if q.head == len(q.all) {
		return nil
	}
	return q.all[q.head]
}

// last returns the newest run, nil if there is none.
func (q *runs) last() *run {
	if q.head == len(q.all) {
		return nil
	}
	return q.all[len(q.all)-1]
}

// rest returns what is in the list, oldest first. Valid until the next change.
func (q *runs) rest() []*run { return q.all[q.head:] }

// pop removes the oldest run, which must exist.
func (q *runs) pop() {
	q.all[q.head] = nil
	q.head++
	switch n := len(q.all); {
	case q.head < n && q.head*2 < n:
	case q.head == n && cap(q.all) > runsKept:
		*q = runs{} // the memory of a backlog goes with the backlog
	case q.head == n || q.head >= runsKept:
		// What was popped is at least as long as what is moved: nothing is moved more than once on average.
		left := copy(q.all, q.all[q.head:])
		clear(q.all[left:])
		q.all, q.head = q.all[:left], 0
	}
}
