package syslog

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/flume-go/flume/event"
)

var statusText = [...]string{Invalid: "Invalid", Incomplete: "Incomplete"}

// numbers are the texts of the small numbers, of which every event has three.
var numbers = func() (texts [1000]string) {
	for i := range texts {
		texts[i] = strconv.Itoa(i)
	}
	return texts
}()

// text returns a number that lives by itself or in b.
func text(b *event.Batch, n int) string {
	if n < len(numbers) {
		return numbers[n]
	}
	return b.String(strconv.AppendInt(nil, int64(n), 10))
}

// priorityText returns the digits of the priority as they were written.
func (f *fields) priorityText(b *event.Batch) string {
	if f.pri < len(numbers) && numbers[f.pri] == string(f.priority) {
		return numbers[f.pri]
	}
	return b.String(f.priority)
}

// versionText returns a version, which is nearly always one digit.
func versionText(b *event.Batch, version []byte) string {
	if len(version) == 1 && isDigit(version[0]) {
		return numbers[version[0]-'0']
	}
	return b.String(version)
}

// setHeaders sets the headers of a message of which all but status is in the parser's fields.
func (p *Parser) setHeaders(b *event.Batch, e *event.Event, status Status) {
	switch {
	case p.opt.Dialect == Line:
		if !p.repeat(b, 1, 0) {
			p.lineHeaders(b)
		}
	case !p.repeat(b, 0, 2):
		p.streamHeaders(b, status)
	}
	b.RepeatHeaders(e, p.last.headers)
	p.structuredHeaders(b, e)
	if status != OK {
		b.SetHeader(e, HeaderStatus, statusText[status])
	}
}

// streamHeaders makes the headers of dialect Stream.
func (p *Parser) streamHeaders(b *event.Batch, status Status) {
	f := &p.fields
	pri := f.pri
	if status == Invalid {
		pri = 0
	}
	if p.opt.Flume {
		p.leak()
	}
	hs := append(p.last.headers[:0],
		event.Header{Key: HeaderFacility, Value: text(b, pri/8)},
		event.Header{Key: HeaderSeverity, Value: numbers[pri%8]})
	if len(f.priority) > 0 {
		hs = append(hs, event.Header{Key: "priority", Value: f.priorityText(b)})
	}
	if len(f.version) > 0 {
		hs = append(hs, event.Header{Key: "version", Value: versionText(b, f.version)})
	}
	if f.time != nil && p.resolve(f.kind, f.time) {
		p.last.stamp = len(hs)
		hs = append(hs, event.Header{Key: HeaderTimestamp, Value: p.stampText(b)})
	}
	if len(f.host) > 0 {
		hs = append(hs, event.Header{Key: HeaderHost, Value: b.String(f.host)})
	}
	p.last.headers = hs
}

// leak does what Flume's stream parser does with a message in no format: it
// gives it the priority and version of the last one that had any.
func (p *Parser) leak() {
	f := &p.fields
	if f.kind != kindNone {
		p.lastPriority = append(p.lastPriority[:0], f.priority...)
		p.lastVersion = append(p.lastVersion[:0], f.version...)
		return
	}
	f.priority, f.version = p.lastPriority, p.lastVersion
}

// lineHeaders makes the headers of dialect Line.
func (p *Parser) lineHeaders(b *event.Batch) {
	f := &p.fields
	hs := append(p.last.headers[:0],
		event.Header{Key: "Priority", Value: f.priorityText(b)},
		event.Header{Key: HeaderFacility, Value: text(b, f.pri/8)},
		event.Header{Key: HeaderSeverity, Value: numbers[f.pri%8]})
	if len(f.version) > 0 {
		hs = append(hs, event.Header{Key: "Version", Value: versionText(b, f.version)})
	}
	switch {
	case f.time == nil:
		var digits [20]byte
		hs = append(hs, event.Header{Key: HeaderTimestamp, Value: b.String(strconv.AppendInt(digits[:0], p.now.UnixMilli(), 10))})
	case p.resolve(f.kind, f.time):
		p.last.stamp = len(hs)
		hs = append(hs, event.Header{Key: HeaderTimestamp, Value: p.stampText(b)})
	}
	host := f.host
	if !p.opt.Charset.IsUTF8() && !isASCII(host) {
		host = p.decode(host)
	}
	p.last.headers = append(hs, event.Header{Key: HeaderHost, Value: b.String(host)})
}

// addBody appends the event with its body: the whole message if it matched no
// format or nothing follows the host.
func (p *Parser) addBody(b *event.Batch, m Message, matched bool) *event.Event {
	f := &p.fields
	split := f.split()
	switch {
	case !matched || p.opt.Keep.All:
		return appendTail(b, m, 0)
	case p.opt.Dialect == Stream && p.opt.Flume && !utf8.Valid(f.body):
		// Flume has made a text of it.
		f.body = b.Copy(p.decode(f.body))
		return b.Append(p.keepFields(b))
	case len(f.body) == 0 && !split && (p.opt.Dialect == Line || !p.opt.Keep.any()):
		return appendTail(b, m, 0)
	case p.opt.Keep.any():
		return b.Append(p.keepFields(b))
	case f.kind == kindCustom:
		return b.Append(f.body)
	default:
		return appendTail(b, m, len(m.Text)-len(f.body))
	}
}

// appendTail appends an event whose body is the message from a position on.
func appendTail(b *event.Batch, m Message, from int) *event.Event {
	if m.LF {
		// The newline stays behind the body: sinks that end lines so like that.
		return b.AppendLine(m.Text[from : len(m.Text)+1])
	}
	return b.Append(m.Text[from:])
}

// keepFields returns the body with the parts to be kept in front of it.
func (p *Parser) keepFields(b *event.Batch) []byte {
	f, keep := &p.fields, p.opt.Keep
	size := len("<>   ") + len(f.priority) + len(f.version) + len(f.time) + len(f.host) + len(f.body) + 2*len("null")
	out := b.Alloc(size)[:0]
	if keep.Priority {
		out = append(append(append(out, '<'), f.priority...), '>')
	}
	if keep.Version && len(f.version) > 0 {
		out = append(append(out, f.version...), ' ')
	}
	if keep.Timestamp {
		out = append(p.orNil(out, f.time), ' ')
	}
	if keep.Hostname {
		out = append(p.orNil(out, f.host), ' ')
	}
	return append(out, f.body...)
}

// orNil appends a part, or what stands for one that is not given.
func (p *Parser) orNil(out, part []byte) []byte {
	switch {
	case part != nil:
		return append(out, part...)
	case p.opt.Flume && p.opt.Dialect == Stream:
		return append(out, "null"...)
	default:
		return append(out, '-')
	}
}

// bom is the mark with which a message of RFC 5424 says that it is UTF-8.
var bom = []byte("\uFEFF")

// splitStructured takes what RFC 5424 has between the host and the message off
// the body. If it is not as it should be, everything stays where it is.
func (p *Parser) splitStructured() {
	f := &p.fields
	if !f.scanStructured(f.body) {
		f.app, f.proc, f.id, f.params = nil, nil, nil, f.params[:0]
		return
	}
	f.body = bytes.TrimPrefix(f.body, bom)
}
