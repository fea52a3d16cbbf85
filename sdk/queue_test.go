package sdk

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fakeClient is a client that does as it is told.
type fakeClient struct {
	mu     sync.Mutex
	got    []string
	calls  int
	fail   error // of all calls, after so many events of each
	take   int
	block  chan struct{}
	closed bool
}

func (c *fakeClient) Append(ctx context.Context, e Event) error {
	return c.AppendBatch(ctx, []Event{e})
}

func (c *fakeClient) AppendBatch(ctx context.Context, events []Event) error {
	if c.block != nil {
		select {
		case <-c.block:
		case <-ctx.Done():
			return &DeliveryError{Err: context.Cause(ctx)}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	n := len(events)
	if c.fail != nil {
		n = min(n, c.take)
	}
	for _, e := range events[:n] {
		c.got = append(c.got, string(e.Body))
	}
	if c.fail != nil {
		return &DeliveryError{Delivered: n, Err: c.fail}
	}
	return nil
}

func (c *fakeClient) BatchSize() int { return 3 }

func (c *fakeClient) Close() error {
	c.closed = true
	return nil
}

func (c *fakeClient) set(fail error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail = fail
}

func bodies(text string) []Event {
	var events []Event
	for _, s := range strings.Fields(text) {
		events = append(events, Event{Body: []byte(s)})
	}
	return events
}

func (c *fakeClient) has(t *testing.T, want string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if got := strings.Join(c.got, " "); got != want {
		t.Errorf("sent %q, want %q", got, want)
	}
	c.got = nil
}

func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeClient{}
		var notes []string
		q := NewQueue(c, QueueOptions{Notify: func(err error) {
			if err == nil {
				notes = append(notes, "works")
				return
			}
			notes = append(notes, err.Error())
		}})
		if q.BatchSize() != 3 {
			t.Errorf("the batch size is %d", q.BatchSize())
		}
		body := []byte("1")
		if err := q.Append(t.Context(), Event{Body: body}); err != nil {
			t.Fatal(err)
		}
		body[0] = 'x' // the queue has a copy
		synctest.Wait()
		c.has(t, "1")
		// Failing, it sends what is not delivered again until that works.
		c.fail, c.take = errDown, 1
		if err := q.AppendBatch(t.Context(), bodies("2 3 4 5")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		c.has(t, "2")
		c.set(nil)
		<-time.After(200 * time.Millisecond)
		synctest.Wait()
		c.has(t, "3 4 5")
		if s := q.Stats(); s != (Stats{Delivered: 5, Retries: 1}) {
			t.Errorf("the counts are %+v", s)
		}
		if len(notes) != 2 || !strings.Contains(notes[0], "down") || notes[1] != "works" {
			t.Errorf("notes: %q", notes)
		}
		if err := q.Close(); err != nil || !c.closed {
			t.Errorf("closing: %v", err)
		}
		if err := q.Append(t.Context(), Event{}); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close the error is %v", err)
		}
		if err := q.Close(); err != nil {
			t.Errorf("closing again: %v", err)
		}
	})
}

func TestQueueFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeClient{block: make(chan struct{})}
		q := NewQueue(c, QueueOptions{Capacity: 4, Full: Drop})
		err := q.AppendBatch(t.Context(), bodies("1 2 3 4 5 6"))
		if failsWith(t, err, 4, false); !errors.Is(err, ErrQueueFull) {
			t.Errorf("the error is %v", err)
		}
		close(c.block)
		synctest.Wait()
		c.has(t, "1 2 3 4")
		if s := q.Stats(); s != (Stats{Delivered: 4, Dropped: 2}) {
			t.Errorf("the counts are %+v", s)
		}
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestQueueWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeClient{block: make(chan struct{})}
		q := NewQueue(c, QueueOptions{Capacity: 100, MaxBytes: 6})
		limited, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := q.AppendBatch(limited, bodies("abc abc abc"))
		if failsWith(t, err, 2, false); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the error is %v", err)
		}
		stored := make(chan error, 1)
		go func() { stored <- q.AppendBatch(t.Context(), bodies("longer-than-all-space x")) }()
		synctest.Wait()
		select {
		case err := <-stored:
			t.Fatalf("did not wait: %v", err)
		default:
		}
		close(c.block)
		if err := <-stored; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		c.has(t, "abc abc longer-than-all-space x")
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestQueueGivesUp: what cannot be delivered is counted and told.
func TestQueueGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeClient{fail: errDown}
		q := NewQueue(c, QueueOptions{Attempts: 3})
		if err := q.AppendBatch(t.Context(), bodies("1 2 3 4")); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		if s := q.Stats(); s != (Stats{Failed: 4, Retries: 4}) || c.calls != 6 {
			t.Errorf("the counts are %+v after %d calls", s, c.calls)
		}
		if err := q.Close(); err != nil {
			t.Error(err)
		}

		q = NewQueue(c, QueueOptions{})
		if err := q.AppendBatch(t.Context(), bodies("1 2 3 4")); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		err := q.Close()
		if err == nil || !strings.Contains(err.Error(), "4 events could not be delivered") || time.Since(began) != 10*time.Second {
			t.Errorf("closing took %v: %v", time.Since(began), err)
		}
		if s := q.Stats(); s.Failed != 4 || s.Waiting != 0 {
			t.Errorf("the counts are %+v", s)
		}
	})
}

func TestWriter(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		o      WriterOptions
		writes []string
		want   string // with a bar behind each event
		closed string
	}{
		"lines":     {WriterOptions{}, []string{"one\ntwo\r\n\nth", "r", "ee\nfour"}, "one|two||three|", "four|"},
		"nothing":   {WriterOptions{}, []string{"", "\n"}, "|", ""},
		"per write": {WriterOptions{PerWrite: true}, []string{"one\ntwo\n", "three\r\n", "four"}, "one\ntwo|three|four|", ""},
		"long":      {WriterOptions{MaxLine: 4}, []string{"123456789\n12", "34\n1234", "5\n"}, "1234|5678|9|1234|1234|5|", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &fakeClient{}
			w := NewWriter(c, tt.o)
			for _, text := range tt.writes {
				if n, err := w.Write([]byte(text)); n != len(text) || err != nil {
					t.Errorf("writing %q: %d, %v", text, n, err)
				}
			}
			sent := func() (s string) {
				for _, body := range c.got {
					s += body + "|"
				}
				c.got = nil
				return s
			}
			if got := sent(); got != tt.want {
				t.Errorf("sent %q, want %q", got, tt.want)
			}
			for range 2 {
				if err := w.Close(); err != nil {
					t.Error(err)
				}
			}
			if got := sent(); got != tt.closed {
				t.Errorf("closing sent %q, want %q", got, tt.closed)
			}
		})
	}
}

// TestWriterFails: what is not sent can be written again.
func TestWriterFails(t *testing.T) {
	t.Parallel()
	c := &fakeClient{}
	w := NewWriter(c, WriterOptions{Timeout: time.Minute})
	text := "one\ntwo\nthree\nfour"
	if _, err := w.Write([]byte("begun ")); err != nil {
		t.Fatal(err)
	}
	c.fail, c.take = errDown, 0
	if n, err := w.Write([]byte(text)); n != 0 || err == nil {
		t.Errorf("writing: %d, %v", n, err)
	}
	c.take = 2
	n, err := w.Write([]byte(text))
	if n != len("one\ntwo\n") || err == nil {
		t.Errorf("writing: %d, %v", n, err)
	}
	c.fail = nil
	if _, err := w.Write([]byte(text[n:])); err != nil {
		t.Error(err)
	}
	c.fail, c.take = errDown, 0
	if err := w.Close(); err == nil {
		t.Error("closing did not fail")
	}
	c.fail = nil
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if got := strings.Join(c.got, "|"); got != "begun one|two|three|four" {
		t.Errorf("sent %q", got)
	}
}
