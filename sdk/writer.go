package sdk

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"
)

// WriterOptions say how what is written becomes events. The zero value of each field is
// its default.
type WriterOptions struct {
	// Headers are those of each event. They must not be changed afterwards.
	Headers map[string]string
	// PerWrite makes one event of each Write, without the newline at its end: for package
	// log and others that write one message at a time. Otherwise each line is an event.
	PerWrite bool
	// MaxLine is the longest line in bytes: 1 MiB. A longer one becomes several events.
	MaxLine int
	// Timeout limits the sending of what one Write has completed; 0 leaves it to the
	// client.
	Timeout time.Duration
}

// Writer is an io.WriteCloser that sends what is written to it. Lines end with \n or \r\n,
// which is no part of the event. Safe for concurrent use.
type Writer struct {
	client Client
	o      WriterOptions

	mu   sync.Mutex
	rest []byte // of a line whose end has not been written
}

// NewWriter returns a writer. The client stays the caller's.
func NewWriter(c Client, o WriterOptions) *Writer {
	fill(&o.MaxLine, 1<<20)
	return &Writer{client: c, o: o}
}

// Write implements io.Writer. It returns when the client has the events that p completes.
// After an error, n is where the first one begins that it does not have: writing p[n:]
// again sends what is missing.
func (w *Writer) Write(p []byte) (n int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.o.PerWrite {
		body := bytes.TrimSuffix(bytes.TrimSuffix(p, newline), carriageReturn)
		if err := w.send([]Event{{Headers: w.o.Headers, Body: body}}); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	events, ends := w.split(p)
	if len(events) == 0 {
		w.rest = append(w.rest, p...)
		return len(p), nil
	}
	if err := w.send(events); err != nil {
		var partly *DeliveryError
		if errors.As(err, &partly) && partly.Delivered > 0 {
			w.rest, n = nil, ends[partly.Delivered-1]
		}
		return n, err
	}
	w.rest = append(w.rest[:0], p[ends[len(ends)-1]:]...)
	return len(p), nil
}

var (
	newline        = []byte("\n")
	carriageReturn = []byte("\r")
)

// split returns the events that end in p, with where they end.
func (w *Writer) split(p []byte) (events []Event, ends []int) {
	begun := w.rest
	for pos := 0; ; {
		room := w.o.MaxLine - len(begun)
		line, _, whole := bytes.Cut(p[pos:], newline)
		cut := len(line) > room
		switch {
		case cut:
			line = line[:room]
			pos += room
		case whole:
			pos += len(line) + 1
		default:
			return events, ends
		}
		body := line
		if len(begun) > 0 {
			body = append(begun[:len(begun):len(begun)], line...)
			begun = nil
		}
		if !cut {
			body = bytes.TrimSuffix(body, carriageReturn)
		}
		events, ends = append(events, Event{Headers: w.o.Headers, Body: body}), append(ends, pos)
	}
}

func (w *Writer) send(events []Event) error {
	ctx := context.Background()
	if w.o.Timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, w.o.Timeout)
		defer cancel()
		ctx = limited
	}
	if len(events) == 1 {
		return w.client.Append(ctx, events[0])
	}
	return w.client.AppendBatch(ctx, events)
}

// Close sends the line whose end was not written, if there is one.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.rest) == 0 {
		return nil
	}
	if err := w.send([]Event{{Headers: w.o.Headers, Body: w.rest}}); err != nil {
		return err
	}
	w.rest = nil
	return nil
}
