// Package syslog turns syslog messages into events as Apache Flume's sources do.
//
// Flume has two parsers, which differ in the names of headers, in what they
// accept and in the time zone they assume. Both are here, as dialects: Stream
// (the sources syslogtcp and syslogudp) and Line (multiport_syslogtcp).
//
//	bytes ─▶ Framer (frame.go) ─▶ Message ─▶ Parser ─▶ event
//	                                         ├ again.go             a head that was seen just before
//	                                         ├ stream.go, line.go   where the parts stand
//	                                         ├ stamp.go, year.go    when
//	                                         ├ structured.go        RFC 5424 behind the host
//	                                         └ headers.go           headers and body
//
// Parsing finds positions: parts are slices of the message, and nothing is
// allocated but the event's headers.
//
// Where Flume's parsers are at fault (they ignore the zone of a stamp with
// fractions, give one message the priority of another, lose what follows a NUL)
// this package does what was meant. Options.Flume brings the faults back, except
// those that lose messages.
package syslog

import (
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/charset"
)

// Dialect is one of Flume's two parsers.
type Dialect int

// The dialects.
const (
	Stream Dialect = iota
	Line
)

// Status says what became of a message.
type Status int

// The values of Status.
const (
	// OK is a message that was parsed, or, in dialect Stream, one with a good
	// priority in neither format.
	OK Status = iota
	// Invalid is a message that is none; its event has all its bytes.
	Invalid
	// Incomplete is the beginning of a message that is longer than the limit, or
	// was cut off by the end of its connection.
	Incomplete
)

// Headers that both dialects set.
const (
	HeaderFacility  = "Facility"
	HeaderSeverity  = "Severity"
	HeaderTimestamp = "timestamp"
	HeaderHost      = "host"
	HeaderStatus    = "flume.syslog.status"
)

// Message is one message, still to be parsed.
type Message struct {
	Text []byte // in memory of the batch its event goes to
	LF   bool   // a newline stands behind Text in the same memory
	Cut  bool   // the end is missing
}

// Options say how to parse.
type Options struct {
	Dialect    Dialect
	Keep       Keep           // what of the message's head stays in bodies
	Flume      bool           // Flume's faults included
	Zone       *time.Location // of stamps without one; nil: local for Stream, UTC for Line
	Structured bool           // parts of RFC 5424 behind the host become headers
	Custom     *Custom        // a format of the user's; Stream only, may be nil

	// Charset is what messages are in, for Line: those that are not valid in it
	// are Invalid, and host names are decoded. It has ASCII as a part of it.
	Charset charset.Charset
}

// Parser parses the messages of one stream. Not safe for concurrent use.
type Parser struct {
	opt    Options
	now    time.Time
	fields fields
	stamp  stampCache
	last   lastHead

	decoder *charset.Decoder // made when it is needed
	scratch []byte
	// What Flume takes from one message to the next.
	lastPriority, lastVersion []byte
}

// fields is where the parts of a message stand: slices of its text.
type fields struct {
	priority []byte // the digits; nil if no format matched
	version  []byte
	time     []byte // as written; nil for "-"
	host     []byte // nil for "-"
	body     []byte
	pri      int
	kind     stampKind
	params   []param // of structured data; the backing is reused
	app      []byte
	proc     []byte
	id       []byte
	again    bool // the message begins as the one before; see lastHead
}

// NewParser returns a parser for a new stream.
func NewParser(o Options) *Parser {
	if o.Zone == nil {
		o.Zone = time.Local
		if o.Dialect == Line {
			o.Zone = time.UTC
		}
	}
	return &Parser{opt: o}
}

// Begin is called before the first message of each batch, and says what time it is.
func (p *Parser) Begin(now time.Time) {
	// The year of a stamp without one depends on now, but not on its seconds.
	if now.Sub(p.now).Abs() >= time.Minute {
		p.stamp.n = 0
	}
	p.now = now
	p.last.headers = p.last.headers[:0]
}

// End may be called behind the last message of a batch, of whose memory the parser then has nothing. It is
// for streams that may be silent for long.
func (p *Parser) End() {
	clear(p.last.headers)
	p.last.headers = p.last.headers[:0]
}

// Append adds the event of m to b. m.Text must not be empty.
func (p *Parser) Append(b *event.Batch, m Message) (*event.Event, Status) {
	p.fields = fields{params: p.fields.params[:0]}
	var e *event.Event
	var status Status
	if p.opt.Dialect == Line {
		e, status = p.appendLine(b, m)
	} else {
		e, status = p.appendStream(b, m)
	}
	if p.fields.kind == kindNone {
		p.last.forget()
	}
	return e, status
}

func (p *Parser) appendStream(b *event.Batch, m Message) (*event.Event, Status) {
	f := &p.fields
	end, valid := p.scanPriority(m.Text)
	matched := valid && p.matchStream(m.Text, end)
	status := OK
	switch {
	case !valid:
		status = Invalid
	case m.Cut:
		status = Incomplete
	}
	if matched && p.opt.Structured && f.kind == kind5424 {
		p.splitStructured()
	}
	e := p.addBody(b, m, matched)
	p.setHeaders(b, e, status)
	return e, status
}

func (p *Parser) appendLine(b *event.Batch, m Message) (*event.Event, Status) {
	if p.opt.Flume {
		m = untilNUL(m)
	}
	if !p.decodable(m.Text) || !p.matchLine(m.Text) {
		p.fields = fields{params: p.fields.params[:0]}
		e := p.addBody(b, m, false)
		b.SetHeader(e, HeaderStatus, statusText[Invalid])
		return e, Invalid
	}
	if p.opt.Structured && p.fields.kind == kind5424 {
		p.splitStructured()
	}
	e := p.addBody(b, m, true)
	status := OK
	if m.Cut {
		status = Incomplete
	}
	p.setHeaders(b, e, status)
	return e, status
}
