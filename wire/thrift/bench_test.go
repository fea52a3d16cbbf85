package thrift

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/invariants"
)

// decodeCall decodes the message of a call as a session does: in the memory of a
// batch.
func decodeCall(t testing.TB, d *Decoder, message []byte, want int) {
	b := event.NewBatch()
	copy(b.Reserve(len(message)), message)
	d.Reset(b.Commit(len(message)))
	if _, err := d.Message(); err != nil {
		t.Fatal(err)
	}
	if err := d.appendBatchArgs(b); err != nil || b.Len() != want {
		t.Fatalf("%d events, %v", b.Len(), err)
	}
	b.Release()
}

// BenchmarkDecode decodes calls of 100 events; "bare" copies the bytes alone.
func BenchmarkDecode(b *testing.B) {
	for _, size := range []int{100, 512} {
		for _, p := range []Protocol{Compact, Binary} {
			s := sample(100, size, 3)
			message := append([]byte(nil), call(p, s)...)
			s.Release()
			b.Run(fmt.Sprintf("%d/%v", size, p), func(b *testing.B) {
				var d Decoder
				b.ReportAllocs()
				for b.Loop() {
					decodeCall(b, &d, message, 100)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/event")
			})
		}
		b.Run(fmt.Sprintf("%d/bare", size), func(b *testing.B) {
			s := sample(100, size, 3)
			message := append([]byte(nil), call(Compact, s)...)
			s.Release()
			for b.Loop() {
				batch := event.NewBatch()
				copy(batch.Reserve(len(message)), message)
				batch.Release()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/event")
		})
	}
}

// BenchmarkEncode encodes calls of 100 events.
func BenchmarkEncode(b *testing.B) {
	for _, size := range []int{100, 512} {
		for _, p := range []Protocol{Compact, Binary} {
			b.Run(fmt.Sprintf("%d/%v", size, p), func(b *testing.B) {
				s := sample(100, size, 3)
				defer s.Release()
				var e Encoder
				b.ReportAllocs()
				for b.Loop() {
					e.AppendBatch(p, 1, s, 0, 100, totalSize(s))
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/event")
			})
		}
	}
}

// BenchmarkCalls is the way of a call of 100 events of 512 bytes from a client to a
// server on the same machine. "bare" sends the same bytes to a server that reads
// them and answers with as many bytes.
func BenchmarkCalls(b *testing.B) {
	nothing := func(context.Context, *event.Batch, []Request) error { return nil }
	for _, p := range []Protocol{Compact, Binary} {
		b.Run(p.String(), func(b *testing.B) {
			conn, err := net.Dial("tcp", start(b, flumeServer(nil), nothing))
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			s := sample(100, 512, 3)
			defer s.Release()
			c := NewClient(conn, p)
			size := totalSize(s)
			b.ReportAllocs()
			for b.Loop() {
				if status, err := c.AppendBatch(s, 0, 100, size); err != nil || status != StatusOK {
					b.Fatal(status, err)
				}
			}
			b.ReportMetric(float64(100*b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
	b.Run("bare", func(b *testing.B) {
		s := sample(100, 512, 3)
		message := framed(call(Compact, s))
		s.Release()
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		defer ln.Close()
		go func() {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			buf := make([]byte, len(message))
			for {
				if _, err := io.ReadFull(conn, buf); err != nil {
					return
				}
				if _, err := conn.Write(buf[:23]); err != nil {
					return
				}
			}
		}()
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		answer := make([]byte, 23)
		for b.Loop() {
			if _, err := conn.Write(message); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(conn, answer); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(100*b.N)/b.Elapsed().Seconds(), "events/s")
	})
}

// TestAllocations: neither decoding nor encoding a call allocates anything.
func TestAllocations(t *testing.T) {
	if invariants.Enabled {
		return // such builds never reuse the memory of batches
	}
	for _, p := range []Protocol{Compact, Binary} {
		s := sample(100, 512, 3)
		message := append([]byte(nil), call(p, s)...)
		var d Decoder
		if n := testing.AllocsPerRun(200, func() { decodeCall(t, &d, message, 100) }); n > 0 {
			t.Errorf("decoding a call of 100 events in the %v protocol allocates %v times", p, n)
		}
		var e Encoder
		size := totalSize(s)
		if n := testing.AllocsPerRun(200, func() { e.AppendBatch(p, 1, s, 0, 100, size) }); n > 0 {
			t.Errorf("encoding a call of 100 events in the %v protocol allocates %v times", p, n)
		}
		s.Release()
	}
}
