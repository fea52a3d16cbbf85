package sourcetest

import (
	"context"
	"net"
	"strconv"
	"testing"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

// sound is a source whose clients are in the same process. It is right in every
// way until a test wrecks it.
type sound struct {
	insist   bool
	requests chan request
}

type request struct {
	ids    []uint64
	answer func(stored bool)
}

type soundConfig struct {
	Insist bool `flume:"insist" default:"false" doc:"Whether to try until everything is stored."`
}

func init() {
	component.RegisterSource(component.Info{Type: "sound", Summary: "Takes what its clients in the same process have."},
		func(c soundConfig, _ component.Env) (flow.Source, error) {
			return &sound{insist: c.Insist, requests: make(chan request)}, nil
		})
}

// Run implements flow.Source.
func (s *sound) Run(ctx context.Context, out flow.Emitter) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case req := <-s.requests:
			b := event.NewBatch()
			for _, id := range req.ids {
				e := b.AppendCopy([]byte(Text(id)))
				for k, v := range Headers(id) {
					b.SetHeader(e, k, v)
				}
			}
			var err error
			if s.insist {
				err = flow.EmitUntilStored(ctx, out, b, nil)
			} else {
				err = out.Emit(ctx, b)
			}
			b.Release()
			req.answer(err == nil)
		}
	}
}

// near is a client of a sound source.
type near struct {
	subject *Subject
	to      chan<- request
	acks    bool
	gone    <-chan struct{} // closed when the source has stopped
	closed  chan struct{}
}

func (c *near) Generate(ids ...uint64) {
	answer := func(stored bool) {
		for _, id := range ids {
			switch {
			case !c.acks:
			case stored:
				c.subject.Acked(id)
			default:
				c.subject.Refused(id)
			}
		}
	}
	select {
	case c.to <- request{ids, answer}:
	case <-c.gone:
		answer(false)
	case <-c.closed:
		answer(false)
	}
}

func (c *near) Close() { close(c.closed) }

// broken is a source with Run replaced.
type broken struct {
	flow.Source
	run func(ctx context.Context, out flow.Emitter) error
}

func (b *broken) Run(ctx context.Context, out flow.Emitter) error {
	if b.run == nil {
		return b.Source.Run(ctx, out)
	}
	return b.run(ctx, out)
}

// emitterFunc is an emitter in the way between a source and the suite's.
type emitterFunc func(ctx context.Context, b *event.Batch) error

func (f emitterFunc) Emit(ctx context.Context, b *event.Batch) error { return f(ctx, b) }

// soundHarness describes a sound source with clients that are told, or one that
// insists.
func soundHarness(acks bool) Harness {
	return Harness{
		Type: "sound",
		Settings: func(testing.TB) map[string]string {
			return map[string]string{"insist": strconv.FormatBool(!acks)}
		},
		Client: func(_ testing.TB, s *Subject) Client {
			src, ok := s.source.(*sound)
			if !ok {
				src = s.source.(*broken).Source.(*sound)
			}
			return &near{subject: s, to: src.requests, acks: acks, gone: s.done, closed: make(chan struct{})}
		},
		Acks:    acks,
		Carries: true,
	}
}

// seqHarness describes the source that counts.
func seqHarness() Harness {
	return Harness{
		Type: "seq",
		Total: func(events int) map[string]string {
			return map[string]string{"totalEvents": strconv.Itoa(events), "batchSize": "4"}
		},
		ID:      func(e *event.Event) (uint64, error) { return strconv.ParseUint(string(e.Body), 10, 64) },
		Resumes: true,
	}
}

// stressHarness describes a source that gives up what could not be stored.
func stressHarness() Harness {
	return Harness{
		Type: "stress",
		Total: func(events int) map[string]string {
			return map[string]string{"maxTotalEvents": strconv.Itoa(events), "batchSize": "4"}
		},
		Anonymous: true,
		Drops:     true,
	}
}

// netcatHarness describes a source that listens.
func netcatHarness() Harness {
	return Harness{
		Type:     "netcat",
		Settings: func(testing.TB) map[string]string { return map[string]string{"ack-every-event": "false"} },
		Client: func(t testing.TB, s *Subject) Client {
			conn, err := net.Dial("tcp", s.Address)
			if err != nil {
				t.Fatalf("connecting to the source: %v", err)
			}
			return writer{conn}
		},
		Network: "tcp",
		Listen: func(host string, port int) map[string]string {
			return map[string]string{"bind": host, "port": strconv.Itoa(port)}
		},
		Sockets: true,
	}
}

// writer is a client that writes lines and is told nothing.
type writer struct{ conn net.Conn }

func (w writer) Generate(ids ...uint64) {
	for _, id := range ids {
		w.conn.Write([]byte(Text(id) + "\n")) //nolint:errcheck // shows in what is stored
	}
}

func (w writer) Close() { w.conn.Close() }
