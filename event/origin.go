package event

// Origin says in which log the events of a batch have their Numbers. The two together name an event for
// good: the same on another batch is the same event, sent again. A channel that remembers what it has
// stored does not store it twice.
type Origin struct {
	Log  [16]byte // random: one life of one log, from when it was opened until it was closed
	Done uint64   // events of lower numbers do not come again: their sender knows that they arrived
	Here bool     // it is a log of this agent, and the batch on its way out
}

// SetOrigin says where the events of b that have a Number come from.
func (b *Batch) SetOrigin(o Origin) {
	b.mustBeOpen()
	b.origin, b.hasOrigin = o, true
}

// DropOrigin forgets where the events come from.
func (b *Batch) DropOrigin() {
	b.mustBeOpen()
	b.hasOrigin = false
}

// Origin returns what SetOrigin has set; false if there is nothing.
func (b *Batch) Origin() (Origin, bool) { return b.origin, b.hasOrigin }

// inherit takes over the origin of a batch whose events b is about to be given. Events of two origins are
// not told apart: then there is none.
func (b *Batch) inherit(src *Batch) {
	switch {
	case len(b.events) == 0:
		b.origin, b.hasOrigin = src.origin, src.hasOrigin
	case !src.hasOrigin || b.origin.Log != src.origin.Log:
		b.hasOrigin = false
	}
}
