package wal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/vfs"
)

// The benchmarks run a bare program and the log in turns, on the same disk within the same second, and
// report the median of the turns' ratios: the disk's speed changes more than what is measured.

// benchBody is the length of each event's body.
const benchBody = 512

// benchTurns is how many turns a benchmark has at most.
const benchTurns = 20

// inTurns divides b.N operations among turns, each done by bare and by ours, and reports
// microseconds per operation of both and ours' share of bare's speed.
func inTurns(b *testing.B, bare, ours func(n int)) {
	inPreparedTurns(b, func() {}, bare, ours)
}

// inPreparedTurns is inTurns with something to be done before each of the two, which is not measured.
func inPreparedTurns(b *testing.B, prepare func(), bare, ours func(n int)) {
	turns := min(benchTurns, b.N)
	var ratios []float64
	var bareTime, ourTime time.Duration
	for i := range turns {
		n := b.N*(i+1)/turns - b.N*i/turns
		prepare()
		start := time.Now()
		bare(n)
		bareTook := time.Since(start)
		prepare()
		start = time.Now()
		ours(n)
		ourTook := time.Since(start)
		ratios = append(ratios, float64(bareTook)/float64(ourTook))
		bareTime += bareTook
		ourTime += ourTook
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
	b.ReportMetric(float64(bareTime.Microseconds())/float64(b.N), "bare-µs/op")
	b.ReportMetric(float64(ourTime.Microseconds())/float64(b.N), "log-µs/op")
	b.ReportMetric(0, "ns/op") // the sum of both says nothing
}

// bareFile is a file that was written through once and is overwritten from its beginning on, again and
// again: what a log would be if it did nothing but write.
type bareFile struct {
	f   vfs.File
	off int64

	mu      sync.Mutex
	queue   []*bareWrite
	leading bool
}

type bareWrite struct {
	p    []byte
	done chan bool // true: lead
}

func newBareFile(b *testing.B) *bareFile {
	f, err := vfs.OS{}.OpenFile(filepath.Join(b.TempDir(), "bare"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	if err := vfs.WriteZeros(f, 0, defaultSegmentSize); err != nil {
		b.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	return &bareFile{f: f}
}

// write writes and syncs.
func (f *bareFile) write(b *testing.B, bufs [][]byte) {
	n := int64(0)
	for _, p := range bufs {
		n += int64(len(p))
	}
	if f.off+n > defaultSegmentSize {
		f.off = 0
	}
	if _, err := vfs.WritevAt(f.f, bufs, f.off); err != nil {
		b.Error(err)
	}
	if err := vfs.SyncData(f.f); err != nil {
		b.Error(err)
	}
	f.off += n
}

// commit writes in groups: one of the callers writes what all wait for.
func (f *bareFile) commit(b *testing.B, w *bareWrite) {
	f.mu.Lock()
	f.queue = append(f.queue, w)
	lead := !f.leading
	f.leading = true
	f.mu.Unlock()
	if !lead && !<-w.done {
		return
	}
	f.mu.Lock()
	group := f.queue
	f.queue = nil
	f.mu.Unlock()
	bufs := make([][]byte, len(group))
	for i, m := range group {
		bufs[i] = m.p
	}
	f.write(b, bufs)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range group {
		if m != w {
			m.done <- false
		}
	}
	if f.leading = len(f.queue) > 0; f.leading {
		f.queue[0].done <- true
	}
}

// parallel divides n calls among goroutines.
func parallel(producers, n int, f func(producer int)) {
	var work sync.WaitGroup
	for p := range producers {
		work.Go(func() {
			for i := p; i < n; i += producers {
				f(p)
			}
		})
	}
	work.Wait()
}

// benchLog is a log with a consumer that keeps up, after its segments have been through their first lives.
func benchLog(b *testing.B, batch *event.Batch, opts Options) (l *Log, stop func()) {
	dir := b.TempDir()
	opts.Dirs, opts.CheckpointDir = []string{dir}, dir
	l = mustOpen(b, opts)
	ctx, cancel := context.WithCancel(b.Context())
	var reading sync.WaitGroup
	reading.Go(func() {
		for consume(ctx, b, l) {
		}
	})
	large := ids(0, 2000, benchBody)
	defer large.Release()
	for range 3 * defaultSegmentSize / large.Bytes() {
		if err := l.Append(b.Context(), large); err != nil {
			b.Fatal(err)
		}
	}
	return l, func() {
		cancel()
		reading.Wait()
		mustClose(b, l)
	}
}

// consume reads and acknowledges what there is, up to 100 events or one batch, as a sink does. It returns false at the end of
// ctx.
func consume(ctx context.Context, b *testing.B, l *Log) bool {
	const most = 100
	e, err := l.Read(ctx, most)
	if err != nil {
		return false
	}
	var taken rangeSet
	for n, ok := 0, true; ok; e, ok, err = l.TryRead(most - n) {
		e.Batch.Release()
		taken.add(e.Events)
		if n += int(e.Events.Len()); n >= most {
			break
		}
	}
	if err = errors.Join(err, l.Ack(taken...)); err != nil {
		b.Error(err)
	}
	return true
}

// BenchmarkAppend compares durable appends with a bare write and fdatasync of the same bytes, or with a
// bare group commit where it has several producers too.
func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct {
		events, producers, bare int
		sealed                  bool
	}{
		{100, 1, 1, false},
		{100, 1, 1, true},
		{1000, 1, 1, false},
		{1000, 1, 1, true},
		{100, 8, 8, false},
		{100, 8, 8, true},
		{1000, 8, 8, false},
		{1000, 8, 8, true},
		{1, 64, 64, false},
		{1, 64, 1, false},
	} {
		b.Run(fmt.Sprintf("events=%d/producers=%d/bare=%d/sealed=%v", c.events, c.producers, c.bare, c.sealed), func(b *testing.B) {
			batch := ids(0, c.events, benchBody-4)
			defer batch.Release()
			var put encodedPut
			if err := put.encode(batch, 0, 0, nil); err != nil {
				b.Fatal(err)
			}
			rec := slices.Concat(put.appendTo(nil)...)
			var opts Options
			if c.sealed {
				opts.Cipher = testCipher("k1")
			}
			var syncs int
			opts.Hooks.Synced = func(time.Duration) { syncs++ }
			l, stop := benchLog(b, batch, opts)
			defer stop()
			bare := newBareFile(b)
			writes := make([]*bareWrite, c.bare)
			for i := range writes {
				writes[i] = &bareWrite{p: rec, done: make(chan bool, 1)}
			}
			syncs = 0
			b.ResetTimer()
			inTurns(b, func(n int) {
				parallel(c.bare, n, func(p int) { bare.commit(b, writes[p]) })
			}, func(n int) {
				parallel(c.producers, n, func(int) {
					if err := l.Append(context.Background(), batch); err != nil {
						b.Error(err)
					}
				})
			})
			b.StopTimer()
			b.ReportMetric(float64(syncs)/float64(b.N), "syncs/op")
		})
	}
}

// BenchmarkReadBacklog compares reading a backlog from the disk with reading the same files and doing nothing
// with them. "cold" is after the system has forgotten them.
func BenchmarkReadBacklog(b *testing.B) {
	for _, c := range []struct {
		events       int
		sealed, cold bool
	}{{1, false, true}, {100, false, true}, {100, false, false}, {100, true, true}, {1000, false, true}} {
		b.Run(fmt.Sprintf("events=%d/sealed=%v/cold=%v", c.events, c.sealed, c.cold), func(b *testing.B) {
			batch := ids(0, c.events, benchBody-4)
			defer batch.Release()
			dir := b.TempDir()
			opts := Options{Dirs: []string{dir}, CheckpointDir: dir, CacheBytes: -1, Sync: SyncDelayed, SegmentSize: 16 << 20}
			if c.sealed {
				opts.Cipher = testCipher("k1")
			}
			l := mustOpen(b, opts)
			defer func() { mustClose(b, l) }()
			const total = 64 << 20
			for range total / batch.Bytes() {
				if err := l.Append(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
			var paths []string
			for _, s := range l.segments {
				paths = append(paths, s.path)
			}
			buf := make([]byte, scanChunk)
			b.ResetTimer()
			inPreparedTurns(b, func() {
				mustClose(b, l)
				if c.cold {
					for _, p := range paths {
						forget(b, p)
					}
				}
				l = mustOpen(b, opts)
			}, func(n int) {
				for i := range n {
					readThrough(b, paths[i%len(paths)], buf)
				}
			}, func(n int) {
				for read := 0; read < n*int(opts.SegmentSize); {
					e, ok, err := l.TryRead(1000)
					if err != nil || !ok {
						b.Fatalf("read %v, %v after %d bytes of %d segments", ok, err, read, n)
					}
					read += e.Batch.Len() * (benchBody + 20)
					e.Batch.Release()
				}
			})
		})
	}
}

func readThrough(b *testing.B, path string, buf []byte) {
	f, err := vfs.OS{}.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for off := int64(0); ; off += int64(len(buf)) {
		if n, err := readFull(f, buf, off); err != nil || n < len(buf) {
			return
		}
	}
}
