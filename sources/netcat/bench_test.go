package netcat

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/flume-go/flume/event"
)

// nullEmitter counts events and forgets them.
type nullEmitter struct {
	events, batches atomic.Int64
	want            int64
	done            chan struct{}
}

func (n *nullEmitter) Emit(_ context.Context, b *event.Batch) error {
	n.batches.Add(1)
	if n.events.Add(int64(b.Len())) == n.want {
		close(n.done)
	}
	return nil
}

// BenchmarkRead is the way from a loopback socket to an emitter that does
// nothing; "bare" reads the same bytes and does not look at them.
func BenchmarkRead(b *testing.B) {
	russian := strings.Repeat("Съешь же ещё этих мягких ", 20)
	for _, c := range []struct {
		name string
		line string
	}{
		{"512", strings.Repeat("x", 511)},
		{"150", strings.Repeat("x", 149)},
		{"cyrillic-512", russian[:510]},
	} {
		block := bytes.Repeat([]byte(c.line+"\n"), (128<<10)/(len(c.line)+1))
		lines := bytes.Count(block, []byte("\n"))
		blocks := func(b *testing.B) int { return (b.N + lines - 1) / lines }
		b.Run(c.name+"/bare", func(b *testing.B) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer ln.Close()
			b.SetBytes(int64(len(c.line) + 1))
			go flood(b, ln.Addr().String(), block, blocks(b))
			conn, err := ln.Accept()
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			buf := make([]byte, 256<<10)
			b.ResetTimer()
			for {
				if _, err := conn.Read(buf); err == io.EOF {
					return
				} else if err != nil {
					b.Fatal(err)
				}
			}
		})
		for _, mode := range []string{"keep", "close"} {
			b.Run(fmt.Sprintf("%s/netcat-%s", c.name, mode), func(b *testing.B) {
				src := newSource(b, nil, "ack-every-event = false", "malformed-input = "+mode)
				out := &nullEmitter{want: int64(blocks(b) * lines), done: make(chan struct{})}
				addr, stop := start(b, src, out)
				b.SetBytes(int64(len(c.line) + 1))
				b.ReportAllocs()
				b.ResetTimer()
				flood(b, addr, block, blocks(b))
				<-out.done
				b.StopTimer()
				b.ReportMetric(float64(out.events.Load())/float64(out.batches.Load()), "events/batch")
				stop()
			})
		}
	}
}

func flood(b *testing.B, addr string, block []byte, n int) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Error(err)
		return
	}
	defer conn.Close()
	for range n {
		if _, err := conn.Write(block); err != nil {
			b.Error(err)
			return
		}
	}
}

// BenchmarkIdle is the memory that a connection costs which has sent a line and
// is idle; the client's end, in the same process, is part of it.
func BenchmarkIdle(b *testing.B) {
	const conns = 2000
	for b.Loop() {
		src := newSource(b, nil)
		addr, stop := start(b, src, &nullEmitter{want: -1})
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		clients := make([]net.Conn, conns)
		for i := range clients {
			clients[i] = dial(b, addr)
			send(b, clients[i], "a line of some length\n", 3)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		used := after.HeapInuse + after.StackInuse - before.HeapInuse - before.StackInuse
		b.ReportMetric(float64(used)/conns, "B/conn")
		for _, c := range clients {
			c.Close()
		}
		stop()
	}
}
