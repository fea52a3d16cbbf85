package thrift

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	apache "github.com/apache/thrift/lib/go/thrift"
	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/event"
)

// The structs of the interface definition as a compiler makes them, as far as the
// library's client and server need them.

type libraryEvent struct {
	headers map[string]string
	body    []byte
}

func (e libraryEvent) Write(ctx context.Context, p apache.TProtocol) error {
	return errors.Join(
		p.WriteStructBegin(ctx, "ThriftFlumeEvent"),
		p.WriteFieldBegin(ctx, "headers", apache.MAP, 1),
		p.WriteMapBegin(ctx, apache.STRING, apache.STRING, len(e.headers)),
		func() (err error) {
			for k, v := range e.headers {
				err = errors.Join(err, p.WriteString(ctx, k), p.WriteString(ctx, v))
			}
			return err
		}(),
		p.WriteMapEnd(ctx), p.WriteFieldEnd(ctx),
		p.WriteFieldBegin(ctx, "body", apache.STRING, 2), p.WriteBinary(ctx, e.body), p.WriteFieldEnd(ctx),
		p.WriteFieldStop(ctx), p.WriteStructEnd(ctx),
	)
}

func (e *libraryEvent) Read(ctx context.Context, p apache.TProtocol) error {
	return eachField(ctx, p, func(id int16) (err error) {
		if id == 2 {
			e.body, err = p.ReadBinary(ctx)
			return err
		}
		_, _, n, err := p.ReadMapBegin(ctx)
		e.headers = map[string]string{}
		for range n {
			k, failed := p.ReadString(ctx)
			v, again := p.ReadString(ctx)
			e.headers[k] = v
			err = errors.Join(err, failed, again)
		}
		return errors.Join(err, p.ReadMapEnd(ctx))
	})
}

func eachField(ctx context.Context, p apache.TProtocol, read func(id int16) error) error {
	if _, err := p.ReadStructBegin(ctx); err != nil {
		return err
	}
	for {
		_, typ, id, err := p.ReadFieldBegin(ctx)
		if err != nil {
			return err
		}
		if typ == apache.STOP {
			return p.ReadStructEnd(ctx)
		}
		if err := errors.Join(read(id), p.ReadFieldEnd(ctx)); err != nil {
			return err
		}
	}
}

// libraryArgs is the arguments of appendBatch.
type libraryArgs struct{ events []libraryEvent }

func (a *libraryArgs) Write(ctx context.Context, p apache.TProtocol) error {
	err := errors.Join(
		p.WriteStructBegin(ctx, "appendBatch_args"), p.WriteFieldBegin(ctx, "events", apache.LIST, 1),
		p.WriteListBegin(ctx, apache.STRUCT, len(a.events)),
	)
	for _, e := range a.events {
		err = errors.Join(err, e.Write(ctx, p))
	}
	return errors.Join(err, p.WriteListEnd(ctx), p.WriteFieldEnd(ctx), p.WriteFieldStop(ctx), p.WriteStructEnd(ctx))
}

func (a *libraryArgs) Read(ctx context.Context, p apache.TProtocol) error {
	return eachField(ctx, p, func(int16) error {
		_, n, err := p.ReadListBegin(ctx)
		a.events = make([]libraryEvent, n)
		for i := range a.events {
			err = errors.Join(err, a.events[i].Read(ctx, p))
		}
		return errors.Join(err, p.ReadListEnd(ctx))
	})
}

// libraryResult is the result of each method.
type libraryResult struct{ status int32 }

func (r *libraryResult) Write(ctx context.Context, p apache.TProtocol) error {
	return errors.Join(
		p.WriteStructBegin(ctx, "appendBatch_result"), p.WriteFieldBegin(ctx, "success", apache.I32, 0),
		p.WriteI32(ctx, r.status), p.WriteFieldEnd(ctx), p.WriteFieldStop(ctx), p.WriteStructEnd(ctx),
	)
}

func (r *libraryResult) Read(ctx context.Context, p apache.TProtocol) error {
	return eachField(ctx, p, func(int16) (err error) {
		r.status, err = p.ReadI32(ctx)
		return err
	})
}

// factories are the library's protocols, with the limits that it has by default.
var factories = map[Protocol]func(apache.TTransport) apache.TProtocol{
	Compact: func(t apache.TTransport) apache.TProtocol { return apache.NewTCompactProtocolConf(t, nil) },
	Binary:  func(t apache.TTransport) apache.TProtocol { return apache.NewTBinaryProtocolConf(t, nil) },
}

// TestLibraryClient: the client of Apache Thrift's own library is understood.
func TestLibraryClient(t *testing.T) {
	for p, protocol := range factories {
		var r recorder
		addr := start(t, flumeServer(nil), r.store)
		transport := apache.NewTFramedTransportConf(apache.NewTSocketFromConnConf(dial(t, addr), nil), nil)
		client := apache.NewTStandardClient(protocol(transport), protocol(transport))
		args := &libraryArgs{}
		var want strings.Builder
		for i := range 40 {
			args.events = append(args.events, libraryEvent{map[string]string{"k": fmt.Sprint(i)}, []byte(strings.Repeat("ü", i*i))})
			fmt.Fprintf(&want, "{k=%d} %s\n", i, strings.Repeat("ü", i*i))
		}
		for range 3 {
			result := &libraryResult{status: -1}
			if _, err := client.Call(t.Context(), MethodAppendBatch, args, result); err != nil || result.status != 0 {
				t.Errorf("%v: answered %d, %v", p, result.status, err)
			}
		}
		if diff := cmp.Diff(strings.Repeat(want.String(), 3), r.text()); diff != "" {
			t.Errorf("%v: events (-want +got):\n%s", p, diff)
		}
		_, err := client.Call(t.Context(), "fetch", args, &libraryResult{})
		var x apache.TApplicationException
		if !errors.As(err, &x) || x.TypeId() != apache.UNKNOWN_METHOD {
			t.Errorf("%v: an unknown method is answered with %v", p, err)
		}
	}
}

