package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
	"github.com/flume-go/flume/sdk"
	_ "github.com/flume-go/flume/sources/spooldir" // reads directories
)

// shipment sends events with the same headers.
type shipment struct {
	client    sdk.Client
	headers   map[string]string
	size      int // of batches
	log       *slog.Logger
	delivered atomic.Int64
}

func (s *shipment) send(ctx context.Context, events []sdk.Event) error {
	err := s.client.AppendBatch(ctx, events)
	if err == nil {
		s.delivered.Add(int64(len(events)))
		return nil
	}
	var partly *sdk.DeliveryError
	if errors.As(err, &partly) {
		s.delivered.Add(int64(partly.Delivered))
	}
	return err
}

// mostLine is the longest line that is taken into memory.
const mostLine = 64 << 20

// lines sends the lines of r, when a batch of them is full and in the end. A read that
// waits, as that of a terminal does, is left behind when ctx ends: the program ends then.
func (s *shipment) lines(ctx context.Context, r io.Reader) error {
	result := make(chan error, 1)
	go func() { result <- s.readLines(ctx, r) }()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *shipment) readLines(ctx context.Context, r io.Reader) error {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 64<<10), mostLine)
	in.Split(javaLines)
	var batch []sdk.Event
	for in.Scan() {
		batch = append(batch, sdk.Event{Headers: s.headers, Body: bytes.Clone(in.Bytes())})
		if len(batch) < s.size {
			continue
		}
		if err := s.send(ctx, batch); err != nil {
			return err
		}
		batch = batch[:0]
	}
	if err := s.send(ctx, batch); err != nil {
		return err
	}
	if errors.Is(in.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("a line is longer than %d bytes; cut it, or send the text by another way", mostLine)
	}
	return in.Err()
}

// javaLines is a bufio.SplitFunc for lines that end in \n, \r or \r\n.
func javaLines(data []byte, atEOF bool) (advance int, line []byte, err error) {
	i := bytes.IndexAny(data, "\r\n")
	switch {
	case i < 0 && atEOF && len(data) > 0:
		return len(data), data, nil
	case i < 0:
		return 0, nil, nil
	case data[i] == '\n':
		return i + 1, data[:i], nil
	case i+1 < len(data) && data[i+1] == '\n':
		return i + 2, data[:i], nil
	case i+1 < len(data) || atEOF:
		return i + 1, data[:i], nil
	default:
		return 0, nil, nil // \n may follow
	}
}

// sentSuffix is what Flume puts behind the name of a file of --dirname that was sent. It
// means the value of a constant and takes its name; who has scripts counts on it.
const sentSuffix = "fileSuffix"

// asideSuffix is behind the names of files that cannot be decoded.
const asideSuffix = ".FAILED"

// directory sends the files of a directory, by the source for such directories, and
// returns when none is left.
func (s *shipment) directory(ctx context.Context, dir string) error {
	counts := metrics.NewSet(metrics.KindSource, "avro-client")
	source, err := s.source(dir, counts)
	if err != nil {
		return err
	}
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := source.Run(working, &sender{s, stop}); err != nil {
			stop(err)
		}
	}()
	err = s.waitFor(working, dir, counts)
	stop(errSent)
	<-ended
	switch cause := context.Cause(working); {
	case err != nil:
		return err
	case !errors.Is(cause, errSent):
		return cause
	}
	if n := counts.OwnCounter("set_aside_files", "").Value(); n > 0 {
		return fmt.Errorf("option --dirname: %d files could not be decoded; their names end in %s now", n, asideSuffix)
	}
	return nil
}

// errSent says that no file is left.
var errSent = errors.New("all files are sent")

func (s *shipment) source(dir string, counts *metrics.Set) (flow.Source, error) {
	entry, ok := component.Lookup(component.KindSource, "spooldir")
	if !ok {
		return nil, errors.New("option --dirname: this program was built without the source spooldir")
	}
	settings := property.Settings{}
	for k, v := range map[string]string{
		"spoolDir": dir, "fileSuffix": sentSuffix, "failedSuffix": asideSuffix, "batchSize": strconv.Itoa(s.size),
	} {
		settings[k] = property.Value{Text: v, Raw: v}
	}
	d := component.Decode(entry, settings, component.Scope{})
	if d.Failed() {
		return nil, fmt.Errorf("option --dirname: %w", d.Problems)
	}
	return component.New[flow.Source](d, component.Env{
		Agent: "avro-client", Name: "avro-client", Log: s.log, Metrics: counts, FS: vfs.OS{},
	}, nil)
}

// look is how often a directory is looked at for files that are left.
const look = 20 * time.Millisecond

// waitFor returns when no file is left, or ctx ends, or a file cannot be read.
func (s *shipment) waitFor(ctx context.Context, dir string, counts *metrics.Set) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	unreadable := counts.Counter("GenericProcessingFail")
	for {
		left, err := filesLeft(dir)
		if err != nil || left == 0 {
			return err
		}
		if unreadable.Value() > 0 {
			return fmt.Errorf("option --dirname: %d files of %s are left, and one of them cannot be read; see above", left, dir)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil // the cause tells why
		}
	}
}

// filesLeft returns how many files of a directory are to be sent.
func filesLeft(dir string) (int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, fmt.Errorf("option --dirname: %w", err)
	}
	n := 0
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || strings.HasSuffix(name, sentSuffix) || strings.HasSuffix(name, asideSuffix) {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, name))
		if err == nil && info.Mode().IsRegular() {
			n++
		}
	}
	return n, nil
}

// sender is where the source for directories puts its events.
type sender struct {
	*shipment
	stop context.CancelCauseFunc
}

// Emit implements flow.Emitter. What fails once is not tried again, but by another run.
func (s *sender) Emit(ctx context.Context, b *event.Batch) error {
	events := make([]sdk.Event, b.Len())
	for i := range events {
		e := b.At(i)
		events[i] = sdk.Event{Headers: s.headers, Body: e.Body}
	}
	err := s.send(ctx, events)
	if err != nil {
		s.stop(err)
	}
	return err
}
