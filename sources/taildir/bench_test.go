//go:build unix

package taildir

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/flume-go/flume/event"
)

// counter is an emitter that counts events and forgets them.
type counter struct {
	events atomic.Int64
	want   int64
	done   chan struct{}
}

// Emit implements flow.Emitter.
func (c *counter) Emit(_ context.Context, b *event.Batch) error {
	if c.events.Add(int64(b.Len())) == c.want {
		close(c.done)
	}
	return nil
}

// BenchmarkRead is the way from a file in the page cache to an emitter that does
// nothing; "bare" reads the same blocks and does not look at them.
func BenchmarkRead(b *testing.B) {
	for _, c := range []struct {
		name     string
		length   int
		settings []string
	}{
		{"512", 512, nil},
		{"512/headers", 512, []string{"fileHeader = true", "byteOffsetHeader = true", "headers.g1.kind = app"}},
		{"150", 150, nil},
		{"512/multiline", 512, []string{`multiline.pattern = ^\s`}},
	} {
		line := strings.Repeat("x", c.length-1) + "\n"
		text := bytes.Repeat([]byte(line), (64<<20)/len(line))
		n := int64(len(text) / len(line))
		b.Run(c.name+"/bare", func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "app.log")
			if err := os.WriteFile(path, text, 0o600); err != nil {
				b.Fatal(err)
			}
			buf := make([]byte, blockSize)
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				f, err := os.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				for err == nil {
					_, err = f.Read(buf)
				}
				if err != io.EOF {
					b.Fatal(err)
				}
				f.Close()
			}
		})
		b.Run(c.name+"/taildir", func(b *testing.B) {
			settings := append([]string{"batchSize = 1000"}, c.settings...)
			if strings.Contains(c.name, "multiline") {
				n-- // the end of the last event is not known
			}
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				r := newRig(b, settings...)
				r.write("app.log", string(text))
				out := &counter{want: n, done: make(chan struct{})}
				if err := r.make(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				ctx, cancel := context.WithCancel(b.Context())
				ended := make(chan error, 1)
				go func() { ended <- r.src.Run(ctx, out) }()
				<-out.done
				cancel()
				if err := <-ended; err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkIdle is what it takes to follow 10,000 files in which nothing happens:
// the share of a core, and memory.
func BenchmarkIdle(b *testing.B) {
	const files = 10_000
	for _, way := range []string{"looking", "told"} {
		b.Run(way, func(b *testing.B) {
			r := newRig(b, "maxBackoffSleep = 5000", "backoffSleepIncrement = 1000", "maxOpenFiles = 1000",
				fmt.Sprintf("changeNotifications = %v", way == "told"))
			for i := range files {
				r.write(fmt.Sprintf("app%d.log", i), fmt.Sprintf("a line of file %d\n", i))
			}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			r.start()
			defer r.stop()
			r.out.await(b, files)
			r.out.reset()
			if way == "told" { // so that notifications are trusted
				r.write("app0.log", "one more\n")
				r.out.await(b, 1)
			}
			wait := time.NewTimer(8 * time.Second) // until looks are as seldom as they get
			<-wait.C
			runtime.GC()
			runtime.ReadMemStats(&after)
			start, used := time.Now(), cpuTime(b)
			for b.Loop() {
				wait.Reset(20 * time.Second)
				<-wait.C
			}
			b.ReportMetric(100*float64(cpuTime(b)-used)/float64(time.Since(start)), "%core")
			b.ReportMetric(float64(after.HeapInuse+after.StackInuse-before.HeapInuse-before.StackInuse)/(1<<20), "MiB")
		})
	}
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
