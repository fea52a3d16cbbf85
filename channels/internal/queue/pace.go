package queue

import "time"

// A flood of small batches from several sources would fill any capacity: the
// sources outnumber the sink. What waits then is read from the socket into memory
// that has long left the processor's caches, and read back from there. Measured
// on lines from sockets to a file, a queue 50 MB deep costs twice the processor
// time of one of a few MB, and brings nothing.
//
// So a put, once stored, lets the sink go first when this much is ready, for a
// moment. A sink that does not take in that time is slow for reasons of its own;
// then the capacity is what is wanted, and nobody is held up until its next take.
const (
	paceBytes = 1 << 20
	paceLimit = 25 * time.Millisecond
)

// pace waits until the sink has taken what is ready, or a moment has passed.
func (q *Queue) pace() {
	q.mu.Lock()
	if q.readyBytes <= paceBytes || q.unpaced || !q.open {
		q.mu.Unlock()
		return
	}
	w := q.paced.Join(usage{})
	q.mu.Unlock()
	t := time.NewTimer(paceLimit)
	defer t.Stop()
	select {
	case <-w.Answer: //nolint:errcheck // nil: the sink has taken, or the queue is closed
	case <-t.C:
		q.mu.Lock()
		if q.paced.Leave(w) {
			q.unpaced = true
		}
		q.mu.Unlock()
	}
}

// took lets those go on that pace holds up. The lock is held.
func (q *Queue) took() {
	q.unpaced = false
	if q.readyBytes <= paceBytes/2 {
		q.paced.AnswerAll(nil)
	}
}
