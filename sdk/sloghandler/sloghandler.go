// Package sloghandler is a handler for log/slog that sends records to Flume agents.
//
//	client, err := sdk.New(ctx, sdk.Options{Hosts: []string{"collector:4141"}})
//	if err != nil {
//		return err
//	}
//	queue := sdk.NewQueue(client, sdk.QueueOptions{Full: sdk.Drop})
//	defer queue.Close()
//	slog.SetDefault(slog.New(sloghandler.New(queue, sloghandler.Options{})))
//
// Each record is an event: its body is the record in a [Layout], JSON unless another is
// chosen, and its headers are those of Apache Flume's appenders for Log4j, so that what
// reads logs of Java programs reads those of Go programs as well. With a plain client a
// call of a logger returns when an agent has the record, as with these appenders; with a
// [sdk.Queue] it does not wait. A client that balances the load makes the other appender
// of Apache Flume's.
package sloghandler

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/flume-go/flume/sdk"
)

// Headers of events.
const (
	HeaderLogger    = "flume.client.log4j.logger.name"
	HeaderTimestamp = "flume.client.log4j.timestamp" // milliseconds since 1970
	HeaderAddress   = "flume.client.log4j.address"
	HeaderLevel     = "flume.client.log4j.log.level" // a number of Log4j's, see Level
	HeaderEncoding  = "flume.client.log4j.message.encoding"
)

// Options say how records become events. The zero value of each field is its default.
type Options struct {
	// Logger is the name of the logger in the headers: root.
	Logger string
	// Level is the lowest level that is sent: slog.LevelInfo.
	Level slog.Leveler
	// AddSource adds the place of the call to bodies.
	AddSource bool
	// ReplaceAttr changes attributes, as in slog.HandlerOptions. Layouts may have no use
	// for it.
	ReplaceAttr func(groups []string, a slog.Attr) slog.Attr
	// Layout makes the body of a record: JSON.
	Layout Layout
	// Avro, if not nil, makes bodies Avro data instead, for programs that want typed
	// records; events say in a header what their schema is, and not that they are UTF-8.
	Avro *Avro
	// Headers are added to each event.
	Headers map[string]string
	// Address is that of this machine in the headers: its first one that is not of the
	// loopback.
	Address string
	// Timeout limits the sending of a record; 0 leaves it to the client. It does not
	// matter with a Queue that drops.
	Timeout time.Duration
	// Unsafe makes Handle return nil whatever happens. A slog.Logger has no use for
	// errors; it matters to handlers in between.
	Unsafe bool
	// OnError is called with each error, by the goroutine that logs. It must not log by
	// this handler. Without one, standard error has a line when sending begins to
	// fail, and another when it works again.
	OnError func(err error)
}

// Layout returns a handler that writes a record, with a line's end or without, by one
// call of w.Write.
type Layout func(w io.Writer, o *slog.HandlerOptions) slog.Handler

// JSON is slog's JSON object.
func JSON(w io.Writer, o *slog.HandlerOptions) slog.Handler { return slog.NewJSONHandler(w, o) }

// Text is slog's key=value pairs.
func Text(w io.Writer, o *slog.HandlerOptions) slog.Handler { return slog.NewTextHandler(w, o) }

// Message is the message alone, as Apache Flume's appender has it without a layout.
func Message(w io.Writer, o *slog.HandlerOptions) slog.Handler { return message{w, o.Level} }

type message struct {
	w     io.Writer
	level slog.Leveler
}

func (m message) Enabled(_ context.Context, l slog.Level) bool { return l >= m.level.Level() }
func (m message) WithAttrs([]slog.Attr) slog.Handler           { return m }
func (m message) WithGroup(string) slog.Handler                { return m }

func (m message) Handle(_ context.Context, r slog.Record) error {
	_, err := io.WriteString(m.w, r.Message)
	return err
}

// Handler is a slog.Handler that sends records. Safe for concurrent use.
type Handler struct {
	layout slog.Handler // writes to shared.body
	logger string
	shared *shared
}

var _ slog.Handler = (*Handler)(nil)

// shared is what a handler and those derived from it have in common.
type shared struct {
	client  sdk.Client
	o       Options
	headers map[string]string // of all records

	laying sync.Mutex // held while a record is laid out
	body   bytes.Buffer

	telling sync.Mutex
	failing bool
}

