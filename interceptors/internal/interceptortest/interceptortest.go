// Package interceptortest makes interceptors from configurations, and batches for
// them, in the tests of the interceptors.
package interceptortest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
)

// Settings are the properties of an interceptor, without its type.
type Settings map[string]string

// Bench is an interceptor with what a test looks at besides it.
type Bench struct {
	flow.Interceptor
	Log     *bytes.Buffer
	Metrics *metrics.Set
}

// New makes and opens an interceptor as the agent does.
func New(t testing.TB, typ string, settings Settings) *Bench {
	t.Helper()
	d := decode(t, typ, settings)
	if d.Failed() {
		t.Fatalf("decoding: %v", d.Problems)
	}
	log := new(bytes.Buffer)
	set := metrics.NewSet(metrics.KindSource, "r1")
	env := component.Env{Agent: "a1", Name: "i1", Log: slog.New(slog.NewTextHandler(log, nil)), Metrics: set}
	i, err := component.New[flow.Interceptor](d, env, nil)
	if err != nil {
		t.Fatal(err)
	}
	if l, ok := i.(flow.Lifecycle); ok {
		if err := l.Open(context.Background()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := l.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	return &Bench{Interceptor: i, Log: log, Metrics: set}
}

// Run intercepts a batch and returns its events as Show writes them.
func (b *Bench) Run(t testing.TB, batch *event.Batch) []string {
	t.Helper()
	if err := b.Intercept(batch); err != nil {
		t.Fatal(err)
	}
	return Show(batch)
}

// Counter returns the value of one of the interceptor's own counters.
func (b *Bench) Counter(name string) int { return int(b.Metrics.OwnCounter(name, "").Value()) }

// Problems decodes and checks a configuration and returns what it reports, one
// line "severity: key: what; remedy" for each.
func Problems(t testing.TB, typ string, settings Settings) []string {
	t.Helper()
	var out []string
	for _, p := range decode(t, typ, settings).Problems {
		out = append(out, fmt.Sprintf("%s: %s: %s; %s", p.Severity, p.Key, p.What, p.Remedy))
	}
	return out
}

// ExpectProblems fails the test unless the configuration has as many problems as
// there are wanted ones, each of which contains the wanted text.
func ExpectProblems(t testing.TB, typ string, settings Settings, want ...string) {
	t.Helper()
	got := Problems(t, typ, settings)
	ok := len(got) == len(want)
	for i := 0; ok && i < len(want); i++ {
		ok = strings.Contains(got[i], want[i])
	}
	if !ok {
		t.Errorf("%v:\n got %q\nwant %q", settings, got, want)
	}
}

func decode(t testing.TB, typ string, settings Settings) *component.Decoded {
	t.Helper()
	e, ok := component.Lookup(component.KindInterceptor, typ)
	if !ok {
		t.Fatalf("no interceptor %q is registered", typ)
	}
	values := property.Settings{}
	for k, v := range settings {
		values[k] = property.Value{Text: v, Raw: v, At: property.Position{File: "test.conf", Line: 1}}
	}
	return component.Decode(e, values, component.Scope{At: property.Position{File: "test.conf", Line: 1}})
}

// Batch makes a batch of events given as "body" or "body|key=value|key=value".
// Bodies and headers are memory of the batch.
func Batch(events ...string) *event.Batch {
	b := event.NewBatch()
	for _, text := range events {
		parts := strings.Split(text, "|")
		b.AppendCopy([]byte(parts[0]))
		e := b.At(b.Len() - 1)
		for _, h := range parts[1:] {
			k, v, _ := strings.Cut(h, "=")
			b.SetHeader(e, b.String([]byte(k)), b.String([]byte(v)))
		}
	}
	return b
}

// Show returns the text form of the events of a batch, in memory of its own.
func Show(b *event.Batch) []string {
	out := []string{}
	for i := range b.Events() {
		e := b.At(i)
		var s strings.Builder
		s.Write(e.Body)
		for _, h := range e.Headers {
			s.WriteString("|" + h.Key + "=" + h.Value)
		}
		out = append(out, s.String())
	}
	return out
}
