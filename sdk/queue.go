package sdk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/flume-go/flume/flow"
)

// ErrQueueFull says that events were dropped because a queue was full.
var ErrQueueFull = errors.New("the queue is full")

// FullPolicy says what a queue does with events when it is full.
type FullPolicy int

const (
	// Wait makes the caller wait for space, as long as its context allows.
	Wait FullPolicy = iota
	// Drop drops and counts them, and the caller gets ErrQueueFull at once.
	Drop
)

// QueueOptions say how much a queue holds, and what it does when that is not enough. The
// zero value of each field is its default.
type QueueOptions struct {
	// Capacity is the most events: 10 000.
	Capacity int
	// MaxBytes is the most bytes of their bodies and headers: 64 MiB. A longer event is
	// taken when there is no other.
	MaxBytes int
	// Full says what becomes of events that find no space: Wait.
	Full FullPolicy
	// Attempts is how often events are sent before they are given up and counted as
	// failed; 0 is until they are delivered.
	Attempts int
	// MinBackoff and MaxBackoff bound the pause before a next attempt, which doubles
	// each time: 100 ms and 5 s.
	MinBackoff, MaxBackoff time.Duration
	// CloseTimeout is how long Close waits for what is in the queue: 10 seconds.
	CloseTimeout time.Duration
	// Notify, if not nil, is called with the error when sending begins to fail, and with
	// nil when it works again. It must not use the queue.
	Notify func(err error)
}

// Stats are what a queue has done so far.
type Stats struct {
	Waiting   int    // events in the queue, those that are being sent included
	Delivered uint64 // events that an agent has
	Dropped   uint64 // events that found no space
	Failed    uint64 // events that were given up, after all attempts or by Close
	Retries   uint64 // sends after one that failed
}

// Queue is a client that takes events at once and sends them in the background, in their
// order and in batches, through another client. What is in it is lost with the process:
// package sdk/embedded has what is not. Safe for concurrent use.
type Queue struct {
	client Client
	o      QueueOptions
	cancel context.CancelFunc // ends the sending
	wake   chan struct{}      // has a token when there may be something to send
	ended  chan struct{}      // closed when nothing is sent any more

	mu     sync.Mutex
	events []Event // of these, the first ones may be on their way
	bytes  int
	stats  Stats
	space  chan struct{} // closed and replaced when there is more of it, or the queue closes
	closed bool
}

var _ Client = (*Queue)(nil)

// NewQueue returns a queue in front of c, which belongs to it from now on.
func NewQueue(c Client, o QueueOptions) *Queue {
	fill(&o.Capacity, 10_000)
	fill(&o.MaxBytes, 64<<20)
	fill(&o.MinBackoff, 100*time.Millisecond)
	fill(&o.MaxBackoff, 5*time.Second)
	fill(&o.CloseTimeout, 10*time.Second)
	if o.Notify == nil {
		o.Notify = func(error) {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	q := &Queue{
		client: c, o: o, cancel: cancel,
		wake: make(chan struct{}, 1), ended: make(chan struct{}), space: make(chan struct{}),
	}
	go q.run(ctx)
	return q
}

// Append implements Client. nil means that the queue has a copy of the event.
func (q *Queue) Append(ctx context.Context, e Event) error {
	return q.AppendBatch(ctx, []Event{e})
}

// AppendBatch implements Client. nil means that the queue has copies of the events; of an
// error, Delivered says of how many.
func (q *Queue) AppendBatch(ctx context.Context, events []Event) error {
	done := 0
	for done < len(events) {
		n, space, err := q.add(events[done:])
		if done += n; err != nil {
			return &DeliveryError{Delivered: done, Err: err}
		}
		if done == len(events) {
			break
		}
		select {
		case <-space:
		case <-ctx.Done():
			return &DeliveryError{Delivered: done, Err: context.Cause(ctx)}
		}
	}
	return nil
}

// add takes as many of the events as fit. For the others there may be space when the
// channel is closed.
func (q *Queue) add(events []Event) (n int, space <-chan struct{}, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return 0, nil, ErrClosed
	}
	for n < len(events) && q.fits(&events[n]) {
		e := Event{Headers: maps.Clone(events[n].Headers), Body: slices.Clone(events[n].Body)}
		q.events = append(q.events, e)
		q.bytes += sizeOf(&e)
		n++
	}
	if n > 0 {
		signal(q.wake)
	}
	if n < len(events) && q.o.Full == Drop {
		q.stats.Dropped += uint64(len(events) - n)
		return n, nil, ErrQueueFull
	}
	return n, q.space, nil
}

func (q *Queue) fits(e *Event) bool {
	n := len(q.events)
	return n == 0 || n < q.o.Capacity && q.bytes+sizeOf(e) <= q.o.MaxBytes
}

func sizeOf(e *Event) int {
	n := len(e.Body)
	for k, v := range e.Headers {
		n += len(k) + len(v)
	}
	return n
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run sends what is in the queue, until it is closed and empty, or ctx ends.
func (q *Queue) run(ctx context.Context) {
	defer close(q.ended)
	pause := flow.Backoff{Min: q.o.MinBackoff, Max: q.o.MaxBackoff}
	failures := 0 // in a row
	for {
		batch, open := q.first()
		if len(batch) == 0 {
			if !open {
				return
			}
			select {
			case <-q.wake:
			case <-ctx.Done():
				return
			}
			continue
		}
		err := q.client.AppendBatch(ctx, batch)
		if ctx.Err() != nil && err != nil {
			q.sent(len(batch), err)
			return
		}
		delivered := q.sent(len(batch), err)
		if delivered > 0 {
			pause.Reset()
		}
		if err == nil {
			if failures > 0 {
				q.o.Notify(nil)
			}
			failures = 0
			continue
		}
		failures = q.failed(failures, delivered, len(batch), err)
		if !pause.Wait(ctx, 0) {
			return
		}
	}
}

// first returns the events to be sent next, and whether there may be more at a later time.
func (q *Queue) first() (batch []Event, open bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.events), q.client.BatchSize())
	return q.events[:n:n], !q.closed
}

