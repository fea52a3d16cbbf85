package avro

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/invariants"
)

// script is a connection that brings the same bytes again and again.
type script struct {
	net.Conn
	bytes []byte
	at    int
}

func (s *script) Read(p []byte) (int, error) {
	n := copy(p, s.bytes[s.at:])
	if s.at += n; s.at == len(s.bytes) {
		s.at = 0
	}
	return n, nil
}

// requestInput is an input on which a batch comes again and again, in frames that are
// cut into buffers of that size.
func requestInput(b *event.Batch, n int) *input {
	frame := cut(1, request(b), n)
	return newInput(&script{bytes: frame}, DefaultRequest, 0, false, func() bool { return false })
}

// decodeOnce reads a frame with a batch.
func decodeOnce(tb testing.TB, in *input, d *events, n int) {
	if err := in.next(); err != nil {
		tb.Fatal(err)
	}
	if err := in.skip(2 + len(messageBatch)); err != nil {
		tb.Fatal(err)
	}
	b := event.NewBatch()
	d.in = in
	d.reset(b)
	if err := d.array(); err != nil || b.Len() != n {
		tb.Fatal(err, b.Len())
	}
	if err := in.end(); err != nil {
		tb.Fatal(err)
	}
	b.Release()
}

func free(int) error { return nil }

// BenchmarkDecode is a frame of 100 events, from memory.
func BenchmarkDecode(b *testing.B) {
	for _, size := range []int{64, 512, 4096} {
		for _, headers := range []int{0, 3} {
			for _, buffer := range []int{8192, chunk} {
				b.Run(fmt.Sprintf("body=%d/headers=%d/buffers=%d", size, headers, buffer), func(b *testing.B) {
					batch := batchOf(b, 100, size, headers)
					in, d := requestInput(batch, buffer), &events{charge: free}
					b.ReportAllocs()
					b.SetBytes(int64(batch.Bytes()))
					for b.Loop() {
						decodeOnce(b, in, d, 100)
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/event")
				})
			}
		}
	}
}

func encodeOnce(tb testing.TB, w *frameWriter, b *event.Batch) {
	if err := written(w, w.batch(1, nil, b.Events())); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkEncode is the same the other way.
func BenchmarkEncode(b *testing.B) {
	for _, size := range []int{64, 512, 4096} {
		for _, headers := range []int{0, 3} {
			b.Run(fmt.Sprintf("body=%d/headers=%d", size, headers), func(b *testing.B) {
				batch := batchOf(b, 100, size, headers)
				w := &frameWriter{to: io.Discard}
				b.ReportAllocs()
				b.SetBytes(int64(batch.Bytes()))
				for b.Loop() {
					encodeOnce(b, w, batch)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/event")
			})
		}
	}
}

// BenchmarkOrigin writes and reads the metadata by which a batch of 100 events is not stored twice.
func BenchmarkOrigin(b *testing.B) {
	sent, got := batchOf(b, 100, 512, 3), batchOf(b, 100, 512, 3)
	sent.SetOrigin(event.Origin{Log: [16]byte{1}, Done: 1 << 40, Here: true})
	for i := range sent.Len() {
		sent.At(i).Number = uint64(1<<40 + i)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !OriginMeta(sent).SetOrigin(got) {
			b.Fatal("the origin has not arrived")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/event")
}

// nothing is a handler that forgets.
type nothing struct{}

func (nothing) Handle(context.Context, *Call) (Status, error) { return OK, nil }
func (nothing) Refused(net.Addr, error)                       {}

// BenchmarkCalls sends batches of 100 events over loopback, one call at a time, or
// four ahead.
func BenchmarkCalls(b *testing.B) {
	for name, o := range map[string]Options{"plain": {}, "deflate": {Deflate: true, Level: 6}} {
		for _, ahead := range []int{1, 4} {
			b.Run(fmt.Sprintf("%s/ahead=%d", name, ahead), func(b *testing.B) {
				addr, _ := serve(b, NewServer(nothing{}, o.Deflate, nil, Limits{}))
				o.Address = addr
				c := connect(b, o)
				batch := batchOf(b, 100, 512, 3)
				b.ReportAllocs()
				b.SetBytes(int64(batch.Bytes()))
				var calls []*Pending
				for b.Loop() {
					p, err := c.Start(b.Context(), batch, nil)
					if err != nil {
						b.Fatal(err)
					}
					if calls = append(calls, p); len(calls) < ahead {
						continue
					}
					if err := calls[0].Wait(b.Context()); err != nil {
						b.Fatal(err)
					}
					calls = calls[1:]
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/event")
			})
		}
	}
}

// TestAllocations holds both directions to no allocation for an event.
func TestAllocations(t *testing.T) {
	if invariants.Enabled {
		return // such builds never reuse the memory of batches
	}
	batch := batchOf(t, 100, 512, 3)
	w := &frameWriter{to: io.Discard}
	if n := testing.AllocsPerRun(100, func() { encodeOnce(t, w, batch) }); n > 2 {
		t.Errorf("encoding 100 events allocates %v times", n)
	}
	in, d := requestInput(batch, 8192), &events{charge: free}
	if n := testing.AllocsPerRun(100, func() { decodeOnce(t, in, d, 100) }); n > 2 {
		t.Errorf("decoding 100 events allocates %v times", n)
	}
}

// TestClaims: lengths that a client only claims take no memory.
func TestClaims(t *testing.T) {
	for name, payload := range map[string][]byte{
		"body":    append(appendLong(append(appendString([]byte{0}, messageBatch), 2, 0), 1<<30), 1),
		"header":  append(appendLong(append(appendString([]byte{0}, messageBatch), 2, 2), 1<<30), 1),
		"batch":   appendLong(appendString([]byte{0}, messageBatch), 1<<40),
		"headers": appendLong(append(appendString([]byte{0}, messageBatch), 2), 1<<40),
	} {
		t.Run(name, func(t *testing.T) {
			p := append(unhex(t, "00000001 00000001 7ffffff0 "+agree), payload...)
			read := func() {
				server := NewServer(nothing{}, false, nil, Limits{Request: 1 << 31})
				conn := &once{Reader: bytes.NewReader(p)}
				if err := server.Serve(t.Context(), t.Context(), conn); err == nil {
					t.Error("half a request ends well")
				}
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			read()
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
				t.Errorf("a claim of 1 GiB takes %d bytes", n)
			}
		})
	}
}

// once is a connection that brings some bytes and ends.
type once struct {
	net.Conn
	io.Reader
	out bytes.Buffer
}

func (c *once) Read(p []byte) (int, error)  { return c.Reader.Read(p) }
func (c *once) Write(p []byte) (int, error) { return c.out.Write(p) }
func (c *once) RemoteAddr() net.Addr        { return nil }

func (c *once) SetReadDeadline(time.Time) error  { return nil }
func (c *once) SetWriteDeadline(time.Time) error { return nil }
func (c *once) Close() error                     { return nil }
