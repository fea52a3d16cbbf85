package thrift

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/event"
)

// answers decodes framed answers: the status or the exception of each.
func answers(t testing.TB, out []byte) string {
	t.Helper()
	var all []string
	for len(out) > 0 {
		n := int(binary.BigEndian.Uint32(out))
		var d Decoder
		d.Reset(out[frameHead : frameHead+n])
		m, err := d.Message()
		if err != nil {
			t.Fatal(err)
		}
		status, err := d.StatusReply(m)
		var x *Exception
		switch {
		case errors.As(err, &x):
			all = append(all, fmt.Sprintf("%d: exception %d %s", m.Seq, x.Kind, x.Text))
		case err != nil:
			t.Fatal(err)
		default:
			all = append(all, fmt.Sprintf("%d: %v", m.Seq, status))
		}
		out = out[frameHead+n:]
	}
	return strings.Join(all, "\n")
}

// message writes a message with the given arguments.
func message(m Message, args func(e *Encoder)) []byte {
	var e Encoder
	e.Message(m)
	if args != nil {
		args(&e)
	}
	e.Stop()
	return e.Written()
}

// oneEvent writes the argument of append.
func oneEvent(body string) func(e *Encoder) {
	return func(e *Encoder) {
		e.Field(Struct, 1)
		e.FlumeEvent(&event.Event{Body: []byte(body)})
	}
}

func TestRequests(t *testing.T) {
	for _, p := range []Protocol{Compact, Binary} {
		head := func(seq int32, name string) Message {
			return Message{Type: Call, Seq: seq, Name: []byte(name), Protocol: p}
		}
		reply, oneway := head(5, "append"), head(6, "append")
		reply.Type, oneway.Type = Reply, Oneway
		in := framed(
			message(head(1, "append"), oneEvent("a")),
			message(head(-2, "fetch"), oneEvent("b")),
			message(head(3, "append"), func(e *Encoder) { // the body is missing
				e.Field(Struct, 1)
				e.last = 0
				e.Field(Map, 1)
				e.buf = append(e.buf, make([]byte, map[Protocol]int{Compact: 1, Binary: 6}[p])...)
				e.Stop()
			}),
			message(head(4, "appendBatch"), nil),
			message(reply, oneEvent("c")),
			message(oneway, oneEvent("d")),
			message(head(7, "appendBatch"), func(e *Encoder) { e.Field(List, 1); e.listBegin(0) }),
			message(head(8, "append"), oneEvent("e")),
		)
		want := strings.Join([]string{
			"1: OK",
			"-2: exception 1 Invalid method name: 'fetch'",
			"3: exception 7 the required field 'body' of a ThriftFlumeEvent is missing",
			"4: exception 6 Internal error processing appendBatch: its argument is missing",
			"5: exception 2 a message of type 2 is no call",
			"7: OK", "8: OK",
		}, "\n")
		var r recorder
		if diff := cmp.Diff(want, answers(t, converse(t, start(t, flumeServer(nil), r.store), in))); diff != "" {
			t.Errorf("%v: answers (-want +got):\n%s", p, diff)
		}
		if diff := cmp.Diff("{} a\n{} d\n{} e\n", r.text()); diff != "" {
			t.Errorf("%v: events (-want +got):\n%s", p, diff)
		}
	}
}

// TestOldHead: the binary protocol's first version has other heads.
func TestOldHead(t *testing.T) {
	in := message(Message{Type: Call, Seq: 3, Name: []byte("append"), Protocol: Binary, Old: true}, oneEvent("a"))
	if !bytes.HasPrefix(in, []byte("\x00\x00\x00\x06append\x01\x00\x00\x00\x03")) {
		t.Fatalf("an old head is % x", in)
	}
	var r recorder
	s := flumeServer(nil)
	out := converse(t, start(t, s, r.store), framed(in))
	if out[frameHead] != 0x80 || answers(t, out) != "3: OK" {
		t.Errorf("answered % x", out)
	}
	old := flumeServer(nil)
	old.OldAnswers = true
	if out = converse(t, start(t, old, r.store), framed(in)); out[frameHead] != 0 || answers(t, out) != "3: OK" {
		t.Errorf("answered with an old head: % x", out)
	}
}

// TestFailedStore: what could not be stored is said to every call in question.
func TestFailedStore(t *testing.T) {
	r := recorder{fail: func(int) error { return errors.New("full") }}
	head := Message{Type: Call, Seq: 1, Name: []byte("append"), Protocol: Compact}
	out := converse(t, start(t, flumeServer(nil), r.store), framed(message(head, oneEvent("a"))))
	if got := answers(t, out); got != "1: FAILED" {
		t.Errorf("answered %q", got)
	}
}

