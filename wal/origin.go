package wal

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/flume-go/flume/event"
)

const (
	maxOrigins      = 1024 // remembered; the one that was silent longest is forgotten first
	maxOriginRanges = 1024 // of one; the lowest are forgotten first
)

// origins is what was stored of the logs of other agents, by the identity of these: what comes from them again is not stored
// twice. A put and what it adds are one record. Log.mu guards it.
type origins map[[16]byte]*origin

type origin struct {
	stored  rangeSet
	pending rangeSet      // being appended
	settled chan struct{} // closed when some of pending is not any more; nil if nobody waits
	used    uint64        // the higher the later
}

// AppendOnce is Append for a batch that may have come before: of the events that its Origin numbers, those that were stored
// are left out. What another append is just storing is waited for. It returns how many events it has stored.
func (l *Log) AppendOnce(ctx context.Context, b *event.Batch) (stored int, err error) {
	o, ok := b.Origin()
	if !ok || o.Here {
		return b.Len(), l.Append(ctx, b)
	}
	all := numbersOf(b)
	numbers, err := l.claim(ctx, all, o)
	if err != nil {
		return 0, err
	}
	defer l.settle(o.Log, numbers)
	fresh := b.Retain()
	if !slices.Equal(all, numbers) {
		fresh.Release()
		fresh = among(b, numbers)
	}
	defer fresh.Release()
	if err := l.append(ctx, fresh, &mark{o, numbers}); err != nil {
		return 0, err
	}
	return fresh.Len(), nil
}

// mark says whose events a put has.
type mark struct {
	event.Origin
	numbers rangeSet
}

// numbersOf returns the numbers that the events of b have.
func numbersOf(b *event.Batch) (all rangeSet) {
	var run Range
	for i := range b.Events() {
		switch n := b.At(i).Number; n {
		case run.To:
			run.To++
		default:
			all.add(run)
			run = Range{n, n + 1}
		case 0:
		}
	}
	all.add(run)
	return all
}

// claim returns those of the numbers that are not stored, and keeps others from appending them.
func (l *Log) claim(ctx context.Context, all rangeSet, o event.Origin) (rangeSet, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		known := l.origins.of(o.Log)
		known.stored.add(Range{0, o.Done})
		busy := false
		var fresh rangeSet
		for _, r := range all {
			busy = busy || known.pending.count(r) > 0
			for gap := known.stored.gap(r); gap.Len() > 0; gap = known.stored.gap(Range{gap.To, r.To}) {
				fresh.add(gap)
			}
		}
		if !busy {
			for _, r := range fresh {
				known.pending.add(r)
			}
			return fresh, nil
		}
		if known.settled == nil {
			known.settled = make(chan struct{})
		}
		settled := known.settled
		l.mu.Unlock()
		select {
		case <-settled:
			l.mu.Lock()
		case <-ctx.Done():
			l.mu.Lock()
			return nil, fmt.Errorf("waiting for another append of the same events: %w", ctx.Err())
		}
	}
}

// settle ends a claim.
func (l *Log) settle(log [16]byte, numbers rangeSet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.origins[log]
	if o == nil {
		return // nothing was claimed, and it was forgotten
	}
	for _, r := range numbers {
		o.pending.remove(r)
	}
	if o.settled != nil {
		close(o.settled)
		o.settled = nil
	}
}

// among returns the events of b that have one of these numbers, or none, with a reference for the caller.
func among(b *event.Batch, numbers rangeSet) *event.Batch {
	part := event.NewBatch()
	from := 0
	for i := range b.Events() {
		if n := b.At(i).Number; n == 0 || numbers.count(Range{n, n + 1}) > 0 {
			continue
		}
		if from < i {
			part.AppendShared(b, from, i)
		}
		from = i + 1
	}
	if from < b.Len() {
		part.AppendShared(b, from, b.Len())
	}
	return part
}

// of returns what is known of a log.
func (o *origins) of(log [16]byte) *origin {
	if *o == nil {
		*o = make(origins)
	}
	known := (*o)[log]
	if known == nil {
		known = new(origin)
		(*o)[log] = known
	}
	return known
}

