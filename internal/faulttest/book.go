package faulttest

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"

	"github.com/flume-go/flume/event"
)

// state is what is known of an event.
type state uint8

const (
	issued  state = iota // its put has not returned
	failed               // its put has failed: it may be there after a restart
	stored               // its put has succeeded: it is there
	leaving              // its delivery is being acknowledged, or was: it may come again after a restart
	gone                 // acknowledged in a life that ended well
	never                // its put was called off before anything was written
)

// entry is one event.
type entry struct {
	state    state
	producer int
	batch    int  // number of the put
	held     bool // in an open delivery
	acked    bool // its acknowledgement has returned nil
	life     int  // in which it was put or, later, acknowledged
}

// book remembers all events of a history. Safe for concurrent use.
type book struct {
	mu         sync.Mutex
	entries    []entry // by id
	batches    int
	life       int
	complaints []string
}

// complain notes what is wrong.
func (b *book) complain(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.note(format, args...)
}

// note is complain for those who hold the lock.
func (b *book) note(format string, args ...any) {
	b.complaints = append(b.complaints, fmt.Sprintf("life %d: ", b.life)+fmt.Sprintf(format, args...))
}

// batch returns a new batch of n events. Body and headers tell the id, and their size follows from it.
func (b *book) batch(producer, n int) (batch *event.Batch, first int) {
	b.mu.Lock()
	first = len(b.entries)
	b.batches++
	for range n {
		b.entries = append(b.entries, entry{producer: producer, batch: b.batches, life: b.life})
	}
	b.mu.Unlock()
	batch = event.NewBatch()
	for id := first; id < first+n; id++ {
		e := batch.AppendCopy([]byte(body(id)))
		batch.SetHeader(e, "id", strconv.Itoa(id))
	}
	return batch, first
}

// body returns the body of an event. Some are large, so that a life fills several files of a log, and a few need a file
// for themselves.
func body(id int) string {
	rng := rand.New(rand.NewPCG(uint64(id), 0))
	n := rng.IntN(300)
	switch rng.IntN(30) {
	case 0:
		n = 70_000
	case 1, 2, 3, 4, 5, 6, 7, 8:
		n = rng.IntN(10_000)
	}
	return strconv.Itoa(id) + ":" + strings.Repeat(string(rune('a'+rng.IntN(26))), n)
}

// put enters the outcome of a put.
func (b *book) put(first, n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id := first; id < first+n; id++ {
		e := &b.entries[id]
		switch {
		case err == nil && e.state == issued:
			e.state = stored
		case err != nil && e.state == issued && !e.held:
			e.state = failed
		case err != nil:
			b.note("event %d was delivered, and its put failed: %v", id, err)
		}
	}
}

// calledOff enters that a put was called off.
func (b *book) calledOff(first, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id := first; id < first+n; id++ {
		if b.entries[id].held {
			b.note("event %d was delivered, and its put is called off only now", id)
		}
		b.entries[id].state = never
	}
}

// taken enters a delivery and returns its ids.
func (b *book) taken(batch *event.Batch) []int {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ids []int
	for i := range batch.Events() {
		e := batch.At(i)
		header, _ := e.Header("id")
		id, err := strconv.Atoi(header)
		if err != nil || id < 0 || id >= len(b.entries) || string(e.Body) != body(id) {
			b.note("the event %.60q with id %q was never put", e.Body, header)
			continue
		}
		b.deliver(id)
		ids = append(ids, id)
	}
	return ids
}

// deliver checks that an event may be delivered now.
func (b *book) deliver(id int) {
	e := &b.entries[id]
	switch {
	case e.held:
		b.note("event %d was delivered to two at once", id)
	case e.state == gone:
		b.note("event %d was delivered again after an acknowledgement and an orderly end", id)
	case e.state == leaving && e.life == b.life:
		b.note("event %d was delivered again in the life in which it was acknowledged", id)
	case e.state == never:
		b.note("event %d was delivered, whose put was called off", id)
	case e.state == failed && e.life == b.life:
		b.note("event %d was delivered in the life in which its put had failed", id)
	}
	e.held = true
	if e.state != issued {
		e.state = stored // whatever was in doubt: it is there now, and stays
	}
}

// leave enters that a delivery is about to be acknowledged.
func (b *book) leave(ids []int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		e := &b.entries[id]
		e.state, e.life, e.held, e.acked = leaving, b.life, false, false
	}
}

// acknowledged enters that an acknowledgement returned nil.
func (b *book) acknowledged(ids []int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		b.entries[id].acked = true
	}
}

// back enters that a delivery is about to be given back.
func (b *book) back(ids []int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		b.entries[id].held = false
	}
}

// begin starts a life.
func (b *book) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.life++
	for i := range b.entries {
		b.entries[i].held = false
	}
}

// endedWell enters that the life ended in good order: what was acknowledged stays so.
func (b *book) endedWell() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.entries {
		if e := &b.entries[i]; e.state == leaving && e.acked && e.life == b.life {
			e.state = gone
		}
	}
}

// settle compares the book to the ids that one taker got out of the channel in the end, in this order.
func (b *book) settle(got []int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := make([]bool, len(b.entries))
	latest := make(map[int]int)
	for _, id := range got {
		found[id] = true
		p := b.entries[id].producer
		if before, ok := latest[p]; ok && before > id {
			b.note("event %d of producer %d came out behind event %d", id, p, before)
		}
		latest[p] = id
	}
	parts := make(map[int][2]int) // of each failed put, how many events were found and missed
	for id := range b.entries {
		e := &b.entries[id]
		if e.state == stored && !found[id] {
			b.note("event %d is lost", id)
		}
		if e.state == failed {
			p := parts[e.batch]
			if found[id] {
				p[0]++
			} else {
				p[1]++
			}
			parts[e.batch] = p
		}
	}
	for batch, p := range parts {
		if p[0] > 0 && p[1] > 0 {
			b.note("of put %d, which failed, %d events are there and %d are not", batch, p[0], p[1])
		}
	}
}