// sent removes what was delivered of so many events that were sent first.
func (q *Queue) sent(n int, err error) (delivered int) {
	if delivered = n; err != nil {
		delivered = 0
		var partly *DeliveryError
		if errors.As(err, &partly) {
			delivered = partly.Delivered
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stats.Delivered += uint64(delivered)
	q.remove(delivered)
	return delivered
}

// failed notes a failure and gives events up if it is the last that they are allowed. It
// returns how many there have been in a row.
func (q *Queue) failed(failures, delivered, n int, err error) int {
	if failures == 0 {
		q.o.Notify(err)
	}
	if delivered > 0 {
		failures = 0 // others are in front now
	}
	failures++
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.o.Attempts > 0 && failures%q.o.Attempts == 0 {
		q.stats.Failed += uint64(n - delivered)
		q.remove(n - delivered)
	} else {
		q.stats.Retries++
	}
	return failures
}

// remove removes the first n events. mu is held.
func (q *Queue) remove(n int) {
	if n == 0 {
		return
	}
	for i := range n {
		q.bytes -= sizeOf(&q.events[i])
	}
	clear(q.events[:n])
	q.events = q.events[n:]
	if len(q.events) == 0 {
		q.events = nil // of a long queue not all memory is kept
	}
	close(q.space)
	q.space = make(chan struct{})
}

// BatchSize implements Client.
func (q *Queue) BatchSize() int { return q.client.BatchSize() }

// Stats returns what the queue has done so far.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.stats
	s.Waiting = len(q.events)
	return s
}

// Close is Shutdown with the time of CloseTimeout.
func (q *Queue) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), q.o.CloseTimeout)
	defer cancel()
	return q.Shutdown(ctx)
}

// Shutdown takes no more events, sends those that are in the queue until ctx ends, and
// closes the client behind it. The error says how many events could not be delivered.
func (q *Queue) Shutdown(ctx context.Context) error {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.space)
		q.space = make(chan struct{})
		signal(q.wake)
	}
	q.mu.Unlock()
	select {
	case <-q.ended:
	case <-ctx.Done():
	}
	q.cancel()
	<-q.ended
	return errors.Join(q.giveUp(), q.client.Close())
}

// giveUp counts what is left as failed.
func (q *Queue) giveUp() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.events)
	if n == 0 {
		return nil
	}
	q.stats.Failed += uint64(n)
	q.remove(n)
	return fmt.Errorf("closing a queue: %d events could not be delivered in time", n)
}
