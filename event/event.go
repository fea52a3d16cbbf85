// Package event holds what flows through an agent: events, and the batches in
// which they travel.
//
// A batch is an arena of bytes and a slice of events whose bodies and headers
// point into it. Bytes are copied once, from the kernel into the arena, and from
// there to the destination; nothing is allocated per event. Batches are counted
// and recycled. Three rules keep that safe:
//
//  1. Whoever keeps a batch past a call retains it; the last Release recycles it.
//  2. A batch may be changed until the channel selector sees it, by one goroutine
//     at a time. From then on it is read-only and may be shared.
//  3. After the last Release every slice and string taken from the batch is dead.
//     Builds with the race detector, or with the tag "invariants", overwrite the
//     memory with 0xCC at that moment, so that tests catch whoever kept one.
package event

import "strings"

// Header is one key and value of an event. Both may point into a batch's arena.
type Header struct{ Key, Value string }

// Event is one record: headers in the order they were set, keys unique, and a
// body. Both are views that live as long as the batch they belong to. Change
// them through the batch (SetHeader, SetBody), which finds the memory.
type Event struct {
	Headers []Header
	Body    []byte
	Number  uint64 // in the log that the batch's Origin names; 0 for none
}

// Header returns the value of key and whether it is set. Events have few
// headers: a linear look beats a map.
func (e *Event) Header(key string) (string, bool) {
	for i := range e.Headers {
		if e.Headers[i].Key == key {
			return e.Headers[i].Value, true
		}
	}
	return "", false
}

// RemoveHeaders removes, in place, the headers whose key drop accepts.
func (e *Event) RemoveHeaders(drop func(key string) bool) {
	kept := e.Headers[:0]
	for _, h := range e.Headers {
		if !drop(h.Key) {
			kept = append(kept, h)
		}
	}
	clear(e.Headers[len(kept):])
	e.Headers = kept
}

// Clone returns a copy of e in memory of its own, for those few who want to keep
// an event beyond its batch (a log line, a sample for the live view).
func (e *Event) Clone() Event {
	c := Event{Body: append([]byte(nil), e.Body...)}
	if len(e.Headers) > 0 {
		c.Headers = make([]Header, len(e.Headers))
		for i, h := range e.Headers {
			c.Headers[i] = Header{strings.Clone(h.Key), strings.Clone(h.Value)}
		}
	}
	return c
}
