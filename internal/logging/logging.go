// Package logging writes the program's own log: lines for people, laid out as
// Flume's users know them, or JSON for machines.
package logging

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
)

// timeLayout is log4j's ISO8601 layout, which Flume's own configuration uses.
const timeLayout = "2006-01-02 15:04:05,000"

// New returns a logger that writes to w. format is "text" or "json".
func New(w io.Writer, format string, level slog.Leveler) (*slog.Logger, error) {
	switch format {
	case "", "text":
		return slog.New(&handler{w: w, mu: new(sync.Mutex), level: level}), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})), nil
	default:
		return nil, fmt.Errorf("log format %q is neither text nor json", format)
	}
}

// ParseLevel reads a level by its name in log4j or slog; case does not count.
func ParseLevel(s string) (slog.Level, error) {
	switch strings.ToUpper(strings.TrimSpace(s)) {
	case "ALL", "TRACE", "DEBUG":
		return slog.LevelDebug, nil
	case "", "INFO":
		return slog.LevelInfo, nil
	case "WARN", "WARNING":
		return slog.LevelWarn, nil
	case "ERROR", "FATAL":
		return slog.LevelError, nil
	case "OFF":
		return slog.LevelError + 4, nil
	}
	return 0, fmt.Errorf("log level %q is none of DEBUG, INFO, WARN, ERROR, OFF", s)
}

// handler lays a record out as one line:
//
//	2026-11-22 14:08:40,123 INFO  [source r1] source is running  port=44444
//
// A component's own attribute becomes the bracket; all others follow the
// message. Messages are written as they are, so that what Flume's logger sink
// printed can be found by the same grep; line ends in them are escaped.
type handler struct {
	w      io.Writer
	mu     *sync.Mutex
	level  slog.Leveler
	who    string
	attrs  []byte
	prefix string // of groups
}

// components are the attribute keys that name who speaks.
var components = map[string]bool{
	"source": true, "channel": true, "sink": true, "sinkgroup": true, "interceptor": true,
	"sink processor": true, "channel selector": true, "serializer": true,
}

func (h *handler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.attrs = bytes.Clone(h.attrs)
	for _, a := range attrs {
		if c.prefix == "" && components[a.Key] {
			c.who = strings.TrimSpace(c.who + " " + a.Key + " " + a.Value.String())
			continue
		}
		c.attrs = appendAttr(c.attrs, c.prefix, a)
	}
	return &c
}

func (h *handler) WithGroup(name string) slog.Handler {
	c := *h
	c.prefix += name + "."
	return &c
}

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	b := make([]byte, 0, 256)
	when := r.Time
	if when.IsZero() {
		when = time.Now()
	}
	b = when.AppendFormat(b, timeLayout)
	b = fmt.Appendf(b, " %-5s ", r.Level)
	if h.who != "" {
		b = append(b, '[')
		b = append(b, h.who...)
		b = append(b, "] "...)
	}
	b = append(b, oneLine(r.Message)...)
	tail := append([]byte(nil), h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		tail = appendAttr(tail, h.prefix, a)
		return true
	})
	if len(tail) > 0 {
		b = append(b, ' ')
		b = append(b, tail...)
	}
	b = append(b, '\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := h.w.Write(b)
	return err
}

func appendAttr(b []byte, prefix string, a slog.Attr) []byte {
	v := a.Value.Resolve()
	if a.Equal(slog.Attr{}) {
		return b
	}
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, g := range v.Group() {
			b = appendAttr(b, prefix, g)
		}
		return b
	}
	b = append(b, ' ')
	b = append(b, prefix...)
	b = append(b, a.Key...)
	b = append(b, '=')
	s := v.String()
	if s == "" || strings.ContainsAny(s, " \t\r\n\"=") || !printable(s) {
		return strconv.AppendQuote(b, s)
	}
	return append(b, s...)
}

func printable(s string) bool {
	for _, r := range s {
		if !strconv.IsPrint(r) {
			return false
		}
	}
	return true
}

// oneLine keeps a message on its line: what is not printable is escaped, but a
// hex dump's line ends, which Flume prints as they are.
func oneLine(s string) string {
	if printable(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if r == '\n' || r == '\t' || strconv.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		q := strconv.QuoteRune(r)
		b.WriteString(q[1 : len(q)-1])
	}
	return b.String()
}
