package logger

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
)

// records keeps what is logged.
type records struct {
	slog.Handler
	attrs string
	list  *[]string
}

func (r records) Handle(_ context.Context, rec slog.Record) error {
	*r.list = append(*r.list, rec.Level.String()+r.attrs+" "+rec.Message)
	return nil
}

func (r records) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		r.attrs += " " + a.String()
	}
	return r
}

// deliver sends events made by add through a sink with these properties and
// returns what it logs.
func deliver(t *testing.T, level slog.Level, props property.Settings, add func(*event.Batch)) []string {
	t.Helper()
	e, ok := component.Lookup(component.KindSink, "LOGGER")
	if !ok {
		t.Fatal("logger is not registered")
	}
	d := component.Decode(e, props, component.Scope{})
	if d.Failed() {
		t.Fatal(d.Problems)
	}
	var got []string
	handler := records{Handler: slog.NewTextHandler(new(bytes.Buffer), &slog.HandlerOptions{Level: level}), list: &got}
	s, err := component.New[flow.Sink](d, component.Env{Log: slog.New(handler), Metrics: metrics.NewSet(metrics.KindSink, "k1")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := event.NewBatch()
	defer b.Release()
	add(b)
	if err := s.Deliver(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestMessages(t *testing.T) {
	twenty := "ABCDEFGHIJKLMNOPQRST"
	for _, c := range []struct {
		name, max, body string
		headers         []event.Header
		want            string
	}{
		{"Flume's example", "", "Hello\r", nil,
			"{ headers:{} body: 48 65 6C 6C 6F 0D                               Hello. }"},
		{"empty", "", "", nil, "{ headers:{} body: }"},
		{"headers", "", "x", []event.Header{{Key: "host", Value: "web 1"}, {Key: "b", Value: ""}},
			"{ headers:{host=web 1, b=} body: 78                                              x }"},
		{"cut at 16", "", twenty, nil,
			"{ headers:{} body: 41 42 43 44 45 46 47 48 49 4A 4B 4C 4D 4E 4F 50 ABCDEFGHIJKLMNOP }"},
		{"two lines", "18", twenty, nil,
			"{ headers:{} body: 41 42 43 44 45 46 47 48 49 4A 4B 4C 4D 4E 4F 50 ABCDEFGHIJKLMNOP\n" +
				"00000010 51 52                                           QR }"},
		{"not ASCII", "4", "~\x7f\x1f\xff", nil,
			"{ headers:{} body: 7E 7F 1F FF                                     ~... }"},
		{"nothing shown", "0", "x", nil,
			"{ headers:{} body:...Exception while dumping: illegal index: 0 into array of length 0 }"},
		{"nothing to show", "0", "", nil, "{ headers:{} body: }"},
		{"bad limit", "many", twenty, nil,
			"{ headers:{} body: 41 42 43 44 45 46 47 48 49 4A 4B 4C 4D 4E 4F 50 ABCDEFGHIJKLMNOP }"},
	} {
		props := property.Settings{}
		if c.max != "" {
			props["maxBytesToLog"] = property.Value{Text: c.max}
		}
		got := deliver(t, slog.LevelInfo, props, func(b *event.Batch) {
			ev := b.AppendCopy([]byte(c.body))
			for _, h := range c.headers {
				b.SetHeader(ev, h.Key, h.Value)
			}
		})
		want := "INFO logger=org.apache.flume.sink.LoggerSink Event: " + c.want
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s:\n%q\nwant\n%q", c.name, got, want)
		}
	}
}

func TestWholeBatchesInOrder(t *testing.T) {
	got := deliver(t, slog.LevelDebug, nil, func(b *event.Batch) {
		for _, body := range []string{"a", "b", "c"} {
			b.AppendCopy([]byte(body))
		}
	})
	if len(got) != 3 || !strings.Contains(got[0], "a }") || !strings.Contains(got[2], "c }") {
		t.Errorf("logged %q", got)
	}
}

func TestSilentAboveInfo(t *testing.T) {
	got := deliver(t, slog.LevelWarn, nil, func(b *event.Batch) { b.AppendCopy([]byte("a")) })
	if len(got) != 0 {
		t.Errorf("logged %q", got)
	}
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte("Hello\r"), "host", 16)
	f.Add(bytes.Repeat([]byte{0xff}, 100), "", 33)
	f.Fuzz(func(t *testing.T, body []byte, header string, limit int) {
		if limit < 1 {
			return
		}
		ev := event.Event{Headers: []event.Header{{Key: header, Value: header}}, Body: body}
		got := string(appendEvent(nil, &ev, limit))
		head := "Event: { headers:{" + header + "=" + header + "} body:"
		dump, ok := strings.CutPrefix(got, head)
		if !ok || !strings.HasSuffix(dump, " }") {
			t.Fatalf("message %q", got)
		}
		// Read the dump back: 16 columns of three from the ninth on.
		var back []byte
		dump = strings.TrimSuffix(dump, " }")
		if len(body) > 0 {
			dump = "00000000" + dump
			for _, line := range strings.Split(dump, "\n") {
				for col := 9; col < 9+3*16 && line[col] != ' '; col += 3 {
					back = append(back, unhex(line[col])<<4|unhex(line[col+1]))
				}
			}
		}
		if !bytes.Equal(back, body[:min(len(body), limit)]) {
			t.Errorf("the dump of %x reads %x", body, back)
		}
	})
}

func unhex(c byte) byte { return byte(strings.IndexByte("0123456789ABCDEF", c)) }