// TestPieces: messages come cut in any way, and large ones as well as small.
func TestPieces(t *testing.T) {
	for _, isFramed := range []bool{true, false} {
		for _, p := range []Protocol{Compact, Binary} {
			var in []byte
			var want int
			for i, size := range []int{0, 1, 100, 300, 8 << 10, 3, 1_200_000, 5, 9} {
				b := sample(1+i%3, size, i)
				m := call(p, b)
				want += b.Len()
				b.Release()
				if isFramed {
					m = framed(m)
				}
				in = append(in, m...)
			}
			for _, piece := range []int{1, 7, 70_000, len(in)} {
				part := in
				if piece < 4096 {
					part = in[:1200] // enough of the small ones
				}
				s := flumeServer(nil)
				s.Framed, s.ReceiveTimeout = isFramed, limit
				var r recorder
				conn := dial(t, start(t, s, r.store))
				go func() {
					for len(part) > 0 {
						n := min(piece, len(part))
						if _, err := conn.Write(part[:n]); err != nil {
							return
						}
						part = part[n:]
					}
					conn.CloseWrite()
				}()
				io.Copy(io.Discard, conn)
				if piece >= 4096 && len(r.events) != want {
					t.Errorf("framed %v, %v, pieces of %d: %d events, not %d", isFramed, p, piece, len(r.events), want)
				}
				for i := range r.events {
					e := &r.events[i]
					if strings.Trim(string(e.Body), "x") != "" {
						t.Fatalf("framed %v, %v, pieces of %d: event %d is damaged", isFramed, p, piece, i)
					}
				}
				if piece < 4096 && len(r.events) < 4 {
					t.Errorf("framed %v, %v, pieces of %d: %d events", isFramed, p, piece, len(r.events))
				}
			}
		}
	}
}

// TestMalformed: a connection that brings something else is closed, after the
// calls in front of it are stored and answered, and the log says what came.
func TestMalformed(t *testing.T) {
	good := framed(message(Message{Type: Call, Seq: 1, Name: []byte("append"), Protocol: Compact}, oneEvent("a")))
	for name, c := range map[string]struct{ in, log string }{
		"http":          {"GET / HTTP/1.1\r\n\r\n", "speak HTTP"},
		"tls":           {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "speak TLS"},
		"sasl":          {"\x01\x00\x00\x00\x06GSSAPI", "Kerberos"},
		"no frames":     {"\x82\x21\x01\x06append\x1c\x1b\x00\x18\x01a\x00\x00", "framed transport"},
		"no frames, b":  {"\x80\x01\x00\x01\x00\x00\x00\x06append", "framed transport"},
		"no length":     {"\x00\x00\x00\x00", "frame of 0 bytes"},
		"negative":      {"\xff\xff\xff\xff", "frame of -1 bytes"},
		"too long":      {"\x7f\xff\xff\xff", "frame of 2147483647 bytes"},
		"cut off":       {"\x00\x00\x00\x03\x82\x21\x01", "too early"},
		"garbage":       {"\x00\x00\x00\x04\xff\xff\xff\xff", "no version"},
		"other version": {"\x00\x00\x00\x04\x82\x22\x01\x06", "version 2"},
		"body":          {"\x00\x00\x00\x0f\x82\x21\x01\x06append\x1c\x1b\x00\x18\x7f", "no room"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log buffer
			var r recorder
			s := flumeServer(&log)
			addr := start(t, s, r.store)
			for range 3 {
				out := converse(t, addr, append(bytes.Clone(good), c.in...))
				if got := answers(t, out); got != "1: OK" {
					t.Errorf("answered %q", got)
				}
			}
			for deadline := time.Now().Add(limit); s.malformedNow() < 3 && time.Now().Before(deadline); {
				<-time.After(time.Millisecond)
			}
			if got := r.text(); got != strings.Repeat("{} a\n", 3) || s.malformedNow() != 3 {
				t.Errorf("%d connections are counted, and the events are %q", s.malformedNow(), got)
			}
			if n := strings.Count(log.String(), c.log); n != 1 {
				t.Errorf("%d lines have %q:\n%s", n, c.log, log.String())
			}
		})
	}
}

func (s *Server) malformedNow() int64 { return s.Metrics.OwnCounter("malformed_messages", "").Value() }

// one is a listener that accepts one connection.
type one struct {
	conn   chan net.Conn
	closed context.Context
	end    context.CancelFunc
}

func (o *one) Accept() (net.Conn, error) {
	select {
	case c := <-o.conn:
		return c, nil
	case <-o.closed.Done():
		return nil, net.ErrClosed
	}
}
func (o *one) Close() error   { o.end(); return nil }
func (o *one) Addr() net.Addr { return &net.TCPAddr{} }

// inBubble serves one connection in a bubble, whose other end it gives to f.
func inBubble(t *testing.T, s *Server, store Store, f func(t *testing.T, conn net.Conn, stop func())) {
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		closed, end := context.WithCancel(context.Background())
		ln := &one{make(chan net.Conn, 1), closed, end}
		ln.conn <- server
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Serve(ctx, ln, store) }()
		f(t, client, cancel)
		cancel()
		client.Close()
		if err := <-done; err != nil {
			t.Errorf("Serve returned %v", err)
		}
	})
}

