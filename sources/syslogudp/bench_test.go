package syslogudp

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/udp"
)

// tally is an emitter that counts and forgets.
type tally struct{ events, batches atomic.Int64 }

func (c *tally) Emit(_ context.Context, b *event.Batch) error {
	c.events.Add(int64(b.Len()))
	c.batches.Add(1)
	return nil
}

// BenchmarkReceive is the way from a loopback socket to an emitter that does
// nothing, while one sender sends as fast as it can; "received" is the share that
// the kernel had not to drop. "bare" reads one datagram after the other and does
// not look at them.
func BenchmarkReceive(b *testing.B) {
	datagram := []byte("<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - " + strings.Repeat("x", 90))
	b.Run("bare", func(b *testing.B) {
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := udp.AskBuffer(conn, defaultBuffer); err != nil {
			b.Fatal(err)
		}
		var n atomic.Int64
		done := make(chan struct{})
		go func() {
			defer close(done)
			buf := make([]byte, udp.MaxDatagram)
			for {
				if _, err := conn.Read(buf); err != nil {
					return
				}
				n.Add(1)
			}
		}()
		flood(b, conn.LocalAddr().String(), datagram, &n)
		conn.Close()
		<-done
	})
	b.Run("syslogudp", func(b *testing.B) {
		out := new(tally)
		_, in := start(b, out)
		flood(b, in.Conn.RemoteAddr().String(), datagram, &out.events)
		b.ReportMetric(float64(out.events.Load())/float64(max(1, out.batches.Load())), "events/batch")
	})
}

// flood sends b.N datagrams and waits until no more arrive.
func flood(b *testing.B, addr string, datagram []byte, arrived *atomic.Int64) {
	conn, err := net.Dial("udp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	b.SetBytes(int64(len(datagram)))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		conn.Write(datagram) //nolint:errcheck // what is refused did not arrive
	}
	for last := int64(-1); arrived.Load() != last && arrived.Load() < int64(b.N); {
		last = arrived.Load()
		flow.Sleep(context.Background(), 20*time.Millisecond)
	}
	b.StopTimer()
	b.ReportMetric(float64(arrived.Load())/float64(b.N), "received")
}
