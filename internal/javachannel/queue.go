package javachannel

import "iter"

// chunkLen pointers are in a chunk of a queue.
const chunkLen = 8192

// queue is the pointers to the staged events, oldest first: eight bytes each.
//
// Takes name the event they took, and with several sinks not always that at the head. Finding it would take
// long and so it stays, noted as taken, until it comes to the head. A take of what is not queued
// at all is noted the same way, in case that its put turns up later.
type queue struct {
	chunks [][]pointer // all full but the last
	first  int         // index in chunks[0] of the head
	size   int
	taken  map[pointer]struct{}
}

func (q *queue) push(p pointer) {
	if _, ok := q.taken[p]; ok {
		delete(q.taken, p)
		return
	}
	last := len(q.chunks) - 1
	if last < 0 || len(q.chunks[last]) == chunkLen {
		q.chunks = append(q.chunks, make([]pointer, 0, chunkLen))
		last++
	}
	q.chunks[last] = append(q.chunks[last], p)
	q.size++
}

func (q *queue) head() pointer { return q.chunks[0][q.first] }

func (q *queue) pop() {
	q.size--
	q.first++
	if q.first < len(q.chunks[0]) {
		return
	}
	q.first = 0
	if len(q.chunks) == 1 {
		q.chunks[0] = q.chunks[0][:0]
		return
	}
	q.chunks[0] = nil
	q.chunks = q.chunks[1:]
}

// take removes p, now or when it is there.
func (q *queue) take(p pointer) {
	if q.size == 0 || q.head() != p {
		if q.taken == nil {
			q.taken = make(map[pointer]struct{})
		}
		q.taken[p] = struct{}{}
		return
	}
	q.pop()
	for len(q.taken) > 0 && q.size > 0 {
		head := q.head()
		if _, ok := q.taken[head]; !ok {
			return
		}
		delete(q.taken, head)
		q.pop()
	}
}

// settle removes everything noted as taken from within the queue. What remains noted was never queued.
func (q *queue) settle() {
	if len(q.taken) == 0 {
		return
	}
	kept := queue{taken: q.taken}
	for q.size > 0 {
		p := q.head()
		q.pop()
		if _, ok := q.taken[p]; ok {
			delete(q.taken, p)
			continue
		}
		kept.push(p)
	}
	*q = kept
}

// all yields the pointers in order.
func (q *queue) all() iter.Seq[pointer] {
	return func(yield func(pointer) bool) {
		first := q.first
		for _, chunk := range q.chunks {
			for _, p := range chunk[first:] {
				if !yield(p) {
					return
				}
			}
			first = 0
		}
	}
}
