package http

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/invariants"
)

// nothing is an emitter that forgets what it gets.
type nothing struct{}

func (nothing) Emit(context.Context, *event.Batch) error { return nil }

// BenchmarkRequests is the way of a request of 100 events from a client on the same
// machine to an emitter that does nothing. "bare" is a server that reads the
// content and does not look at it.
func BenchmarkRequests(b *testing.B) {
	for _, size := range []int{128, 512} {
		body := jsonArray(100, size)
		name := map[int]string{128: "128", 512: "512"}[size]
		b.Run(name+"/bare", func(b *testing.B) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			buf := make([]byte, 64<<10)
			server := &http.Server{
				Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					for {
						if _, err := r.Body.Read(buf); err != nil {
							return
						}
					}
				}),
				ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
			}
			go server.Serve(ln)
			defer server.Close()
			flood(b, ln.Addr().String(), body)
		})
		b.Run(name+"/http", func(b *testing.B) {
			s := prepare(b)
			ctx, cancel := context.WithCancel(b.Context())
			bound, done := make(chan net.Addr, 1), make(chan error, 1)
			s.listening = func(a net.Addr) { bound <- a }
			go func() { done <- s.Run(ctx, nothing{}) }()
			flood(b, (<-bound).String(), body)
			cancel()
			<-done
		})
	}
}

// flood sends a request b.N times over one connection. The client does as little
// as it can: what it takes is not the server's.
func flood(b *testing.B, addr string, body []byte) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	var request bytes.Buffer
	r, err := http.NewRequest(http.MethodPost, "http://"+addr+"/", bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if err := r.Write(&request); err != nil {
		b.Fatal(err)
	}
	answer := make([]byte, 4096)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := c.Write(request.Bytes()); err != nil {
			b.Fatal(err)
		}
		n, err := c.Read(answer)
		if err != nil || !bytes.HasPrefix(answer[:n], []byte("HTTP/1.1 200")) {
			b.Fatalf("%v: %s", err, answer[:n])
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(100*b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkDecode is the decoder alone.
func BenchmarkDecode(b *testing.B) {
	body := jsonArray(100, 512)
	d := newDecoder()
	a := account{budget: &budget{limit: 1 << 30}}
	src := bytes.NewReader(body)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		decodeOnce(b, d, &a, src, body)
	}
}

func decodeOnce(t testing.TB, d *decoder, a *account, src *bytes.Reader, body []byte) {
	src.Reset(body)
	batch := event.NewBatch()
	d.begin(src, batch, a, textForm{}, replaceMalformed, int64(len(body)))
	if err := d.array(); err != nil || batch.Len() != 100 {
		t.Fatalf("%d events, %v", batch.Len(), err)
	}
	batch.Release()
}

// TestAllocations holds the decoder to the memory of the batch, which is reused.
func TestAllocations(t *testing.T) {
	if invariants.Enabled {
		return // such builds never reuse the memory of batches
	}
	body := jsonArray(100, 512)
	d := newDecoder()
	a := account{budget: &budget{limit: 1 << 30}}
	src := bytes.NewReader(body)
	if n := testing.AllocsPerRun(200, func() { decodeOnce(t, d, &a, src, body) }); n > 1 {
		t.Errorf("decoding a request of 100 events allocates %v times", n)
	}
}

// TestAllocationsOfRequest holds the rest of the way to what the server itself
// takes, and little more.
func TestAllocationsOfRequest(t *testing.T) {
	if invariants.Enabled {
		return
	}
	s := prepare(t)
	v := newService(s.source, &guard{}, nothing{})
	v.work = t.Context()
	body := jsonArray(100, 512)
	content := bytes.NewReader(body)
	r, err := http.NewRequest(http.MethodPost, "/", io.NopCloser(content))
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = int64(len(body))
	r.Header.Set("Content-Type", "application/json")
	w := &discardWriter{header: http.Header{}}
	n := testing.AllocsPerRun(200, func() {
		content.Reset(body)
		v.ServeHTTP(w, r)
	})
	if w.status != 0 || n > 10 {
		t.Errorf("a request of 100 events is answered with %d and allocates %v times", w.status, n)
	}
}

// discardWriter remembers the status only.
type discardWriter struct {
	header http.Header
	status int
}

func (w *discardWriter) Header() http.Header         { return w.header }
func (w *discardWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w *discardWriter) WriteHeader(status int)      { w.status = status }
