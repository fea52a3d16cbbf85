package logging

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

func at() time.Time { return time.Date(2026, 11, 22, 14, 8, 40, 123456789, time.UTC) }

// TestLines compares whole lines: people and their scripts read them.
func TestLines(t *testing.T) {
	tests := []struct {
		name  string
		with  func(*slog.Logger) *slog.Logger
		level slog.Level
		msg   string
		attrs []any
		want  string
	}{
		{"plain", nil, slog.LevelInfo, "agent is up", nil, "2026-11-22 14:08:40,123 INFO  agent is up\n"},
		{"attributes", nil, slog.LevelWarn, "slow", []any{"after", 3 * time.Second, "n", 5}, "2026-11-22 14:08:40,123 WARN  slow  after=3s n=5\n"},
		{"component", func(l *slog.Logger) *slog.Logger { return l.With("source", "r1") }, slog.LevelInfo, "running", []any{"port", 44444}, "2026-11-22 14:08:40,123 INFO  [source r1] running  port=44444\n"},
		{"component within one", func(l *slog.Logger) *slog.Logger { return l.With("source", "r1").With("interceptor", "i1") }, slog.LevelError, "failed", nil, "2026-11-22 14:08:40,123 ERROR [source r1 interceptor i1] failed\n"},
		{"component and more", func(l *slog.Logger) *slog.Logger { return l.With("agent", "a1", "sink", "k1") }, slog.LevelDebug, "m", []any{"x", 1}, "2026-11-22 14:08:40,123 DEBUG [sink k1] m  agent=a1 x=1\n"},
		{"quoted", nil, slog.LevelInfo, "m", []any{"empty", "", "space", "a b", "quote", `a"b`, "equals", "a=b", "line", "a\nb"}, `2026-11-22 14:08:40,123 INFO  m  empty="" space="a b" quote="a\"b" equals="a=b" line="a\nb"` + "\n"},
		{"not printable", nil, slog.LevelInfo, "bell\a esc\x1b[31m", []any{"k", "\x1b[0m"}, `2026-11-22 14:08:40,123 INFO  bell\a esc\x1b[31m  k="\x1b[0m"` + "\n"},
		{"other scripts", nil, slog.LevelInfo, "größe 大小", []any{"k", "größe"}, "2026-11-22 14:08:40,123 INFO  größe 大小  k=größe\n"},
		{"error", nil, slog.LevelError, "m", []any{"error", errors.New("opening x: no such file")}, `2026-11-22 14:08:40,123 ERROR m  error="opening x: no such file"` + "\n"},
		{"group", func(l *slog.Logger) *slog.Logger { return l.WithGroup("g").With("a", 1) }, slog.LevelInfo, "m", []any{"b", 2, slog.Group("h", "c", 3)}, "2026-11-22 14:08:40,123 INFO  m  g.a=1 g.b=2 g.h.c=3\n"},
		{"a component's key in a group is an attribute", func(l *slog.Logger) *slog.Logger { return l.WithGroup("g").With("sink", "k1") }, slog.LevelInfo, "m", nil, "2026-11-22 14:08:40,123 INFO  m  g.sink=k1\n"},
		{"empty attribute", nil, slog.LevelInfo, "m", []any{slog.Attr{}, "a", 1}, "2026-11-22 14:08:40,123 INFO  m  a=1\n"},
		{"value that resolves itself", nil, slog.LevelInfo, "m", []any{"k", valuer("v")}, "2026-11-22 14:08:40,123 INFO  m  k=resolved-v\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			l, err := New(&b, "text", slog.LevelDebug)
			if err != nil {
				t.Fatal(err)
			}
			if tt.with != nil {
				l = tt.with(l)
			}
			r := slog.NewRecord(at(), tt.level, tt.msg, 0)
			r.Add(tt.attrs...)
			if err := l.Handler().Handle(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if b.String() != tt.want {
				t.Errorf("got  %q\nwant %q", b.String(), tt.want)
			}
		})
	}
}

type valuer string

func (v valuer) LogValue() slog.Value { return slog.StringValue("resolved-" + string(v)) }

// TestWithDoesNotShare derives two loggers from one.
func TestWithDoesNotShare(t *testing.T) {
	var b bytes.Buffer
	base, err := New(&b, "", slog.LevelInfo)
	if err != nil {
		t.Fatal(err)
	}
	base = base.With("a", 1)
	one, two := base.With("b", 2), base.With("c", 3)
	one.Info("one")
	two.Info("two")
	base.Info("base")
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	for i, want := range []string{"one  a=1 b=2", "two  a=1 c=3", "base  a=1"} {
		if !strings.HasSuffix(lines[i], "INFO  "+want) {
			t.Errorf("line %q, want %q at its end", lines[i], want)
		}
	}
}

func TestLevels(t *testing.T) {
	var b bytes.Buffer
	var level slog.LevelVar
	l, err := New(&b, "text", &level)
	if err != nil {
		t.Fatal(err)
	}
	l.Debug("hidden")
	level.Set(slog.LevelDebug)
	l.Debug("shown")
	level.Set(slog.LevelError)
	l.Warn("hidden")
	if got := b.String(); strings.Contains(got, "hidden") || !strings.Contains(got, "DEBUG shown") {
		t.Errorf("log:\n%s", got)
	}
}

func TestParseLevel(t *testing.T) {
	for name, want := range map[string]slog.Level{
		"": slog.LevelInfo, "info": slog.LevelInfo, " INFO ": slog.LevelInfo, "ALL": slog.LevelDebug, "trace": slog.LevelDebug, "Debug": slog.LevelDebug,
		"WARN": slog.LevelWarn, "warning": slog.LevelWarn, "ERROR": slog.LevelError, "fatal": slog.LevelError, "OFF": slog.LevelError + 4,
	} {
		if got, err := ParseLevel(name); err != nil || got != want {
			t.Errorf("ParseLevel(%q) = %v, %v, want %v", name, got, err, want)
		}
	}
	if _, err := ParseLevel("loud"); err == nil || !strings.Contains(err.Error(), `"loud"`) {
		t.Errorf("error %v", err)
	}
	if off, _ := ParseLevel("OFF"); slog.New(&handler{level: off}).Enabled(context.Background(), slog.LevelError) {
		t.Error("errors are logged though the log is off")
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	l, err := New(&b, "json", slog.LevelInfo)
	if err != nil {
		t.Fatal(err)
	}
	l.With("source", "r1").Info("running", "port", 5)
	var line map[string]any
	if err := json.Unmarshal(b.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if line["msg"] != "running" || line["source"] != "r1" || line["port"] != 5.0 {
		t.Errorf("line %v", line)
	}
	if _, err := New(&b, "xml", slog.LevelInfo); err == nil || !strings.Contains(err.Error(), `"xml"`) {
		t.Errorf("error %v", err)
	}
}

// TestLinesStayWhole writes from several goroutines at once.
func TestLinesStayWhole(t *testing.T) {
	var w whole
	l, err := New(&w, "text", slog.LevelInfo)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 100 {
				l.With("source", fmt.Sprint("r", g)).Info("m", "i", i)
			}
		})
	}
	wg.Wait()
	if w.writes != 400 || w.torn > 0 {
		t.Errorf("%d writes, %d torn", w.writes, w.torn)
	}
}

// whole counts writes that are not one line. The handler's lock guards it.
type whole struct{ writes, torn int }

func (w *whole) Write(p []byte) (int, error) {
	w.writes++
	if bytes.Count(p, []byte("\n")) != 1 || p[len(p)-1] != '\n' {
		w.torn++
	}
	return len(p), nil
}
