package roles

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/flume-go/flume/bench/proc"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/wal"
)

// numberBytes is what the number takes at the start of each staged event: the proof, when they are
// read, that all are there and in order.
const numberBytes = 8

// stage puts numbered events into a log, which it goes on with if there is one. Then it closes the log
// and says "done"; with -hang it says "done" first and puts on until it is killed.
func stage(ctx context.Context, args []string, std Streams) error {
	flags := flag.NewFlagSet("stage", flag.ContinueOnError)
	dir := flags.String("dir", ".", "`directory` of the log")
	size := flags.Int64("bytes", 0, "`bytes` of events to put")
	batch := flags.Int("batch", 1000, "events of a batch")
	body := flags.Int("body", 512, "`bytes` of an event")
	hang := flags.Bool("hang", false, "put on until killed, each batch with a sync")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *batch < 1 || *body < numberBytes {
		return fmt.Errorf("-batch must be positive and -body at least %d", numberBytes)
	}
	ctx, cancel := std.untilEnd(ctx)
	defer cancel()
	options := backlogOptions(*dir)
	if !*hang {
		options.Sync = wal.SyncDelayed // a backlog that a clean close makes durable
	}
	log, err := wal.Open(options)
	if err != nil {
		return err
	}
	s := stager{log: log, batch: *batch, body: *body, next: uint64(log.Stats().Events)}
	err = s.put(ctx, *size)
	if *hang && err == nil {
		if err = std.sayDone(s.next); err == nil {
			err = s.put(ctx, 1<<62)
		}
	}
	if err := errors.Join(err, log.Close()); err != nil {
		return err
	}
	return std.sayDone(s.next)
}

// backlogOptions are those of a log that is filled and then read.
func backlogOptions(dir string) wal.Options {
	return wal.Options{Dirs: []string{dir}, CheckpointDir: dir}
}

// stager makes events and puts them.
type stager struct {
	log         *wal.Log
	batch, body int
	next        uint64 // number of the next event
}

func (s *stager) put(ctx context.Context, size int64) error {
	for left := size; left > 0; left -= int64(s.batch) * int64(s.body) {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := event.NewBatch()
		for range s.batch {
			body := b.Alloc(s.body)
			clear(body)
			binary.BigEndian.PutUint64(body, s.next)
			s.next++
			b.Append(body)
		}
		err := s.log.Append(ctx, b)
		b.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// Drained is what the role drain has measured.
type Drained struct {
	Open     time.Duration // until the log was open
	OpenRSS  int64         // resident memory then, bytes
	Staged   int           // events it said it had
	Events   int           // events read
	Bytes    int64         // of their bodies
	Took     time.Duration // how long reading took
	CPU      time.Duration // processor time of reading
	EarlyRSS int64         // resident memory when a quarter was read, bytes
	LateRSS  int64         // resident memory when all was read
	Peak     int64         // largest resident memory, bytes
	Device   int64         // bytes that came from the disk, not from the page cache
}

// drain opens a log, reads all of it without acknowledging anything, so that the next run finds the same, and says
// "done" and a Drained.
func drain(ctx context.Context, args []string, std Streams) error {
	flags := flag.NewFlagSet("drain", flag.ContinueOnError)
	dir := flags.String("dir", ".", "`directory` of the log")
	batch := flags.Int("batch", 1000, "most events to read at once")
	openOnly := flags.Bool("open-only", false, "read nothing")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := std.awaitGo(); err != nil {
		return err
	}
	ctx, cancel := std.untilEnd(ctx)
	defer cancel()
	var d Drained
	start := time.Now()
	log, err := wal.Open(backlogOptions(*dir))
	if err != nil {
		return err
	}
	d.Open = time.Since(start)
	usage, err := proc.ReadUsage(os.Getpid())
	d.OpenRSS, d.Staged = usage.RSS, log.Stats().Events
	if err == nil && !*openOnly {
		err = d.read(ctx, log, *batch)
	}
	if err := errors.Join(err, log.Close()); err != nil {
		return err
	}
	return std.sayDone(d)
}

// read reads everything and checks the numbers.
func (d *Drained) read(ctx context.Context, log *wal.Log, batch int) error {
	before, err := proc.ReadUsage(os.Getpid())
	if err != nil {
		return err
	}
	start := time.Now()
	quarter := d.Staged / 4
	for d.Events < d.Staged {
		entry, err := log.Read(ctx, batch)
		if err != nil {
			return err
		}
		err = d.check(entry.Batch.Events())
		entry.Batch.Release()
		if err != nil {
			return err
		}
		if d.EarlyRSS == 0 && d.Events >= quarter {
			u, err := proc.ReadUsage(os.Getpid())
			if err != nil {
				return err
			}
			d.EarlyRSS = u.RSS
		}
	}
	d.Took = time.Since(start)
	after, err := proc.ReadUsage(os.Getpid())
	if err != nil {
		return err
	}
	d.CPU, d.LateRSS, d.Peak = after.CPU-before.CPU, after.RSS, after.Peak
	d.Device, err = proc.DeviceReads(os.Getpid())
	return err
}

// check counts events, which must be the next ones.
func (d *Drained) check(events []event.Event) error {
	for i := range events {
		body := events[i].Body
		if len(body) < numberBytes {
			return fmt.Errorf("event %d has %d bytes and no number", d.Events, len(body))
		}
		if n := binary.BigEndian.Uint64(body); n != uint64(d.Events) {
			return fmt.Errorf("event %d of the log is the one that was staged as number %d", d.Events, n)
		}
		d.Events++
		d.Bytes += int64(len(body))
	}
	return nil
}

// Scanned is what the role scan has measured.
type Scanned struct {
	Bytes  int64         // read
	Took   time.Duration // how long that took
	CPU    time.Duration // processor time of it
	Peak   int64         // largest resident memory, bytes
	Device int64         // bytes that came from the disk, not from the page cache
}

// scan reads files one after the other without looking at them, and says "done" and a Scanned: no
// log can be read faster.
func scan(ctx context.Context, args []string, std Streams) error {
	flags := flag.NewFlagSet("scan", flag.ContinueOnError)
	dir := flags.String("dir", ".", "`directory` of the files")
	block := flags.Int("block", 1<<20, "`bytes` to read at once")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *block <= 0 {
		return fmt.Errorf("-block %d: must be positive", *block)
	}
	if err := std.awaitGo(); err != nil {
		return err
	}
	ctx, cancel := std.untilEnd(ctx)
	defer cancel()
	var s Scanned
	buf := make([]byte, *block)
	start := time.Now()
	err := filepath.WalkDir(*dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		return s.file(ctx, path, buf)
	})
	if err != nil {
		return fmt.Errorf("reading the files: %w", err)
	}
	s.Took = time.Since(start)
	usage, err := proc.ReadUsage(os.Getpid())
	if err != nil {
		return err
	}
	s.CPU, s.Peak = usage.CPU, usage.Peak
	if s.Device, err = proc.DeviceReads(os.Getpid()); err != nil {
		return err
	}
	return std.sayDone(s)
}

func (s *Scanned) file(ctx context.Context, path string, buf []byte) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for ctx.Err() == nil {
		n, err := f.Read(buf)
		s.Bytes += int64(n)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}
