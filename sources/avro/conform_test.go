package avro

import (
	"context"
	"strconv"
	"sync"
	"testing"

	"github.com/flume-go/flume/conform/sourcetest"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/netio"
	wire "github.com/flume-go/flume/wire/avro"
)

// TestConformance checks the source with clients that wait for answers and send
// ahead, plain and compressed, in batches and one by one.
func TestConformance(t *testing.T) {
	sourcetest.Run(t,
		harness("appendBatch", "none", false),
		harness("compressed", "deflate", false),
		harness("append", "none", true),
	)
}

func harness(name, compression string, single bool) sourcetest.Harness {
	return sourcetest.Harness{
		Name: name,
		Type: "avro",
		Settings: func(testing.TB) map[string]string {
			return map[string]string{"compression-type": compression}
		},
		Client: func(t testing.TB, s *sourcetest.Subject) sourcetest.Client {
			c, err := wire.Dial(t.Context(), wire.Options{Address: s.Address, Deflate: compression == "deflate", Level: 6})
			if err != nil {
				t.Fatalf("connecting to the source: %v", err)
			}
			return &sender{subject: s, client: c, single: single}
		},
		Network: "tcp",
		Listen: func(host string, port int) map[string]string {
			return map[string]string{"bind": host, "port": strconv.Itoa(port)}
		},
		Acks:    true,
		Carries: true,
		Grace:   netio.Grace,
		Sockets: true,
	}
}

// sender sends without waiting for answers.
type sender struct {
	subject *sourcetest.Subject
	client  *wire.Client
	single  bool

	mu     sync.Mutex
	wg     sync.WaitGroup // calls under way; added to with mu held
	closed bool
}

// Generate implements sourcetest.Client.
func (s *sender) Generate(ids ...uint64) {
	if !s.single {
		s.send(ids)
		return
	}
	for _, id := range ids {
		s.send([]uint64{id})
	}
}

func (s *sender) send(ids []uint64) {
	ctx := context.Background()
	b := event.NewBatch()
	for _, id := range ids {
		e := b.AppendCopy([]byte(sourcetest.Text(id)))
		for k, v := range sourcetest.Headers(id) {
			b.SetHeader(e, k, v)
		}
	}
	var call *wire.Pending
	var err error
	if s.single {
		call, err = s.client.StartOne(ctx, b.At(0), nil)
	} else {
		call, err = s.client.Start(ctx, b, nil)
	}
	b.Release()
	wait := func() {
		told := s.subject.Refused
		if err == nil && call.Wait(ctx) == nil {
			told = s.subject.Acked
		}
		for _, id := range ids {
			told(id)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		wait() // which is over at once: the connection is
		return
	}
	s.wg.Go(wait)
}

// Close implements sourcetest.Client.
func (s *sender) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	_ = s.client.Close()
	s.wg.Wait()
}
