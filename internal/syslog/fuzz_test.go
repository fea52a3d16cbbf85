package syslog

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/event"
)

// The formats of Flume's stream parser, as expressions; space is what Java calls
// white space, and body what it matches with a point.
const (
	space = `[ \t\n\v\f\r]`
	body  = `([^\n\r\x{85}\x{2028}\x{2029}]*)`
)

var (
	expr5424 = regexp.MustCompile(`^<(\d{1,3})>(\d?)` + space + `?(?:(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:[+-]\d\d:\d\d|Z)?)|-)` +
		space + `(?:(\w[\w.@-]*)|-)` + space + body + `$`)
	expr3164 = regexp.MustCompile(`^<(\d{1,3})>(\d)?` + space + `?([A-Z][a-z]{2}` + space + `{1,2}\d{1,2}` + space + `\d\d:\d\d:\d\d)` +
		space + `(\w[\w.@-]*)` + space + body + `$`)
)

// FuzzStream compares the parser, with Flume's faults, with the expressions that
// are in Flume; and without them holds it to what must be true of any event.
func FuzzStream(f *testing.F) {
	for _, text := range []string{
		"<34>1 2003-10-11T22:14:15.003Z h su - ID47 - x", "<34>Oct 11 22:14:15 h su: x", "<13>1 - - b\r", "<1>20031-10-11T22:14:15 h b",
		"<13>1Oct  1 22:14:15 h.x@y-z ", "<999>x", "<", "<13", "no", "<13>1 2003-10-11T22:14:15+02:00 h \u2028", "<1>- h \xff",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) == 0 {
			return
		}
		p := NewParser(Options{Flume: true, Zone: time.UTC})
		b := event.NewBatch()
		defer b.Release()
		p.Begin(now)
		e, status := p.Append(b, Message{Text: b.Copy(text)})
		got := p.fields
		var m [][]byte
		// An expression of Go's does not match what is not UTF-8 as Java's
		// does the text that it becomes.
		if status == OK && utf8.Valid(text) {
			if m = expr5424.FindSubmatch(text); m == nil {
				m = expr3164.FindSubmatch(text)
			}
			if (m != nil) != (got.kind != kindNone) {
				t.Fatalf("matched: %v, and by the expressions: %v", got.kind != kindNone, m != nil)
			}
		}
		if m != nil {
			for i, part := range [][]byte{got.priority, got.version, got.time, got.host, got.body} {
				if string(part) != string(m[i+1]) {
					t.Errorf("part %d is %q, and by the expressions %q", i+1, part, m[i+1])
				}
			}
		}
		if m == nil && utf8.Valid(text) && string(e.Body) != string(text) {
			t.Errorf("nothing matched, and the body is %q", e.Body)
		}
		checkAny(t, Options{Zone: time.UTC}, text)
	})
}

// FuzzLine holds the line parser to what must be true of any event.
func FuzzLine(f *testing.F) {
	for _, text := range []string{
		"<34>1 2003-10-11T22:14:15.003Z h su - ID47 - x", "<34>Oct 11 22:14:15 h su: x", "<13>1 - - b\r", "<13>- h b", "<99999>1 -  b",
		"<13>2003-10-11T22:14:15+02:00 h ", "<13>CRON[17]: (root) CMD", "<13>Feb 29 00:00:00 h b", "\x00<13>", "<13>1 - h a\x00b", "<>",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) == 0 {
			return
		}
		checkAny(t, Options{Dialect: Line}, text)
		parse(t, Options{Dialect: Line, Flume: true}, string(text))
	})
}

// checkAny checks that no byte of a body is made up or lost, and the headers.
func checkAny(t *testing.T, o Options, text []byte) {
	t.Helper()
	for _, o.Structured = range []bool{false, true} {
		got, status := parse(t, o, string(text))
		if !bytes.HasSuffix(text, []byte(got.Body)) {
			t.Errorf("body %q is not the end of %q", got.Body, text)
		}
		if status == Invalid && got.Body != string(text) {
			t.Errorf("%q is invalid, and its body %q", text, got.Body)
		}
		if (status == Invalid) != (got.Headers[HeaderStatus] == "Invalid") {
			t.Errorf("%q: status %v with headers %v", text, status, got.Headers)
		}
		for k, v := range got.Headers {
			if k == HeaderTimestamp && strings.Trim(v, "-0123456789") != "" {
				t.Errorf("timestamp %q", v)
			}
		}
		o.Keep.All = true
		if all, _ := parse(t, o, string(text)); all.Body != string(text) {
			t.Errorf("keeping all, the body is %q", all.Body)
		}
		o.Keep.All = false
	}
}

// FuzzFramer: whatever comes, in whatever pieces, the messages are the same, none
// is over the limit, and all bytes are in them but newlines and counts.
func FuzzFramer(f *testing.F) {
	for _, text := range []string{
		"<1>a\n<2>b\n", "4 <1>a5 <2>bc", "9 <1>a\n4 <2>d\n", "999999999 <1>", "\n\n1 <\n", "25 <1>aaaaaaaaaaaaaaaaaaaaaa4 <2>b", "<1\n2>",
	} {
		f.Add([]byte(text), 3, false)
		f.Add([]byte(text), 1, true)
	}
	f.Fuzz(func(t *testing.T, text []byte, piece int, flume bool) {
		if piece < 1 || len(text) > 4096 {
			return
		}
		whole := cut(&Framer{Limit: 20, Flume: flume}, string(text), len(text)+1)
		if diff := cmp.Diff(whole, cut(&Framer{Limit: 20, Flume: flume}, string(text), piece)); diff != "" {
			t.Fatalf("in one piece and in pieces of %d:\n%s", piece, diff)
		}
		left := text
		for _, m := range whole {
			m = strings.TrimSuffix(m, "~")
			if m == "" || len(m) > 20 {
				t.Errorf("a message of %d bytes", len(m))
			}
			i := bytes.Index(left, []byte(m))
			if i < 0 {
				t.Fatalf("message %q is not in what is left of the input, %q", m, left)
			}
			if between := bytes.Trim(left[:i], "\n 0123456789"); len(between) > 0 {
				t.Errorf("%q is in no message", between)
			}
			left = left[i+len(m):]
		}
		if rest := bytes.Trim(left, "\n 0123456789"); len(rest) > 0 && !flume {
			t.Errorf("%q is in no message", rest)
		}
	})
}
