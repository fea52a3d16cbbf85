package syslog

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/charset"
)

// allOptions is every way to parse that a message before might matter for.
func allOptions(t testing.TB) (all []Options) {
	t.Helper()
	latin1, err := charset.Lookup("ISO-8859-1")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []Dialect{Stream, Line} {
		for _, structured := range []bool{false, true} {
			for _, keep := range []Keep{{}, {All: true}, {Priority: true, Version: true, Timestamp: true, Hostname: true}} {
				o := Options{Dialect: d, Structured: structured, Keep: keep, Zone: time.UTC}
				all = append(all, o)
				if d == Line {
					o.Charset = latin1
					all = append(all, o)
				}
			}
		}
	}
	return all
}

// checkAlone sees that one parser makes of messages what parsers do that have seen no other one. Each batch
// has so many of them and a time of its own.
func checkAlone(t *testing.T, o Options, messages [][]byte, batch int) {
	t.Helper()
	p := NewParser(o)
	at := now
	for len(messages) > 0 {
		some := messages[:min(batch, len(messages))]
		messages = messages[len(some):]
		b := event.NewBatch()
		p.Begin(at)
		for i, text := range some {
			m := Message{Text: b.Copy(text), Cut: i%7 == 6}
			e, status := p.Append(b, m)
			if i%3 == 2 {
				b.SetHeader(e, HeaderHost, "set by another")
			}
			alone, want := parseAlone(o, m, at, i%3 == 2)
			if diff := cmp.Diff(alone, e.Clone()); diff != "" || status != want {
				t.Fatalf("%+v: message %d, %q: status %v, want %v; (-alone +behind others):\n%s", o, i, text, status, want, diff)
			}
		}
		p.End()
		b.Release()
		at = at.Add(31 * time.Second)
	}
}

func parseAlone(o Options, m Message, at time.Time, set bool) (event.Event, Status) {
	b := event.NewBatch()
	defer b.Release()
	p := NewParser(o)
	p.Begin(at)
	m.Text = b.Copy(m.Text)
	e, status := p.Append(b, m)
	if set {
		b.SetHeader(e, HeaderHost, "set by another")
	}
	return e.Clone(), status
}

// TestAgain parses messages of few heads in random order, a byte of which is another one now and then.
func TestAgain(t *testing.T) {
	stamps := []string{
		"-", "2026-06-15T12:00:00.%06dZ", "2026-06-15T12:00:00.%06dZ", "2026-06-15T12:00:00.%03d+02:00", "2026-06-15T12:00:00.%07dZ", "2026-06-15T12:00:00Z",
		"1960-01-01T00:00:00.%03dZ", "2026-06-15T12:00:00.%03d+99:00", "2026-06-15T12:00:00.%02d", "Jun 15 12:00:00", "Jun  5 12:00:00", "Feb 29 12:00:00",
	}
	heads := []string{"<%d>1 %s host.example.com ", "<%d>1 %s host.example.com ", "<%d>%s h ", "<%d>1 %s - ", "<0%d>2\t%s\th\t", "<%d>%s\n"}
	bodies := []string{"", "-", "app 4711 ID47 - text", "app 1 ID [a@1 x=\"1\" host=\"2\"] text", "ümlaut", "\xff", "a\x00b", "<13>1 - h b"}
	random := rand.New(rand.NewPCG(1, 2))
	for _, o := range allOptions(t) {
		var messages [][]byte
		stamp, head := stamps[0], heads[0]
		for i := range 500 {
			if random.IntN(8) == 0 {
				stamp, head = stamps[random.IntN(len(stamps))], heads[random.IntN(len(heads))]
			}
			written := stamp
			if bytes.IndexByte([]byte(stamp), '%') >= 0 {
				// Mostly the same millisecond as before.
				written = fmt.Sprintf(stamp, i/(1+random.IntN(100)))
			}
			text := []byte(fmt.Sprintf(head, random.IntN(200), written) + bodies[random.IntN(len(bodies))])
			if random.IntN(5) == 0 {
				text[random.IntN(len(text))] = "0 1:.-Z>x\n\xe9"[random.IntN(11)]
			}
			if random.IntN(20) == 0 {
				text = text[:1+random.IntN(len(text))]
			}
			messages = append(messages, text)
		}
		checkAlone(t, o, messages, 100)
	}
}

// TestAgainIsTaken sees that the messages it is meant for are not taken apart, and that their headers share
// the memory of values.
func TestAgainIsTaken(t *testing.T) {
	for _, d := range []Dialect{Stream, Line} {
		p := NewParser(Options{Dialect: d})
		b := event.NewBatch()
		defer b.Release()
		p.Begin(now)
		for i, c := range []struct {
			text  string
			again bool
		}{
			{"<13>1 2026-06-15T12:00:00.000100Z h one", false},
			{"<14>1 2026-06-15T12:00:00.000200Z h two", true},
			{"<14>1 2026-06-15T12:00:00.001200Z h three", true},
			{"<14>1 2026-06-15T12:00:01.001200Z h four", false},
			{"<14>1 2026-06-15T12:00:01.001200Z i five", false},
			{"none", false},
			{"<14>1 2026-06-15T12:00:01.001200Z i six", false},
			{"<14>Jun 15 12:00:01 i seven", false},
			{"<15>Jun 15 12:00:01 i eight", true},
		} {
			if p.Append(b, Message{Text: b.Copy([]byte(c.text))}); p.fields.again != c.again {
				t.Errorf("dialect %v, message %d: again is %v", d, i, p.fields.again)
			}
		}
	}
}

// FuzzAgain does what TestAgain does with lines that it makes up.
func FuzzAgain(f *testing.F) {
	for _, text := range []string{
		"<13>1 2026-06-15T12:00:00.000100Z h a\n<14>1 2026-06-15T12:00:00.000200Z h b\n<14>1 2026-06-15T12:00:00.00020Z h b",
		"<13>Jun 15 12:00:01 i a\n<14>Jun 15 12:00:01 i b\nx\n<14>Jun 15 12:00:01 i b",
		"<13>1 - - a\n<13>1 - - b\n<13>- h c\n<13>- h d", "<1>20031-10-11T22:14:15 h b\n<1>20031-10-11T22:14:15 h c",
	} {
		f.Add([]byte(text))
	}
	all := allOptions(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		var messages [][]byte
		for line := range bytes.SplitSeq(text, []byte("\n")) {
			if len(line) > 0 {
				messages = append(messages, line)
			}
		}
		for _, o := range all {
			checkAlone(t, o, messages, 5)
		}
	})
}
