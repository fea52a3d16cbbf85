// Package pace holds sources up for a moment so that the sinks keep up with them.
//
// A flood of small batches from several sources would fill any capacity: the
// sources outnumber the sink. What waits then is read from the socket into memory
// that has long left the processor's caches, and read back from there. Measured
// on lines from sockets to a file, a queue 50 MB deep costs twice the processor
// time of one of a few MB, and brings nothing.
//
// So a put, once stored, lets the sink go first when a certain size is ready in
// memory, for a moment. A sink that does not take in that time is slow for reasons of
// its own; then the capacity is what is wanted, and nobody is held up until its next take.
package pace

import (
	"context"
	"sync"
	"time"

	"github.com/flume-go/flume/channels/internal/line"
)

const (
	holdAbove = 1 << 20 // bytes ready
	letGoAt   = holdAbove / 2
	limit     = 25 * time.Millisecond
)

// Pacer holds up the puts of one channel. The zero value is ready. The lock of the
// channel guards it.
type Pacer struct {
	held line.Line[struct{}] // puts that are through
	off  bool                // the sink did not take while it was let first
}

// Hold waits, when so many bytes are ready to be taken, until the sink has taken
// most of them or a moment has passed. mu, the lock of the channel, is held at the
// call and at the return, and not meanwhile.
func (p *Pacer) Hold(mu *sync.Mutex, ready int64) {
	if ready <= holdAbove || p.off {
		return
	}
	w := p.held.Join(struct{}{})
	if taken, _ := p.held.Await(context.Background(), mu, w, limit); !taken {
		p.held.Leave(w)
		p.off = true
	}
}

// Took notes that a sink has taken, and how many bytes are ready still.
func (p *Pacer) Took(ready int64) {
	p.off = false
	if ready <= letGoAt {
		p.End()
	}
}

// End lets all go on that are held.
func (p *Pacer) End() { p.held.AnswerAll(nil) }
