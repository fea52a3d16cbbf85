package gss

import (
	"crypto/sha256"
	"sync"
	"time"
)

// mostReplays is how many requests of one age are remembered. More of them make the
// memory shorter: what a context protects cannot be repeated in any case, because
// each has a key of its own.
const mostReplays = 1 << 16

// replays remembers requests, in two halves of which the older one is forgotten.
// The zero value is ready. Safe for concurrent use.
type replays struct {
	mu         sync.Mutex
	since      time.Time // when young began
	young, old map[[sha256.Size]byte]struct{}
}

// add remembers a request for at least the time keep, and reports whether it was known.
func (r *replays) add(request []byte, keep time.Duration) (known bool) {
	sum := sha256.Sum256(request)
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); r.young == nil || len(r.young) >= mostReplays || now.Sub(r.since) > keep {
		if r.old = r.young; now.Sub(r.since) > 2*keep {
			r.old = nil
		}
		r.young, r.since = map[[sha256.Size]byte]struct{}{}, now
	}
	_, known = r.young[sum]
	if !known {
		_, known = r.old[sum]
	}
	r.young[sum] = struct{}{}
	return known
}
