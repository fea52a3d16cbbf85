package sinktest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

// The sink of type "sound_socket" sends each batch as a line of JSON to a server,
// which answers with a line.

const (
	taken   = "taken\n"
	refused = "refused\n"
)

// server is a destination behind a socket.
type server struct {
	ln net.Listener
	wg sync.WaitGroup

	mu     sync.Mutex
	how    Behaviour
	events []event.Event
	conns  map[net.Conn]struct{}
}

func newServer(t testing.TB) *server {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{ln: ln, conns: map[net.Conn]struct{}{}}
	s.wg.Go(s.accept)
	t.Cleanup(func() {
		ln.Close()
		s.mu.Lock()
		for c := range s.conns {
			c.Close()
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
	return s
}

func (s *server) accept() {
	for {
		conn, err := s.ln.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[conn] = struct{}{}
		s.mu.Unlock()
		s.wg.Go(func() {
			defer conn.Close()
			in := bufio.NewReader(conn)
			for s.serve(conn, in) {
			}
		})
	}
}

// serve deals with one batch and reports whether the connection goes on.
func (s *server) serve(conn net.Conn, in *bufio.Reader) bool {
	if _, err := in.Peek(1); err != nil {
		return false
	}
	s.mu.Lock()
	how := s.how
	s.mu.Unlock()
	if how == Break {
		return false
	}
	line, err := in.ReadBytes('\n')
	if err != nil {
		return false
	}
	switch how {
	case Refuse:
		_, err = io.WriteString(conn, refused)
		return err == nil
	case Hang:
		_, _ = in.Peek(1) // until the client gives up
		return false
	}
	var events []event.Event
	if err := json.Unmarshal(line, &events); err != nil {
		return false
	}
	s.mu.Lock()
	s.events = append(s.events, events...)
	s.mu.Unlock()
	if how == Silent {
		return false
	}
	_, err = io.WriteString(conn, taken)
	return err == nil
}

func (s *server) behave(how Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.how = how
}

func (s *server) content() ([]event.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events), nil
}

type socketConfig struct {
	Address string `flume:"address,required" doc:"Where the server listens."`
}

// soundSocket is a sink that is right in every way. It connects when it must.
type soundSocket struct {
	address string
	open    bool
	conn    net.Conn
	in      *bufio.Reader
	// careless makes it take a batch that is sent for one that is delivered.
	careless bool
}

func init() {
	component.RegisterSink(component.Info{Type: "sound_socket", Summary: "Delivers to a server."},
		func(c socketConfig, _ component.Env) (flow.Sink, error) { return &soundSocket{address: c.Address}, nil })
}

func (s *soundSocket) Open(context.Context) error { s.open = true; return nil }

func (s *soundSocket) Close(context.Context) error {
	s.open = false
	s.hangUp()
	return nil
}

func (s *soundSocket) hangUp() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

// Deliver implements flow.Sink. A connection on which something failed is not used
// again.
func (s *soundSocket) Deliver(ctx context.Context, b *event.Batch) (err error) {
	if !s.open {
		return flow.ErrClosed
	}
	defer func() {
		if err != nil {
			s.hangUp()
		}
	}()
	if s.conn == nil {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.address)
		if err != nil {
			return fmt.Errorf("connecting: %w", err)
		}
		s.conn, s.in = conn, bufio.NewReader(conn)
	}
	conn := s.conn
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	text, err := json.Marshal(b.Events())
	if err != nil {
		return flow.Reject(err)
	}
	if _, err := conn.Write(append(text, '\n')); err != nil {
		return flow.Unknown(fmt.Errorf("sending: %w", err))
	}
	if s.careless {
		return nil
	}
	switch answer, err := s.in.ReadString('\n'); {
	case err != nil:
		return flow.Unknown(fmt.Errorf("waiting for the answer: %w", err))
	case answer != taken:
		return errors.New("the server refuses the batch")
	default:
		return nil
	}
}

func socketHarness() Harness {
	return Harness{
		Type: "sound_socket",
		Destination: func(t testing.TB) Destination {
			s := newServer(t)
			return Destination{
				Settings: map[string]string{"address": s.ln.Addr().String()},
				Content:  s.content,
				Behave:   s.behave,
			}
		},
		Errors: map[Behaviour]flow.Class{
			Refuse: flow.ClassRetry, Break: flow.ClassUnknown, Silent: flow.ClassUnknown, Hang: flow.ClassUnknown,
		},
		Largest:    1 << 20,
		Headers:    true,
		Duplicates: true, // after silence
		Sockets:    true,
	}
}

// The suite passes a sound sink with real sockets, outside of bubbles.
func TestSoundSocketSinkPasses(t *testing.T) { Run(t, socketHarness()) }

// Rules that run outside of a bubble find what is broken, too.
func TestBrokenSocketSinksAreFound(t *testing.T) {
	for name, wreck := range map[string]func(flow.Sink) flow.Sink{
		"does not wait for the answer": func(sink flow.Sink) flow.Sink {
			sink.(*soundSocket).careless = true
			return sink
		},
		"takes no answer for a refusal": func(sink flow.Sink) flow.Sink {
			return certain{sink.(*soundSocket)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := socketHarness()
			h.wrap = wreck
			if outcome(t, h, "deliver again") == "" {
				t.Error("the rule does not notice")
			}
		})
	}
}

// certain is a sink that never says that it does not know.
type certain struct{ *soundSocket }

func (c certain) Deliver(ctx context.Context, b *event.Batch) error {
	err := c.soundSocket.Deliver(ctx, b)
	if err != nil && flow.ClassOf(err) == flow.ClassUnknown {
		return flow.Retry(err)
	}
	return err
}
