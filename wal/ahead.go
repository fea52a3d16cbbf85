package wal

// windowFor returns what is closed while r may be written ahead; nil if that is not worth it. mu is held.
func (l *Log) windowFor(r *request) <-chan struct{} {
	if !l.large(r) || l.opts.Sync != SyncAlways {
		return nil
	}
	if l.window == nil {
		l.window = make(chan struct{})
	}
	return l.window
}

// large reports whether r is a put that is worth a write of its own.
func (l *Log) large(r *request) bool { return r.batch != nil && r.put.size >= l.opts.aheadSize }

// setAhead begins, or ends, the time in which large puts are written ahead. Whoever leads has the pen.
func (w *writer) setAhead(allowed bool) {
	w.ahead = allowed
	w.l.mu.Lock()
	defer w.l.mu.Unlock()
	if !allowed {
		w.l.window = nil
		return
	}
	if w.l.window == nil {
		w.l.window = make(chan struct{})
	}
	close(w.l.window)
}

// syncGroup syncs what a group has written. If nobody writes or syncs anything else before the next group, large puts that wait, or come
// meanwhile, are written ahead.
func (w *writer) syncGroup(last bool) error {
	if last && w.l.opts.Sync == SyncAlways {
		w.setAhead(true)
		defer w.setAhead(false)
	}
	return w.sync()
}

// writeAhead writes the large puts of the queue at the end of the active segment while the disk works for the group in front, as note
// does with acknowledgements. They are not published, nor covered by that sync: whoever leads next takes them into its group. So
// the disk has its next work as soon as it is done with this one.
func (w *writer) writeAhead() {
	w.pen.Lock()
	defer w.pen.Unlock()
	seg := w.active
	if !w.ahead || seg == nil || seg.failed != nil {
		return
	}
	puts := w.l.takeEarly(seg.size - seg.written - w.l.opts.AckReserve)
	if len(puts) == 0 {
		return
	}
	if err := w.write(puts); err != nil {
		seg.failed = err // whoever leads next starts another
		w.l.fail(puts, seg, err)
	}
}

// takeEarly moves from the queue to those written ahead what is large and has room, no more than one group of it.
func (l *Log) takeEarly(room int64) []*request {
	l.mu.Lock()
	defer l.mu.Unlock()
	before, size := len(l.early), int64(0)
	for _, r := range l.early {
		size += r.put.size
	}
	rest := l.queue[:0]
	for i, r := range l.queue {
		if !r.taken && l.large(r) {
			if r.put.size > room || size >= maxGroup {
				rest = append(rest, l.queue[i:]...) // nobody passes it
				break
			}
			r.taken, r.early = true, true
			room -= r.put.size
			size += r.put.size
			l.early = append(l.early, r)
			continue
		}
		rest = append(rest, r)
	}
	clear(l.queue[len(rest):])
	l.queue = rest
	return l.early[before:]
}

// flushEarly syncs and publishes what was written ahead of a group, before its leader does anything else with the segment.
func (w *writer) flushEarly() {
	if len(w.early) > 0 {
		w.flush(false)
	}
}

// lateEarly returns what was written ahead of the next group and has not failed.
func (l *Log) lateEarly() (puts []*request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.early {
		if r.err == nil {
			puts = append(puts, r)
		}
	}
	return puts
}