// add enters events that are stored.
func (o *origins) add(m *mark, now uint64) {
	known := o.of(m.Log)
	known.used = now
	known.stored.add(Range{0, m.Done})
	for _, r := range m.numbers {
		known.stored.add(r)
	}
	if more := len(known.stored) - maxOriginRanges; more > 0 {
		known.stored = slices.Delete(known.stored, 0, more)
	}
	if len(*o) > maxOrigins {
		o.forget()
	}
}

// forget drops the log that was silent longest, of those that nobody appends from.
func (o origins) forget() {
	var oldest [16]byte
	least := ^uint64(0)
	for log, known := range o {
		if len(known.pending) == 0 && known.settled == nil && known.used < least {
			oldest, least = log, known.used
		}
	}
	delete(o, oldest)
}

// list returns what is stored, the log that was silent longest first.
func (o origins) list() []mark {
	logs := slices.SortedFunc(maps.Keys(o), func(a, b [16]byte) int {
		return cmp.Or(cmp.Compare(o[a].used, o[b].used), slices.Compare(a[:], b[:]))
	})
	var list []mark
	for _, log := range logs {
		if known := o[log]; len(known.stored) > 0 {
			list = append(list, mark{event.Origin{Log: log}, slices.Clone(known.stored)})
		}
	}
	return list
}

// A mark in a put: its length in the put (4), the identity of the log (16), the number before which all is done (8), and per range
// of numbers the distance from the range before and the length, as varints.
const markFixed = 4 + 16 + 8

// size returns the length of the mark in a put; 0 for none.
func (m *mark) size() int {
	if m == nil {
		return 0
	}
	n, before := markFixed, uint64(0)
	for _, r := range m.numbers {
		n += uvarintLen(r.From-before) + uvarintLen(r.Len())
		before = r.To
	}
	return n
}

// put writes the mark, of this size, to the beginning of p.
func (m *mark) put(p []byte, size int) {
	le := binary.LittleEndian
	le.PutUint32(p, uint32(size))
	copy(p[4:], m.Log[:])
	le.PutUint64(p[20:], m.Done)
	at, before := p[markFixed:markFixed], uint64(0)
	for _, r := range m.numbers {
		at = binary.AppendUvarint(binary.AppendUvarint(at, r.From-before), r.Len())
		before = r.To
	}
}

// decodeMark is the reverse of put, of a mark that p is all of.
func decodeMark(p []byte) (*mark, error) {
	if len(p) < markFixed {
		return nil, errPayload
	}
	m := new(mark)
	copy(m.Log[:], p[4:])
	m.Done = binary.LittleEndian.Uint64(p[20:])
	before := uint64(0)
	for rest := p[markFixed:]; len(rest) > 0; {
		gap, n := binary.Uvarint(rest)
		if n <= 0 {
			return nil, errPayload
		}
		length, k := binary.Uvarint(rest[n:])
		from := before + gap
		if k <= 0 || length == 0 || from < before || from+length < from || len(m.numbers) > 0 && gap == 0 {
			return nil, errPayload
		}
		m.numbers = append(m.numbers, Range{from, from + length})
		before, rest = from+length, rest[n+k:]
	}
	return m, nil
}

func appendOrigins(b []byte, list []mark) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(list)))
	for _, m := range list {
		b = appendRanges(append(b, m.Log[:]...), m.numbers)
	}
	return b
}

// takeOrigins is the reverse of appendOrigins.
func takeOrigins(p []byte) (list []mark, rest []byte, ok bool) {
	if len(p) < 4 {
		return nil, nil, false
	}
	n := binary.LittleEndian.Uint32(p)
	p = p[4:]
	for range n {
		if len(p) < 16 {
			return nil, nil, false
		}
		var m mark
		copy(m.Log[:], p)
		var ranges []Range
		if ranges, p, ok = takeRanges(p[16:]); !ok {
			return nil, nil, false
		}
		for _, r := range ranges {
			m.numbers.add(r)
		}
		list = append(list, m)
	}
	return list, p, true
}

// originsSize returns an upper bound of what a snapshot needs for sessions and origins. mu is held.
func (l *Log) originsSize() int {
	n := 8 + len(l.sessions)*sessionSize
	for _, o := range l.origins {
		n += 16 + 4 + (len(o.stored)+1)*16
	}
	return n
}
