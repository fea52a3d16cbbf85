package roles

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/wal"
)

// mostStored bounds the disk space of a run whose reader falls behind: the put that
// exceeds it fails, and with it the run.
const mostStored = 1 << 30

// logPuts puts into a log whose reader acknowledges everything.
type logPuts struct {
	log   *wal.Log
	batch int
	body  int

	put    atomic.Int64 // events that are durable
	read   atomic.Int64 // events that were acknowledged
	stop   context.CancelFunc
	reader chan error
}

func newLogPuts(fsys *countedFS, o putOptions) (*logPuts, error) {
	options := wal.Options{
		FS: fsys, Dirs: []string{o.dir}, CheckpointDir: o.dir, MaxEvents: max(mostStored/o.body, 2*o.batch*o.producers),
	}
	if o.encrypted {
		options.Cipher = &wal.Cipher{Active: "k", Key: func(string) ([]byte, error) {
			return bytes.Repeat([]byte{7}, 32), nil
		}}
	}
	log, err := wal.Open(options)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &logPuts{log: log, batch: o.batch, body: o.body, stop: cancel, reader: make(chan error, 1)}
	go func() { p.reader <- p.consume(ctx) }()
	return p, nil
}

// sinkBatch is how many events the reader takes at once, if they are there: what a sink takes by default.
const sinkBatch = 100

// consume reads and acknowledges, as the file channel does for a sink, until ctx ends.
func (p *logPuts) consume(ctx context.Context) error {
	var taken []wal.Range
	for {
		entry, err := p.log.Read(ctx, max(p.batch, sinkBatch))
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		taken = taken[:0]
		events := 0
		for ok := true; ok; {
			entry.Batch.Release()
			taken = append(taken, entry.Events)
			if events += int(entry.Events.Len()); events >= sinkBatch {
				break
			}
			if entry, ok, err = p.log.TryRead(sinkBatch - events); err != nil {
				return err
			}
		}
		if err := p.log.Ack(taken...); err != nil {
			return err
		}
		p.read.Add(int64(events))
	}
}

// producer puts the same batch again and again: it is read-only, and making a batch is a source's work.
func (p *logPuts) producer() func(context.Context) error {
	batch := event.NewBatch()
	body := bytes.Repeat([]byte{'x'}, p.body)
	for range p.batch {
		batch.AppendCopy(body)
	}
	batch.Seal()
	return func(ctx context.Context) error {
		if err := p.log.Append(ctx, batch); err != nil {
			return err
		}
		p.put.Add(int64(p.batch))
		return nil
	}
}

func (p *logPuts) behind() int { return p.log.Stats().Events }

// Close waits until all that was put is read and acknowledged: otherwise it was not kept.
func (p *logPuts) Close() error {
	var early error
	for p.read.Load() < p.put.Load() && early == nil {
		select {
		case early = <-p.reader:
			early = errors.Join(errors.New("the reader ended before everything was read"), early)
		default:
			early = pause(context.Background(), sampleEvery)
		}
	}
	p.stop()
	if early == nil {
		early = <-p.reader
	}
	if err := errors.Join(early, p.log.Close()); err != nil {
		return err
	}
	if put, read := p.put.Load(), p.read.Load(); put != read {
		return fmt.Errorf("%d events were put and %d were read", put, read)
	}
	return nil
}
