package event

// Pull moves the body of e, an event of this batch, to the beginning of free with sep behind it, and returns
// what is left of free. That is memory of this batch in which nothing is needed that stands in front of the
// end of that body, but the body. A body in other memory stays where it is, and so does one to which sep
// cannot be added.
//
// A source that cuts bodies out of a block pulls them one behind the other while they are in the cache,
// in place of each sink that would copy them together; see Span and Pieces.
func (b *Batch) Pull(e *Event, free []byte, sep byte) []byte {
	b.mustBeOpen()
	n := len(e.Body)
	at := address(e.Body) - address(free)
	if len(free) == 0 || at >= uintptr(len(free)) || n > len(free)-int(at) {
		return free
	}
	if at == 0 {
		if n < len(free) && cap(e.Body) > n && free[n] == sep {
			n++
		}
		return free[n:]
	}
	copy(free, e.Body)
	free[n] = sep
	e.Body = free[: n : n+1]
	return free[n+1:]
}