// New returns a handler. The client stays the caller's, who closes it in the end.
func New(c sdk.Client, o Options) *Handler {
	if o.Logger == "" {
		o.Logger = "root"
	}
	if o.Level == nil {
		o.Level = slog.LevelInfo
	}
	if o.Layout == nil {
		o.Layout = JSON
	}
	if o.Address == "" {
		o.Address = address()
	}
	s := &shared{client: c, o: o, headers: maps.Clone(o.Headers)}
	if s.headers == nil {
		s.headers = map[string]string{}
	}
	s.headers[HeaderAddress] = o.Address
	if o.Avro != nil {
		o.Layout = o.Avro.layout
		s.headers[o.Avro.header] = o.Avro.value
	} else {
		s.headers[HeaderEncoding] = "UTF8"
	}
	layout := o.Layout(&s.body, &slog.HandlerOptions{Level: o.Level, AddSource: o.AddSource, ReplaceAttr: o.ReplaceAttr})
	return &Handler{layout: layout, logger: o.Logger, shared: s}
}

// address returns the first address of this machine that others may know it by.
func address() string {
	addrs, err := net.InterfaceAddrs()
	if err == nil {
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
				return n.IP.String()
			}
		}
	}
	return "127.0.0.1"
}

// Named returns a handler whose records have another name of a logger in their headers.
func (h *Handler) Named(logger string) *Handler {
	return &Handler{layout: h.layout, logger: logger, shared: h.shared}
}

// Enabled implements slog.Handler.
func (h *Handler) Enabled(_ context.Context, l slog.Level) bool {
	return l >= h.shared.o.Level.Level()
}

// WithAttrs implements slog.Handler.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Handler{layout: h.layout.WithAttrs(attrs), logger: h.logger, shared: h.shared}
}

// WithGroup implements slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{layout: h.layout.WithGroup(name), logger: h.logger, shared: h.shared}
}

// Handle implements slog.Handler. It returns when the client has the record.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	err := h.send(ctx, r)
	h.shared.tell(err)
	if h.shared.o.Unsafe {
		return nil
	}
	return err
}

func (h *Handler) send(ctx context.Context, r slog.Record) error {
	body, err := h.shared.lay(ctx, h.layout, r)
	if err != nil {
		return fmt.Errorf("laying out a record: %w", err)
	}
	headers := maps.Clone(h.shared.headers)
	headers[HeaderLogger] = h.logger
	headers[HeaderLevel] = strconv.Itoa(Level(r.Level))
	if !r.Time.IsZero() {
		headers[HeaderTimestamp] = strconv.FormatInt(r.Time.UnixMilli(), 10)
	}
	// A request that has ended is no reason to lose what was logged about it.
	ctx = context.WithoutCancel(ctx)
	if h.shared.o.Timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, h.shared.o.Timeout)
		defer cancel()
		ctx = limited
	}
	return h.shared.client.Append(ctx, sdk.Event{Headers: headers, Body: body})
}

// lay returns the body of a record.
func (s *shared) lay(ctx context.Context, layout slog.Handler, r slog.Record) ([]byte, error) {
	s.laying.Lock()
	defer s.laying.Unlock()
	s.body.Reset()
	if err := layout.Handle(ctx, r); err != nil {
		return nil, err
	}
	if s.o.Avro != nil {
		return bytes.Clone(s.body.Bytes()), nil
	}
	return bytes.Clone(bytes.TrimSuffix(s.body.Bytes(), []byte("\n"))), nil
}

// tell tells of what became of a record.
func (s *shared) tell(err error) {
	if s.o.OnError != nil {
		if err != nil {
			s.o.OnError(err)
		}
		return
	}
	s.telling.Lock()
	defer s.telling.Unlock()
	switch {
	case err != nil && !s.failing:
		fmt.Fprintf(os.Stderr, "%s log records cannot be sent to Flume: %v\n", time.Now().Format(time.RFC3339), err)
	case err == nil && s.failing:
		fmt.Fprintf(os.Stderr, "%s log records can be sent to Flume again\n", time.Now().Format(time.RFC3339))
	}
	s.failing = err != nil
}

// Level returns the number that Log4j has for a level: that of TRACE below slog.LevelDebug,
// of FATAL from four above slog.LevelError on, and else of DEBUG, INFO, WARN or ERROR.
func Level(l slog.Level) int {
	const trace, debug, info, warn, err, fatal = 5000, 10000, 20000, 30000, 40000, 50000
	switch {
	case l < slog.LevelDebug:
		return trace
	case l < slog.LevelInfo:
		return debug
	case l < slog.LevelWarn:
		return info
	case l < slog.LevelError:
		return warn
	case l < slog.LevelError+4:
		return err
	default:
		return fatal
	}
}
