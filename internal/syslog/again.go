package syslog

import "github.com/flume-go/flume/event"

// lastHead is what stood between the priority and the body of the message before. Most messages of a
// stream repeat it but for a fraction of a second, and need not be taken apart again.
//
// That is sound because what a message matches depends on no byte of its body: the same head is followed
// by a body at the same place.
type lastHead struct {
	text   []byte // empty: none
	fields fields // slices of text

	fraction, digits int // where in text the digits are that may differ, and how many they are
	moved            bool

	headers []event.Header // that were set for it, without those of structured data; none at the beginning of a batch
	stamp   int            // where among them the timestamp is, if it has one
}

// maxHead is the longest head that is remembered.
const maxHead = 256

// forget makes the next message one without a message before.
func (l *lastHead) forget() { l.text = l.text[:0] }

// again sets the fields of a message from what follows its priority, if that begins as the message before.
func (p *Parser) again(rest []byte) bool {
	l, f := &p.last, &p.fields
	n := len(l.text)
	if n == 0 || len(rest) < n || !l.matches(rest[:n]) {
		return false
	}
	f.kind, f.version, f.time, f.host, f.body = l.fields.kind, l.fields.version, l.fields.time, l.fields.host, rest[n:]
	f.again = true
	return true
}

// matches reports whether head, which is as long as that of the message before, is the same but for the
// digits of the fraction, which it takes over.
func (l *lastHead) matches(head []byte) bool {
	from, to := l.fraction, l.fraction+l.digits
	if string(head[:from]) != string(l.text[:from]) || string(head[to:]) != string(l.text[to:]) || !areDigits(head[from:to]) {
		return false
	}
	digits := head[from:to]
	millis := min(3, l.digits)
	l.moved = string(digits[:millis]) != string(l.text[from:from+millis])
	copy(l.text[from:], digits)
	return true
}

// remember keeps the head of a message for the next one. rest is what follows its priority.
func (p *Parser) remember(rest []byte) {
	l, f := &p.last, &p.fields
	head := rest[:len(rest)-len(f.body)]
	l.forget()
	if p.opt.Flume || p.opt.Custom != nil || len(head) > maxHead {
		// With Flume's faults a message depends on more than its head.
		return
	}
	l.text = append(l.text, head...)
	// All parts are slices of rest, to its end and beyond: their capacities tell where they are.
	part := func(p []byte) []byte {
		if p == nil {
			return nil
		}
		from := cap(rest) - cap(p)
		return l.text[from : from+len(p)]
	}
	l.fields = fields{kind: f.kind, version: part(f.version), time: part(f.time), host: part(f.host)}
	l.fraction, l.digits = 0, 0
	if f.kind == kind5424 && f.time != nil && p.resolve(f.kind, f.time) && p.stamp.fraction > 0 {
		l.fraction, l.digits = cap(rest)-cap(f.time)+fractionAt, p.stamp.fraction
	}
}

// repeat brings the headers of the message before up to date for one that begins as it did. first is where
// the dialect has facility and severity, priority where it has the priority. It reports whether that was
// possible.
func (p *Parser) repeat(b *event.Batch, first, priority int) bool {
	l, f := &p.last, &p.fields
	if !f.again || len(l.headers) == 0 {
		return false
	}
	l.headers[first].Value = text(b, f.pri/8)
	l.headers[first+1].Value = numbers[f.pri%8]
	l.headers[priority].Value = f.priorityText(b)
	if l.moved && p.resolve(f.kind, f.time) {
		l.headers[l.stamp].Value = p.stampText(b)
	}
	return true
}

// stampText returns the value of the stamp that was resolved.
func (p *Parser) stampText(b *event.Batch) string { return b.String(p.stamp.digits[:p.stamp.size]) }