// TestLibraryServer: the server of Apache Thrift's own library understands our
// client, which understands its answers.
func TestLibraryServer(t *testing.T) {
	for p, protocol := range factories {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := &libraryServer{protocol: protocol}
		done := make(chan error, 1)
		go func() { done <- server.serve(ln) }()
		c := NewClient(dial(t, ln.Addr().String()), p)
		for i, want := range []string{"OK <nil>", "FAILED <nil>", "UNKNOWN <nil>", "none that the protocol knows <nil>"} {
			server.status = []int32{0, 1, 3, 9}[i]
			if got := send(c, 3); got != want {
				t.Errorf("%v: %s, not %s", p, got, want)
			}
		}
		server.refusal = apache.NewTApplicationException(apache.INTERNAL_ERROR, "out of order")
		if got, want := send(c, 0), "OK out of order (exception 6)"; got != want {
			t.Errorf("%v: %s, not %s", p, got, want)
		}
		if n := len(server.events); n != 12 || string(server.events[11].body) != strings.Repeat("x", 1000) || len(server.events[0].headers) != 3 {
			t.Errorf("%v: the server has %d events", p, n)
		}
		c.conn.Close()
		if err := <-done; err != nil {
			t.Errorf("%v: %v", p, err)
		}
	}
}

func send(c *Client, n int) string {
	b := sample(n, 1000, 3)
	defer b.Release()
	status, err := c.AppendBatch(b, 0, n, totalSize(b))
	return fmt.Sprint(status, " ", err)
}

// libraryServer serves one connection with what the library has.
type libraryServer struct {
	protocol func(apache.TTransport) apache.TProtocol
	status   int32
	refusal  apache.TApplicationException
	events   []libraryEvent
}

func (s *libraryServer) serve(ln net.Listener) error {
	defer ln.Close()
	conn, err := ln.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	p := s.protocol(apache.NewTFramedTransportConf(apache.NewTSocketFromConnConf(conn, nil), nil))
	ctx := context.Background()
	for {
		name, _, seq, err := p.ReadMessageBegin(ctx)
		if err != nil {
			return nil // the client has gone
		}
		var args libraryArgs
		if err := errors.Join(args.Read(ctx, p), p.ReadMessageEnd(ctx)); err != nil {
			return err
		}
		s.events = append(s.events, args.events...)
		kind, answer := apache.REPLY, apache.TStruct(&libraryResult{s.status})
		if s.refusal != nil {
			kind, answer = apache.EXCEPTION, s.refusal
		}
		err = errors.Join(p.WriteMessageBegin(ctx, name, kind, seq), answer.Write(ctx, p), p.WriteMessageEnd(ctx), p.Flush(ctx))
		if err != nil {
			return err
		}
	}
}

// TestBadAnswers: answers that cannot be are errors.
func TestBadAnswers(t *testing.T) {
	good := Message{Type: Reply, Seq: 1, Name: []byte(MethodAppendBatch), Protocol: Compact}
	with := func(change func(*Message)) Message {
		m := good
		change(&m)
		return m
	}
	ok := func(e *Encoder) { e.Field(I32, 0); e.I32(0) }
	for name, c := range map[string]struct {
		answer []byte
		want   string
	}{
		"good":       {framed(message(good, ok)), "OK <nil>"},
		"other call": {framed(message(with(func(m *Message) { m.Seq = 2 }), ok)), "answer is to call 2, not to 1"},
		"other name": {framed(message(with(func(m *Message) { m.Name = []byte("append") }), ok)), `answer is to "append"`},
		"a call":     {framed(message(with(func(m *Message) { m.Type = Call }), ok)), "type 1 is no answer"},
		"no status":  {framed(message(good, nil)), "no status"},
		"more":       {framed(message(good, func(e *Encoder) { ok(e); e.Field(String, 5); e.Text("later") })), "OK <nil>"},
		"too long":   {[]byte("\x7f\xff\xff\xff"), "answer of 2147483647 bytes"},
		"cut off":    {framed(message(good, ok))[:9], "unexpected EOF"},
		"nothing":    {nil, "EOF"},
		"no reason":  {framed(message(with(func(m *Message) { m.Type = Failure }), nil)), "no reason"},
	} {
		server, client := net.Pipe()
		go func() {
			server.Read(make([]byte, 1000))
			server.Write(c.answer)
			server.Close()
		}()
		b := event.NewBatch()
		b.AppendCopy([]byte("x"))
		status, err := NewClient(client, Compact).AppendBatch(b, 0, 1, 100)
		if got := fmt.Sprint(status, " ", err); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s", name, got)
		}
		b.Release()
		client.Close()
	}
}