// TestSlowClient: a client has a limited time for a message, and none between
// messages.
func TestSlowClient(t *testing.T) {
	good := framed(message(Message{Type: Call, Seq: 1, Name: []byte("append"), Protocol: Compact}, oneEvent("a")))
	var log buffer
	s := flumeServer(&log)
	s.ReceiveTimeout = time.Minute
	var r recorder
	inBubble(t, s, r.store, func(t *testing.T, conn net.Conn, _ func()) {
		out := make([]byte, 100)
		for range 3 {
			<-time.After(time.Hour)
			conn.Write(good[:5])
			<-time.After(59 * time.Second)
			conn.Write(good[5:])
			if n, err := conn.Read(out); err != nil || answers(t, out[:n]) != "1: OK" {
				t.Fatalf("answered % x, %v", out[:n], err)
			}
		}
		conn.Write(good[:5])
		begin := time.Now()
		if _, err := conn.Read(out); !errors.Is(err, io.EOF) || time.Since(begin) != time.Minute {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		synctest.Wait()
		if !strings.Contains(log.String(), "not complete in time") {
			t.Errorf("the log:\n%s", log.String())
		}
	})
}

// TestUnreadAnswers: a client that does not read its answers loses its connection.
func TestUnreadAnswers(t *testing.T) {
	good := framed(message(Message{Type: Call, Seq: 1, Name: []byte("append"), Protocol: Compact}, oneEvent("a")))
	s := flumeServer(nil)
	s.SendTimeout = time.Minute
	var r recorder
	inBubble(t, s, r.store, func(t *testing.T, conn net.Conn, _ func()) {
		conn.Write(good)
		<-time.After(61 * time.Second)
		if _, err := conn.Read(make([]byte, 100)); !errors.Is(err, io.EOF) {
			t.Errorf("the connection is not closed: %v", err)
		}
	})
}

// TestStopWithinMessage: half a message does not hold up a server that stops.
func TestStopWithinMessage(t *testing.T) {
	s := flumeServer(nil)
	s.ReceiveTimeout = time.Minute
	var r recorder
	inBubble(t, s, r.store, func(t *testing.T, conn net.Conn, stop func()) {
		conn.Write([]byte{0, 0, 0, 100, 0x82})
		synctest.Wait()
		begin := time.Now()
		stop()
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) || time.Since(begin) != 0 {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
	})
}

// TestWorkers: so many calls are stored at the same time, and no more.
func TestWorkers(t *testing.T) {
	good := framed(message(Message{Type: Call, Seq: 1, Name: []byte("append"), Protocol: Compact}, oneEvent("a")))
	s := flumeServer(nil)
	s.Workers = 2
	inside, gate := make(chan struct{}, 5), make(chan struct{})
	addr := start(t, s, func(context.Context, *event.Batch, []Request) error {
		inside <- struct{}{}
		<-gate
		return nil
	})
	done := make(chan string, 5)
	for range 5 {
		go func() { done <- string(converse(t, addr, good)) }()
	}
	<-inside
	<-inside
	select {
	case <-inside:
		t.Error("three calls are stored at the same time")
	case <-time.After(50 * time.Millisecond):
	}
	close(gate)
	for range 5 {
		if got := answers(t, []byte(<-done)); got != "1: OK" {
			t.Errorf("answered %q", got)
		}
	}
}

// TestVoidAndOneway: a service without a status has empty answers, or none, and an
// error of Store ends the connection.
func TestVoidAndOneway(t *testing.T) {
	service := &Service{Methods: []Method{
		{Name: "append", Args: (*Decoder).appendArgs, Oneway: true},
		{Name: "close", Args: func(d *Decoder, _ *event.Batch) error { return d.SkipStruct() }},
	}}
	send := message(Message{Type: Oneway, Seq: 1, Name: []byte("append"), Protocol: Binary}, oneEvent("a"))
	end := message(Message{Type: Call, Seq: 2, Name: []byte("close"), Protocol: Binary}, nil)
	unknown := message(Message{Type: Call, Seq: 3, Name: []byte("open"), Protocol: Binary}, oneEvent("b"))
	in := bytes.Join([][]byte{send, unknown, send, end}, nil)
	serve := func(longest int, log io.Writer, store Store) string {
		s := flumeServer(log)
		s.Service, s.Framed, s.MaxMessage = service, false, longest
		return string(converse(t, start(t, s, store), in))
	}
	var r recorder
	out := serve(1<<20, nil, r.store)
	want := "\x80\x01\x00\x02\x00\x00\x00\x05close\x00\x00\x00\x02\x00"
	if !strings.HasSuffix(out, want) || !strings.Contains(out, "Invalid method name: 'open'") {
		t.Errorf("answered %q", out)
	}
	if got := r.text(); got != "{} a\n{} a\n" {
		t.Errorf("events %q", got)
	}
	r.fail = func(int) error { return errors.New("broken") }
	if out := serve(1<<20, nil, r.store); out != "" {
		t.Errorf("answered %q", out)
	}
	var log buffer
	serve(30, &log, new(recorder).store)
	if !strings.Contains(log.String(), "longer than 30 bytes") {
		t.Errorf("the log:\n%s", log.String())
	}
}
