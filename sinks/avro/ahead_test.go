package avro

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
func sendAll(t *testing.T, s flow.Sender, bodies ...string) (sent []flow.Sending) {
	t.Helper()
	for _, body := range bodies {
		b := event.NewBatch()
		t.Cleanup(b.Release)
		b.AppendCopy([]byte(body))
		sending, err := s.Send(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		sent = append(sent, sending)
	}
	return sent
}

// bodies returns what has come.
func (d *destination) bodies(t *testing.T) (all []string) {
	events, err := d.content()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		all = append(all, string(e.Body))
	}
	return all
}

// TestAhead: calls are sent before the answers of those in front have come, to a source
// that keeps their order.
func TestAhead(t *testing.T) {
	d := newDestination(t, false)
	s := open(t, to(d.addr)...)
	sender := s.Sink.(*sink)
	if n := sender.Window(); n != 1 {
		t.Errorf("before anything is known of the source %d calls may be under way", n)
	}
	if err := s.Deliver(t.Context(), batch(t)); err != nil {
		t.Fatal(err)
	}
	if n := sender.Window(); n != mostAhead {
		t.Errorf("%d calls may be under way", n)
	}
	var want []string
	for i := range mostAhead {
		want = append(want, fmt.Sprint(i))
	}
	for _, sending := range sendAll(t, sender, want...) {
		if err := sending.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if got := d.bodies(t); !slices.Equal(got[1:], want) {
		t.Errorf("%q came, want %q", got[1:], want)
	}
	if n := sender.created.Value(); n != 1 {
		t.Errorf("there were %d connections", n)
	}
}

// TestAheadOfARefusal: nothing of what was sent behind a call that is refused is stored.
func TestAheadOfARefusal(t *testing.T) {
	d := newDestination(t, false)
	s := open(t, to(d.addr)...)
	sender := s.Sink.(*sink)
	if err := s.Deliver(t.Context(), batch(t)); err != nil {
		t.Fatal(err)
	}
	d.behave(sinktest.Refuse)
	sent := sendAll(t, sender, "1")
	if err := sent[0].Wait(t.Context()); err == nil {
		t.Fatal("a refusal is told as success")
	}
	sent = sendAll(t, sender, "1", "2", "3")
	err := sent[0].Wait(t.Context())
	d.behave(sinktest.Take)
	sent = append(sent, sendAll(t, sender, "4")...)
	for _, sending := range sent[1:] {
		if err := sending.Wait(t.Context()); err == nil || flow.ClassOf(err) != flow.ClassRetry {
			t.Errorf("what is behind a refused call ends with %v", err)
		}
	}
	if err == nil || len(d.bodies(t)) != 1 {
		t.Errorf("behind a refused call there is %q; the refusal: %v", d.bodies(t), err)
	}
	if err := s.Deliver(t.Context(), batch(t)); err != nil {
		t.Errorf("when all answers are there the sink does not go on: %v", err)
	}
	if n := sender.created.Value(); n != 1 {
		t.Errorf("there were %d connections", n)
	}
}

// TestAheadOnOneConnection: as long as calls are under way there is no other connection,
// on which events could overtake them.
func TestAheadOnOneConnection(t *testing.T) {
	d := newDestination(t, false)
	s := open(t, append(to(d.addr), "reset-connection-interval = 60")...)
	sender := s.Sink.(*sink)
	if err := s.Deliver(t.Context(), batch(t)); err != nil {
		t.Fatal(err)
	}
	sent := sendAll(t, sender, "1")
	sender.since = time.Now().Add(-time.Hour)
	if n := sender.Window(); n != 1 {
		t.Errorf("on a connection that is to be made anew %d calls may be under way", n)
	}
	sent = append(sent, sendAll(t, sender, "2")...)
	for _, sending := range sent {
		if err := sending.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if n := sender.created.Value(); n != 1 {
		t.Errorf("there were %d connections", n)
	}
	d.behave(sinktest.Break)
	sent = sendAll(t, sender, strings.Repeat("3", 1<<20)) // more than waits for further batches
	if n := sender.created.Value(); n != 2 {
		t.Errorf("with nothing under way there were %d connections", n)
	}
	for client := sender.client; client.Active(); {
		if !flow.Sleep(t.Context(), time.Millisecond) {
			t.Fatal("the end of the connection goes unnoticed")
		}
	}
	if _, err := sender.Send(t.Context(), batch(t)); err == nil {
		t.Error("something was sent on another connection, with a call under way")
	}
	if err := sent[0].Wait(t.Context()); flow.ClassOf(err) != flow.ClassUnknown {
		t.Errorf("a call whose connection broke ends with %v", err)
	}
	d.behave(sinktest.Take)
	if err := s.Deliver(t.Context(), batch(t)); err != nil {
		t.Error(err)
	}
}
