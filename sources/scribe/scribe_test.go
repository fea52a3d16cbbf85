package scribe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
)

// events is an emitter that writes down what it gets.
type events struct {
	text strings.Builder
	fail error
}

func (e *events) Emit(_ context.Context, b *event.Batch) error {
	if e.fail != nil {
		return e.fail
	}
	for i := range b.Len() {
		fmt.Fprintf(&e.text, "%v %s|", b.At(i).Headers, b.At(i).Body)
	}
	return nil
}

// TestAnswers: every call is answered with a result, whatever it lacks.
func TestAnswers(t *testing.T) {
	noList := "\x00\x00\x00\x0c\x00\x00\x00\x03Log\x01\x00\x00\x00\x01\x00" // with an old head
	noList = "\x00\x00\x00\x0d" + noList[4:]
	for name, c := range map[string]struct {
		request string
		fail    error
		answer  string
		events  string
		readErr int64
	}{
		"entries":     {string(frame([][2]string{{"a", "x"}, {"b", "yé"}})), nil, answer(0), "[{category a}] x|[{category b}] yé|", 0},
		"no category": {string(frame([][2]string{{"", "x"}})), nil, answer(0), "[] x|", 0},
		"no entry":    {string(frame(nil)), nil, answer(0), "", 0},
		"no message":  {string(frame([][2]string{{"a", "x"}, {"b", ""}})), nil, answer(1), "", 1},
		"no list":     {noList, nil, answer(1), "", 1},
		"full":        {string(frame([][2]string{{"a", "x"}})), errors.New("full"), answer(1), "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			out := &events{fail: c.fail}
			set := metrics.NewSet(metrics.KindSource, "r1")
			made, err := New(Config{}, component.Env{Name: "r1", FS: vfs.OS{}, Metrics: set, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			s := made.(*source)
			if s.cfg.Workers != 5 || s.cfg.MaxReadBuffer != 16_384_000 {
				t.Errorf("configured as %+v", s.cfg)
			}
			s.cfg.Bind = "127.0.0.1"
			told := make(chan string, 1)
			s.env.Log = slog.New(addresses{slog.DiscardHandler, told})
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx, out) }()
			conn, err := net.Dial("tcp", <-told)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(20 * time.Second))
			io.WriteString(conn, c.request)
			got := make([]byte, len(c.answer))
			if _, err := io.ReadFull(conn, got); err != nil || string(got) != c.answer {
				t.Errorf("answered %q, %v", got, err)
			}
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run returned %v", err)
			}
			if got := out.text.String(); got != c.events {
				t.Errorf("events %q, not %q", got, c.events)
			}
			if got := set.Counter("EventReadFail").Value(); got != c.readErr {
				t.Errorf("EventReadFail is %d", got)
			}
		})
	}
}

// addresses is a log that tells where the source listens.
type addresses struct {
	slog.Handler
	told chan string
}

// Enabled implements slog.Handler.
func (a addresses) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (a addresses) Handle(_ context.Context, rec slog.Record) error {
	rec.Attrs(func(attr slog.Attr) bool {
		if attr.Key == "address" {
			a.told <- attr.Value.String()
		}
		return true
	})
	return nil
}

func TestConfig(t *testing.T) {
	entry, ok := component.Lookup(component.KindSource, "org.apache.flume.source.scribe.ScribeSource")
	if !ok {
		t.Fatal("Flume's name of the class is not known")
	}
	d := component.Decode(entry, property.Settings{}, component.Scope{Prefix: "a1.sources.r1."})
	if c := d.Config.(Config); d.Failed() || c.Port != 1499 || c.Workers != 5 || c.MaxReadBuffer != 16_384_000 {
		t.Errorf("without properties: %+v, %v", c, d.Problems)
	}
	if claims := d.Config.(Config).Claims(); len(claims) != 1 || claims[0].ID != "1499" {
		t.Errorf("claims %v", claims)
	}
}
