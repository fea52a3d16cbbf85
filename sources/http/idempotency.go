package http

import (
	"bytes"
	"net/http"
	"sync"
	"time"
)

// maxKey is the longest Idempotency-Key.
const maxKey = 255

// memory remembers the keys of requests that were stored, the most recent ones,
// and of those that are under way. Nothing of it outlives the process. Safe for
// concurrent use.
type memory struct {
	limit int

	mu     sync.Mutex
	known  map[string]*outcome
	stored []string // keys of known that are stored, a ring
	next   int      // place in stored of the oldest, once there are limit
}

// outcome is what became of a request.
type outcome struct {
	stored bool // else it is under way
	digest []byte
}

func newMemory(limit int) *memory {
	return &memory{limit: limit, known: map[string]*outcome{}}
}

// begin enters a request. repeat says that it was stored before; else finish must
// be called. A refusal says that it can be neither now.
func (m *memory) begin(key string, digest []byte) (repeat bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.known[key]
	switch {
	case o == nil:
		m.known[key] = &outcome{digest: digest}
		return false, nil
	case !bytes.Equal(o.digest, digest):
		return false, &refusal{
			status:  http.StatusUnprocessableEntity,
			message: "The Idempotency-Key was used for another content; a new request needs a new key.",
		}
	case !o.stored:
		return false, &refusal{
			status:  http.StatusConflict,
			message: "A request with this Idempotency-Key is under way.", retry: time.Second,
		}
	}
	return true, nil
}

// finish says what became of a request that was entered. One that was not stored
// is forgotten: the next try may store it.
func (m *memory) finish(key string, stored bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !stored {
		delete(m.known, key)
		return
	}
	m.known[key].stored = true
	if len(m.stored) < m.limit {
		m.stored = append(m.stored, key)
		return
	}
	delete(m.known, m.stored[m.next])
	m.stored[m.next] = key
	m.next = (m.next + 1) % m.limit
}

// keyOf returns the key under which r is remembered, "" if it has none. Keys of
// different users are different keys.
func keyOf(r *http.Request, user string) (string, error) {
	values := r.Header.Values("Idempotency-Key")
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		return "", bad("there is more than one Idempotency-Key")
	case values[0] == "", len(values[0]) > maxKey:
		return "", bad("the Idempotency-Key must have 1 to 255 characters")
	}
	return user + "\x00" + values[0], nil
}
