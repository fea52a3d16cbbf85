package syslog

import (
	"strings"
	"testing"
	"time"

	"github.com/flume-go/flume/event"
)

// now is the time of the tests, unless they say otherwise.
var now = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

// parsed is an event in a form that tests compare.
type parsed struct {
	Headers map[string]string
	Body    string
}

func show(e *event.Event) parsed {
	p := parsed{Headers: map[string]string{}, Body: string(e.Body)}
	for _, h := range e.Headers {
		p.Headers[strings.Clone(h.Key)] = strings.Clone(h.Value)
	}
	return p
}

// parse parses one message with a parser of its own.
func parse(t testing.TB, o Options, text string) (parsed, Status) {
	t.Helper()
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	return parseWith(NewParser(o), Message{Text: []byte(text)}, now)
}

func parseWith(p *Parser, m Message, at time.Time) (parsed, Status) {
	b := event.NewBatch()
	defer b.Release()
	// As a framer has it: the newline behind the text, in memory of the batch.
	memory := b.Copy(append(append([]byte(nil), m.Text...), '\n'))
	m.Text = memory[:len(m.Text)]
	p.Begin(at)
	e, status := p.Append(b, m)
	return show(e), status
}

// headers makes a map of pairs.
func headers(pairs ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}
