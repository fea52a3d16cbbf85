//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	flume "github.com/flume-go/flume/event"
	wire "github.com/flume-go/flume/wire/avro"
)

// hopBook is a ledger of events that are sent to an avro source. Body and headers of an event are made of its number and the
// seed alone. Most clients never send an event twice, some send a batch again when they do not know what became of it.
type hopBook struct {
	ledger
	copies []int // how often the event may have been stored, by number; mu guards it
	again  int   // batches that were sent again
}

// headers returns the headers of event id.
func (b *hopBook) headers(id int) map[string]string {
	rng := rand.New(rand.NewPCG(b.seed, uint64(id)<<20))
	h := map[string]string{"n": strconv.Itoa(id)}
	if rng.IntN(3) > 0 {
		length := rng.IntN(30)
		if rng.IntN(100) == 0 {
			length = 3000
		}
		h["text"] = strings.Repeat(string(rune('a'+rng.IntN(26))), length)
	}
	return h
}

// appendEvent appends event id to a batch.
func (b *hopBook) appendEvent(to *flume.Batch, id int) {
	e := to.AppendCopy(b.appendLine(nil, id))
	for k, v := range b.headers(id) {
		to.SetHeader(e, k, v)
	}
}

// identifyEvent returns the number of an event that the serializer header_and_text has written, or an error if it was never
// sent in this form.
func (b *hopBook) identifyEvent(line string) (int, error) {
	head, body, ok := strings.Cut(line, "} ")
	head, begun := strings.CutPrefix(head, "{")
	if !ok || !begun {
		return 0, fmt.Errorf("the line %.80q is no event", line)
	}
	id, err := b.identify([]byte(body))
	if err != nil {
		return 0, err
	}
	var want []string
	for k, v := range b.headers(id) {
		want = append(want, k+"="+v)
	}
	got := strings.Split(head, ", ")
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		return 0, fmt.Errorf("event %d was sent with the headers %.200q and delivered with %.200q", id, want, got)
	}
	return id, nil
}

// answered enters what became of so many events from the number first on.
func (b *hopBook) answered(first, n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.copies) < len(b.acked) {
		b.copies = append(b.copies, 0)
	}
	var no *wire.AnswerError
	var unknown *wire.SentError
	switch {
	case err == nil:
		b.oks += n
		b.answers++
	case errors.As(err, &no):
		b.refused += n
		b.latest = no.Error()
		b.answers++
	case errors.As(err, &unknown):
	default:
		return // the source has none of them
	}
	for id := first; id < first+n; id++ {
		b.acked[id] = b.acked[id] || err == nil
		b.copies[id]++
	}
}

// hopLoad is clients of an avro source.
type hopLoad struct {
	book  *hopBook
	addr  string
	batch int           // most events in one call
	pause time.Duration // longest pause between two calls
}

// run runs n clients until ctx ends; all have ended when the function that it returns does.
func (d hopLoad) run(ctx context.Context, n int) (wait func()) {
	var clients sync.WaitGroup
	for i := range n {
		clients.Go(func() { d.client(ctx, i) })
	}
	return clients.Wait
}

// client sends until ctx ends. Every other one sends again what it knows nothing of.
func (d hopLoad) client(ctx context.Context, name int) {
	rng := rand.New(rand.NewPCG(d.book.seed, uint64(name)<<32))
	var c *wire.Client
	defer func() {
		if c != nil {
			_ = c.Close() // what was under way is entered
		}
	}()
	for ctx.Err() == nil {
		n := 1 + rng.IntN(d.batch)
		first := d.book.issue(uint8(name), n)
		for again := true; again && ctx.Err() == nil; {
			if c == nil || !c.Active() {
				if c = d.connect(ctx, c); c == nil {
					pass(ctx, 5*time.Millisecond)
					continue
				}
			}
			err := d.send(ctx, c, first, n)
			d.book.answered(first, n, err)
			var unknown *wire.SentError
			if again = name%2 == 1 && errors.As(err, &unknown); again {
				d.book.mu.Lock()
				d.book.again++
				d.book.mu.Unlock()
			}
		}
		pass(ctx, time.Duration(rng.Int64N(int64(d.pause)+1)))
	}
}

// connect returns a new connection in place of one that is of no more use, or nil.
func (d hopLoad) connect(ctx context.Context, old *wire.Client) *wire.Client {
	if old != nil {
		_ = old.Close() // it has failed before
	}
	c, err := wire.Dial(ctx, wire.Options{Address: d.addr, ConnectTimeout: 2 * time.Second, RequestTimeout: 5 * time.Second})
	if err != nil {
		return nil
	}
	return c
}

func (d hopLoad) send(ctx context.Context, c *wire.Client, first, n int) error {
	b := flume.NewBatch()
	defer b.Release()
	for id := first; id < first+n; id++ {
		d.book.appendEvent(b, id)
	}
	if n == 1 {
		return c.Append(ctx, b.At(0), nil)
	}
	return c.AppendBatch(ctx, b, nil)
}
