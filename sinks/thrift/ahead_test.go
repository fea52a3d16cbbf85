package thrift

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flume-go/flume/conform/sinktest"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

// sendAll sends a batch for each body, without waiting for an answer.
func sendAll(t *testing.T, s *sink, bodies ...string) (sent []flow.Sending) {
	t.Helper()
	for _, body := range bodies {
		b := event.NewBatch()
		t.Cleanup(b.Release)
		for _, part := range strings.Fields(body) {
			b.AppendCopy([]byte(part))
		}
		sending, err := s.Send(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		sent = append(sent, sending)
	}
	return sent
}

// waitAll waits for all answers and returns the classes of those that are no success.
func waitAll(t *testing.T, sent []flow.Sending) (failed []flow.Class) {
	t.Helper()
	for _, s := range sent {
		if err := s.Wait(t.Context()); err != nil {
			failed = append(failed, flow.ClassOf(err))
		}
	}
	return failed
}

func (d *destination) has(t *testing.T, want ...string) {
	t.Helper()
	events, err := d.content()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range events {
		got = append(got, string(events[i].Body))
	}
	if !slices.Equal(got, want) {
		t.Errorf("the destination has %q, want %q", got, want)
	}
}

// TestAhead: calls are sent before the answers of those in front have come, on one connection.
func TestAhead(t *testing.T) {
	d := newDestination(t, false)
	s, _ := open(t, settingsFor(d)...)
	if n := s.Window(); n != 1 {
		t.Errorf("before anything is known of the source %d calls may be under way", n)
	}
	sent := sendAll(t, s, "first")
	if n := s.Window(); n != mostAhead {
		t.Errorf("%d calls may be under way", n)
	}
	want := []string{"first"}
	for i := range mostAhead - 1 {
		want = append(want, fmt.Sprint(i))
	}
	sent = append(sent, sendAll(t, s, want[1:]...)...)
	if failed := waitAll(t, sent); failed != nil {
		t.Errorf("answers: %v", failed)
	}
	d.has(t, want...)
	if n := s.created.Value(); n != 1 {
		t.Errorf("there were %d connections", n)
	}
}

// TestAheadOfARefusal: nothing of what was sent behind a call that is refused is stored, and the sink goes on with
// another connection.
func TestAheadOfARefusal(t *testing.T) {
	d := newDestination(t, false)
	s, _ := open(t, settingsFor(d)...)
	d.behave(sinktest.Refuse)
	sent := sendAll(t, s, "1", "2", "3")
	if err := sent[0].Wait(t.Context()); flow.ClassOf(err) != flow.ClassRetry {
		t.Errorf("the refusal ends with %v", err)
	}
	d.behave(sinktest.Take)
	b := event.NewBatch()
	defer b.Release()
	if _, err := s.Send(t.Context(), b); err == nil {
		t.Error("something was sent behind a call that failed")
	}
	if failed := waitAll(t, sent[1:]); !slices.Equal(failed, []flow.Class{flow.ClassRetry, flow.ClassRetry}) {
		t.Errorf("what is behind a refused call ends with %v", failed)
	}
	d.has(t)
	if failed := waitAll(t, sendAll(t, s, "1", "2", "3")); failed != nil {
		t.Errorf("sent again: %v", failed)
	}
	d.has(t, "1", "2", "3")
}

// TestAheadOfABreak: when the connection breaks nobody knows of any batch what became of it.
func TestAheadOfABreak(t *testing.T) {
	d := newDestination(t, false)
	s, _ := open(t, settingsFor(d)...)
	sent := sendAll(t, s, "1", "2")
	d.behave(sinktest.Break)
	if failed := waitAll(t, sent); !slices.Equal(failed, []flow.Class{flow.ClassUnknown, flow.ClassUnknown}) {
		t.Errorf("the calls end with %v", failed)
	}
}

// TestAheadOfSeveralCalls: a batch that takes several calls is sent when all answers are there, and none behind it.
func TestAheadOfSeveralCalls(t *testing.T) {
	d := newDestination(t, false)
	s, _ := open(t, append(settingsFor(d), "max-frame-size = 1024")...)
	long, tooLong := strings.Repeat("l", 700), strings.Repeat("t", 2000)
	sent := sendAll(t, s, "1", long+" "+tooLong+" "+long+" 2")
	if n := s.Window(); n != 1 {
		t.Errorf("with a batch of several calls %d may be under way", n)
	}
	d.has(t)
	if failed := waitAll(t, sent[:1]); failed != nil {
		t.Errorf("answers: %v", failed)
	}
	err := sent[1].Wait(t.Context())
	if got := flow.Rejected(err); !slices.Equal(got, []int{1}) {
		t.Errorf("rejected: %v (%v)", got, err)
	}
	d.has(t, "1", long, long, "2")
	d.behave(sinktest.Refuse)
	sent = sendAll(t, s, "3", long+" "+long)
	if err := sent[0].Wait(t.Context()); err == nil {
		t.Error("a refusal is told as success")
	}
	d.behave(sinktest.Take)
	if err := sent[1].Wait(t.Context()); err == nil {
		t.Error("a batch of several calls is sent behind one that was refused")
	}
	d.has(t, "1", long, long, "2")
}

// TestSourceThatIsNotAsked: one that ends the connection because of the question gets one call at a time.
func TestSourceThatIsNotAsked(t *testing.T) {
	d := newDestination(t, false)
	d.quits = true
	s, _ := open(t, append(settingsFor(d), "reset-connection-interval = 60")...)
	for _, body := range []string{"1", "2"} {
		if failed := waitAll(t, sendAll(t, s, body)); failed != nil || s.Window() != 1 {
			t.Errorf("answers %v, %d may be under way", failed, s.Window())
		}
		s.link.since = time.Now().Add(-time.Hour)
	}
	d.has(t, "1", "2")
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conns != 3 {
		t.Errorf("there were %d connections, want the one with the question and two", d.conns)
	}
}
