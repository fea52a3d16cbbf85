package netio

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// limit is how long a test waits for what must happen.
const limit = 20 * time.Second

// memory lends one buffer and knows whether it is out.
type memory struct {
	buf      [8]byte
	lent     atomic.Int64  // buffers out now
	returned chan struct{} // if not nil: told of each Return
}

func (m *memory) Lend() []byte {
	m.lent.Add(1)
	return m.buf[:]
}

func (m *memory) Return() {
	m.lent.Add(-1)
	if m.returned != nil {
		m.returned <- struct{}{}
	}
}

// pair returns the two ends of a TCP connection.
func pair(t *testing.T) (server, client *net.TCPConn) {
	t.Helper()
	ln, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return s.(*net.TCPConn), c.(*net.TCPConn)
}

func TestReader(t *testing.T) {
	server, client := pair(t)
	m := &memory{}
	r := NewReader(server, m)
	if _, err := client.Write([]byte("hello, world")); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for got.Len() < 12 {
		n, err := r.Read()
		if err != nil || n == 0 {
			t.Fatalf("read %d, %v", n, err)
		}
		got.Write(m.buf[:n])
		m.Return()
	}
	if got.String() != "hello, world" {
		t.Errorf("read %q", got.String())
	}
	client.Close()
	if n, err := r.Read(); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
	if m.lent.Load() != 0 {
		t.Error("memory is out at the end")
	}
}

// TestIdleReaderHoldsNothing is the point of a Reader.
func TestIdleReaderHoldsNothing(t *testing.T) {
	if !canTry {
		t.Log("this platform has no way to wait without memory")
		return
	}
	server, _ := pair(t)
	m := &memory{returned: make(chan struct{}, 10)}
	r := NewReader(server, m)
	done := make(chan error)
	go func() {
		_, err := r.Read()
		done <- err
	}()
	select {
	case <-m.returned:
	case <-time.After(limit):
		t.Fatal("the idle reader holds memory")
	}
	if n := m.lent.Load(); n != 0 {
		t.Errorf("the idle reader holds %d buffers", n)
	}
	if err := server.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("an interrupted read returned %v", err)
	}
}

// TestPlainReader: a connection that is no socket is read the plain way.
func TestPlainReader(t *testing.T) {
	server, client := net.Pipe()
	defer server.Close()
	m := &memory{}
	r := NewReader(server, m)
	go func() {
		client.Write([]byte("abc")) //nolint:errcheck // shows in what is read
		client.Close()
	}()
	if n, err := r.Read(); string(m.buf[:n]) != "abc" || err != nil {
		t.Errorf("read %q, %v", m.buf[:n], err)
	}
	m.Return()
	if n, err := r.Read(); n != 0 || err != io.EOF || m.lent.Load() != 0 {
		t.Errorf("at the end: %d, %v, %d buffers out", n, err, m.lent.Load())
	}
}

// faulty is a listener whose first calls of Accept fail.
type faulty struct {
	net.Listener
	failures atomic.Int64
	err      error
}

func (f *faulty) Accept() (net.Conn, error) {
	if f.failures.Add(-1) >= 0 {
		return nil, f.err
	}
	return f.Listener.Accept()
}

func TestServerOutlivesFailures(t *testing.T) {
	ln, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &faulty{Listener: ln, err: errors.New("too many open files")}
	f.failures.Store(2)
	ctx, cancel := context.WithCancel(t.Context())
	s := &Server{Log: slog.New(slog.DiscardHandler), Handle: func(_ context.Context, c net.Conn) { io.WriteString(c, "hello") }}
	done := make(chan error)
	go func() { done <- s.Serve(ctx, f) }()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, err := io.ReadAll(conn); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Serve returned %v", err)
	}
}

func TestServerOfClosedListener(t *testing.T) {
	ln, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	s := &Server{Log: slog.New(slog.DiscardHandler)}
	if err := s.Serve(t.Context(), ln); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve returned %v", err)
	}
}

// dying is a listener that accepts one connection and fails for good.
type dying struct {
	net.Listener
	conn net.Conn
}

func (d *dying) Accept() (net.Conn, error) {
	conn := d.conn
	d.conn = nil
	if conn == nil {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (d *dying) Close() error { return nil }

// TestServerOfDyingListener: whoever waits for space in a full channel, which may
// never come, must not keep the source from starting again.
func TestServerOfDyingListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		defer client.Close()
		s := &Server{Log: slog.New(slog.DiscardHandler), Handle: func(work context.Context, _ net.Conn) {
			<-work.Done() // as Emit does
		}}
		begin := time.Now()
		if err := s.Serve(t.Context(), &dying{conn: server}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve returned %v", err)
		}
		if d := time.Since(begin); d != Grace {
			t.Errorf("after %v", d)
		}
	})
}

// TestServerClosesWhoDoesNotEnd: a handler that does not heed the interruption
// loses its connection, and its context, after Grace.
func TestServerClosesWhoDoesNotEnd(t *testing.T) {
	t.Parallel()
	ln, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	inside := make(chan struct{})
	s := &Server{Log: slog.New(slog.DiscardHandler), Handle: func(work context.Context, c net.Conn) {
		close(inside)
		<-work.Done()
		big := make([]byte, 1<<20)
		for {
			if _, err := c.Write(big); err != nil {
				return
			}
		}
	}}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln) }()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	<-inside
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Serve returned %v", err)
		}
	case <-time.After(limit):
		t.Fatal("Serve does not return")
	}
}

func TestOutlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		work, end := Outlive(ctx, time.Second)
		defer end()
		cancel()
		begin := time.Now()
		<-work.Done()
		if d := time.Since(begin); d != time.Second {
			t.Errorf("ended after %v", d)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		work, end := Outlive(ctx, time.Hour)
		cancel()
		synctest.Wait()
		if work.Err() != nil {
			t.Error("ended with its parent")
		}
		end()
		if work.Err() == nil {
			t.Error("not ended by its function")
		}
	})
}

func TestLogLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l LogLimit
		if ok, more := l.Allow(); !ok || more != 0 {
			t.Errorf("first: %v, %d", ok, more)
		}
		for range 5 {
			if ok, _ := l.Allow(); ok {
				t.Error("allowed within the minute")
			}
		}
		time.Sleep(time.Minute) //nolint:forbidigo // the bubble's clock
		if ok, more := l.Allow(); !ok || more != 5 {
			t.Errorf("a minute later: %v, %d left out", ok, more)
		}
	})
}
