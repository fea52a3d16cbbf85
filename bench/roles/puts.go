package roles

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flume-go/flume/bench/proc"
)

// Puts is what the role puts has measured.
type Puts struct {
	Batches int64         // made durable while it was measured
	Took    time.Duration // how long that was
	CPU     time.Duration // processor time of the whole process in it
	Allocs  uint64        // objects allocated in it
	Writes  int64         // calls that wrote to files
	Syncs   int64         // calls that waited for the disk
	Behind  int           // most events that were durable and not yet read and acknowledged
	Peak    int64         // largest resident memory of the process, bytes
}

// putter makes batches durable. Safe for concurrent use by its producers.
type putter interface {
	// producer returns the function that makes one batch durable, for one goroutine.
	producer() func(ctx context.Context) error
	// behind returns how many events wait to be read.
	behind() int
	// Close finishes what was begun and checks that nothing was lost.
	Close() error
}

// putOptions is the work.
type putOptions struct {
	dir             string
	producers       int
	batch, body     int
	warm, measure   time.Duration
	bare, encrypted bool
}

// puts makes batches durable as fast as the disk lets it, for a fixed time, and
// says "done" and a Puts.
func puts(ctx context.Context, args []string, std Streams) error {
	o, err := parsePuts(args)
	if err != nil {
		return err
	}
	if err := std.awaitGo(); err != nil {
		return err
	}
	ctx, cancel := std.untilEnd(ctx)
	defer cancel()
	fsys := new(countedFS)
	var p putter
	if o.bare {
		p, err = newBarePuts(fsys, o)
	} else {
		p, err = newLogPuts(fsys, o)
	}
	if err != nil {
		return err
	}
	result, err := o.run(ctx, p, &fsys.calls)
	if err := errors.Join(err, p.Close()); err != nil {
		return err
	}
	return std.sayDone(result)
}

func parsePuts(args []string) (putOptions, error) {
	var o putOptions
	flags := flag.NewFlagSet("puts", flag.ContinueOnError)
	flags.StringVar(&o.dir, "dir", ".", "`directory` of the log")
	flags.IntVar(&o.producers, "producers", 1, "goroutines that put at once")
	flags.IntVar(&o.batch, "batch", 100, "events of a batch")
	flags.IntVar(&o.body, "body", 512, "`bytes` of an event")
	flags.DurationVar(&o.warm, "warm", time.Second, "how long to work before measuring")
	flags.DurationVar(&o.measure, "for", 2*time.Second, "how long to measure")
	flags.BoolVar(&o.bare, "bare", false, "write the bytes and nothing else")
	flags.BoolVar(&o.encrypted, "encrypted", false, "encrypt the log")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.producers < 1 || o.batch < 1 || o.body < 1 || o.measure <= 0 {
		return o, errors.New("-producers, -batch, -body and -for: must be positive")
	}
	if o.bare && o.batch*o.body*o.producers > ringSize {
		return o, fmt.Errorf("-batch and -body: what all producers put at once must be at most %d bytes", ringSize)
	}
	return o, nil
}

// sampleEvery is how often the number of waiting events is looked at.
const sampleEvery = 20 * time.Millisecond

// run lets the producers work and measures a stretch of it.
func (o putOptions) run(ctx context.Context, p putter, c *calls) (Puts, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	counts := make([]paddedCount, o.producers)
	var producers sync.WaitGroup
	for i := range counts {
		put := p.producer()
		producers.Go(func() {
			// The batch that is being written when time is up is finished, not withdrawn.
			unhurried := context.WithoutCancel(ctx)
			for ctx.Err() == nil {
				if err := put(unhurried); err != nil {
					stop(err)
					return
				}
				counts[i].Add(1)
			}
		})
	}
	result, err := o.observe(ctx, p, func() (Puts, error) { return readPuts(counts, c) })
	stop(nil)
	producers.Wait()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return result, err
}

// paddedCount is a counter with a cache line of its own.
type paddedCount struct {
	atomic.Int64
	_ [56]byte
}

// observe returns the difference of two readings.
func (o putOptions) observe(ctx context.Context, p putter, read func() (Puts, error)) (Puts, error) {
	if err := pause(ctx, o.warm); err != nil {
		return Puts{}, err
	}
	before, err := read()
	if err != nil {
		return Puts{}, err
	}
	start := time.Now()
	behind := 0
	for left := o.measure; left > 0; left = o.measure - time.Since(start) {
		if err := pause(ctx, min(left, sampleEvery)); err != nil {
			return Puts{}, err
		}
		behind = max(behind, p.behind())
	}
	took := time.Since(start)
	after, err := read()
	if err != nil {
		return Puts{}, err
	}
	return Puts{
		Batches: after.Batches - before.Batches, Took: took, CPU: after.CPU - before.CPU,
		Allocs: after.Allocs - before.Allocs, Writes: after.Writes - before.Writes, Syncs: after.Syncs - before.Syncs,
		Behind: behind, Peak: after.Peak,
	}, nil
}

// readPuts reads all counters as they stand.
func readPuts(counts []paddedCount, c *calls) (Puts, error) {
	usage, err := proc.ReadUsage(os.Getpid())
	if err != nil {
		return Puts{}, err
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	p := Puts{CPU: usage.CPU, Peak: usage.Peak, Allocs: memory.Mallocs, Writes: c.writes.Load(), Syncs: c.syncs.Load()}
	for i := range counts {
		p.Batches += counts[i].Load()
	}
	return p, nil
}

// pause waits for d or the end of ctx, whose cause it returns.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// barePuts writes the bytes of the batches and nothing else. One producer writes and syncs by
// itself; several share syncs.
type barePuts struct {
	ring  *ring
	group *group // nil with one producer
	size  int
}

func newBarePuts(fsys *countedFS, o putOptions) (*barePuts, error) {
	r, err := newRing(fsys, filepath.Join(o.dir, "bare"), ringSize)
	if err != nil {
		return nil, err
	}
	p := &barePuts{ring: r, size: o.batch * o.body}
	if o.producers > 1 {
		p.group = newGroup(r)
	}
	return p, nil
}

func (p *barePuts) producer() func(context.Context) error {
	block := make([]byte, p.size)
	if p.group == nil {
		bufs := [][]byte{block}
		return func(context.Context) error { return p.ring.commit(bufs, int64(len(block))) }
	}
	t := newTicket()
	return func(context.Context) error { return p.group.commit(t, block) }
}

func (p *barePuts) behind() int { return 0 }

func (p *barePuts) Close() error {
	if p.group != nil {
		p.group.Close()
	}
	return p.ring.Close()
}

// sayDone ends a role's work with what it has found.
func (s Streams) sayDone(result any) error {
	text, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	if _, err := fmt.Fprintf(s.Out, "done %s\n", text); err != nil {
		return fmt.Errorf("saying done: %w", err)
	}
	return nil
}
