package sinktest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/conform/internal/batches"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/invariants"
)

// shop is a destination in memory.
type shop struct {
	how    Behaviour
	events []event.Event
}

// shops are the destinations of the sinks of type "sound" by their name; tests
// run one at a time.
var shops = map[string]*shop{}

type soundConfig struct {
	Shop string `flume:"shop,required" doc:"Name of the destination."`
}

// sound is a sink that is right in every way until a test wrecks it.
type sound struct {
	to   *shop
	open bool
}

func init() {
	component.RegisterSink(component.Info{Type: "sound", Summary: "Delivers to a destination in the same process."},
		func(c soundConfig, _ component.Env) (flow.Sink, error) { return &sound{to: shops[c.Shop]}, nil })
}

var errShop = errors.New("the destination does not take it")

func (s *sound) Open(context.Context) error {
	if s.to.how == Refuse {
		return errShop
	}
	s.open = true
	return nil
}

func (s *sound) Close(context.Context) error { s.open = false; return nil }

// Deliver implements flow.Sink. What the destination took of a batch that it broke
// off it takes back.
func (s *sound) Deliver(ctx context.Context, b *event.Batch) error {
	if !s.open {
		return flow.ErrClosed
	}
	switch s.to.how {
	case Refuse, Break:
		return errShop
	case RefuseOnce:
		s.to.how = Take
		return errShop
	case Hang:
		<-ctx.Done()
		return flow.Unknown(context.Cause(ctx))
	}
	var bad []int
	for i := range b.Len() {
		if e := b.At(i); string(e.Body) == "spoilt" {
			bad = append(bad, i)
		} else {
			s.to.events = append(s.to.events, e.Clone())
		}
	}
	switch {
	case bad != nil:
		return flow.Reject(errShop, bad...)
	case s.to.how == Silent:
		return flow.Unknown(errShop)
	default:
		return nil
	}
}

func soundHarness() Harness {
	return Harness{
		Type: "sound",
		Destination: func(t testing.TB) Destination {
			d := &shop{}
			shops[t.Name()] = d
			return Destination{
				Settings: map[string]string{"shop": t.Name()},
				Content:  func() ([]event.Event, error) { return d.events, nil },
				Behave:   func(how Behaviour) { d.how = how },
			}
		},
		Errors: map[Behaviour]flow.Class{
			Refuse: flow.ClassRetry, Break: flow.ClassRetry, Silent: flow.ClassUnknown, Hang: flow.ClassUnknown,
		},
		Spoil:      func(b *event.Batch, e *event.Event) { b.SetBody(e, []byte("spoilt")) },
		Headers:    true,
		Duplicates: true, // after silence
	}
}

// broken is a sink with some of its methods replaced.
type broken struct {
	*sound
	deliver     func(ctx context.Context, b *event.Batch) error
	open, close func(ctx context.Context) error
}

func (b *broken) Deliver(ctx context.Context, batch *event.Batch) error {
	if b.deliver != nil {
		return b.deliver(ctx, batch)
	}
	return b.sound.Deliver(ctx, batch)
}

func (b *broken) Open(ctx context.Context) error {
	if b.open != nil {
		return b.open(ctx)
	}
	return b.sound.Open(ctx)
}

func (b *broken) Close(ctx context.Context) error {
	if b.close != nil {
		return b.close(ctx)
	}
	return b.sound.Close(ctx)
}

// recorder notes the failure of a rule instead of failing the test.
type recorder struct {
	testing.TB
	failure string
}

// failed is what a recorder's Fatalf panics with.
type failed struct{}

func (r *recorder) Errorf(f string, a ...any) { r.failure += fmt.Sprintf(f, a...) + "\n" }
func (r *recorder) Fatalf(f string, a ...any) { r.Errorf(f, a...); panic(failed{}) }

// outcome runs one rule and returns its failure, "" if it is kept.
func outcome(t *testing.T, h Harness, name string) string {
	t.Helper()
	for _, rl := range rules() {
		if rl.name != name {
			continue
		}
		rec := &recorder{TB: t}
		inBubble(t, &h, func(*testing.T) {
			defer func() {
				if p := recover(); p != nil && p != any(failed{}) {
					panic(p)
				}
			}()
			check(rec, &h, rl)
		})
		if rec.failure != "" && !strings.Contains(rec.failure, rl.rule) {
			t.Errorf("the failure does not print the rule %q:\n%s", rl.rule, rec.failure)
		}
		return rec.failure
	}
	t.Fatalf("there is no rule %q", name)
	return ""
}

// Each way to break a sound sink is found by the rule it breaks.
func TestBrokenSinksAreFound(t *testing.T) {
	for _, c := range []struct {
		name  string
		rule  string
		wreck func(s *broken)
	}{
		{"forgets the last event", "deliver", func(s *broken) {
			s.deliver = func(ctx context.Context, b *event.Batch) error {
				most := b.View(0, max(0, b.Len()-1))
				defer most.Release()
				return s.sound.Deliver(ctx, most)
			}
		}},
		{"delivers in reverse", "deliver", func(s *broken) {
			s.deliver = func(ctx context.Context, b *event.Batch) error {
				err := s.sound.Deliver(ctx, b)
				slices.Reverse(s.to.events)
				return err
			}
		}},
		{"delivers later", "deliver", func(s *broken) {
			var kept []event.Event
			s.deliver = func(_ context.Context, b *event.Batch) error {
				s.to.events, kept = append(s.to.events, kept...), batches.Clone(b)
				return nil
			}
		}},
		{"changes the batch", "deliver", func(s *broken) {
			s.deliver = func(ctx context.Context, b *event.Batch) error {
				err := s.sound.Deliver(ctx, b)
				b.At(0).Body[0] = 'X'
				return err
			}
		}},
		{"releases the batch", "deliver", func(s *broken) {
			s.deliver = func(ctx context.Context, b *event.Batch) error {
				err := s.sound.Deliver(ctx, b)
				b.Release()
				return err
			}
		}},
		{"fails without events", "empty batch", func(s *broken) {
			s.deliver = func(ctx context.Context, b *event.Batch) error {
				if b.Len() == 0 {
					return errShop
				}
				return s.sound.Deliver(ctx, b)
			}
		}},
		{"drops headers", "content", func(s *broken) {
			s.deliver = func(ctx context.Context, b *event.Batch) error {
				err := s.sound.Deliver(ctx, b)
				for i := range s.to.events {
					s.to.events[i].Headers = nil
				}
				return err
			}
		}},
		{"cuts long bodies", "content", func(s *broken) {
			s.deliver = func(ctx context.Context, b *event.Batch) error {
				err := s.sound.Deliver(ctx, b)
				for i, e := range s.to.events {
					s.to.events[i].Body = e.Body[:min(len(e.Body), 65535)]
				}
				return err
			}
		}},
		{"falls asleep", "idle", func(s *broken) {
			last := time.Now()
			s.deliver = func(ctx context.Context, b *event.Batch) error {
				defer func() { last = time.Now() }()
				if time.Since(last) > time.Minute {
					return errShop
				}
				return s.sound.Deliver(ctx, b)
			}
		}},
		{"says that what failed was delivered", "deliver again", func(s *broken) {
			s.deliver = func(ctx context.Context, b *event.Batch) error { _ = s.sound.Deliver(ctx, b); return nil }
		}},
		{"does not tell what is unknown", "deliver again", func(s *broken) {
			s.deliver = func(ctx context.Context, b *event.Batch) error {
				if err := s.sound.Deliver(ctx, b); err != nil {
					return flow.Retry(err)
				}
				return nil
			}
		}},
		{"does not recover", "deliver again", func(s *broken) {
			var dead error
			s.deliver = func(ctx context.Context, b *event.Batch) error {
				if dead == nil {
					dead = s.sound.Deliver(ctx, b)
				}
				return dead
			}
		}},
		{"sends the failed batch instead of the next", "deliver another", func(s *broken) {
			var failed []event.Event
			s.deliver = func(ctx context.Context, b *event.Batch) error {
				if failed != nil && s.to.how == Take {
					s.to.events, failed = append(s.to.events, failed...), nil
					return nil
				}
				err := s.sound.Deliver(ctx, b)
				if err != nil {
					failed = batches.Clone(b)
				}
				return err
			}
		}},
		{"says nil when it is too late", "ended context", func(s *broken) {
			s.deliver = func(ctx context.Context, b *event.Batch) error {
				if ctx.Err() != nil {
					return nil
				}
				return s.sound.Deliver(ctx, b)
			}
		}},
		{"does not heed its context", "hanging destination", func(s *broken) {
			s.deliver = func(ctx context.Context, b *event.Batch) error {
				if s.to.how == Hang {
					<-time.After(time.Minute)
				}
				return s.sound.Deliver(ctx, b)
			}
		}},
		{"rejects the wrong events", "reject", func(s *broken) {
			s.deliver = func(ctx context.Context, b *event.Batch) error {
				if err := s.sound.Deliver(ctx, b); err != nil {
					return flow.Reject(err, 0, 2)
				}
				return nil
			}
		}},
		{"rejects all and delivers some", "reject", func(s *broken) {
			s.deliver = func(ctx context.Context, b *event.Batch) error {
				if err := s.sound.Deliver(ctx, b); err != nil {
					return flow.Reject(err)
				}
				return nil
			}
		}},
		{"cannot be closed twice", "close at any time", func(s *broken) {
			closed := 0
			s.close = func(ctx context.Context) error {
				if closed++; closed == 2 {
					return errShop
				}
				return s.sound.Close(ctx)
			}
		}},
		{"cannot be opened again", "close at any time", func(s *broken) {
			opened := 0
			s.open = func(ctx context.Context) error {
				if opened++; opened > 1 {
					return errShop
				}
				return s.sound.Open(ctx)
			}
		}},
		{"loses what it has with Close", "close flushes", func(s *broken) {
			s.close = func(ctx context.Context) error { s.to.events = nil; return s.sound.Close(ctx) }
		}},
		{"delivers when it is closed", "closed", func(s *broken) {
			s.deliver = func(ctx context.Context, b *event.Batch) error {
				s.sound.open = true
				return s.sound.Deliver(ctx, b)
			}
		}},
		{"stays broken when it could not be opened", "open in vain", func(s *broken) {
			var dead error
			s.open = func(ctx context.Context) error {
				if dead == nil {
					dead = s.sound.Open(ctx)
				}
				return dead
			}
		}},
		{"gives up its content when the destination is away", "close while the destination is away", func(s *broken) {
			s.close = func(ctx context.Context) error {
				if s.to.how == Refuse {
					s.to.events = nil
				}
				return s.sound.Close(ctx)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) { expectFailure(t, c.rule, c.wreck) })
	}
}

// expectFailure checks that a rule finds a sink that is wrecked and has nothing
// against it as it is.
func expectFailure(t *testing.T, name string, wreck func(*broken)) {
	t.Helper()
	h := soundHarness()
	h.wrap = func(sink flow.Sink) flow.Sink {
		s := &broken{sound: sink.(*sound)}
		wreck(s)
		return s
	}
	if outcome(t, h, name) == "" {
		t.Errorf("rule %q does not notice", name)
	}
	h.wrap = nil
	if failure := outcome(t, h, name); failure != "" {
		t.Errorf("rule %q is broken by the sound sink:\n%s", name, failure)
	}
}

// A sink that keeps a batch is found where released memory is not recycled.
func TestKeptBatchesAreFound(t *testing.T) {
	if invariants.Enabled {
		expectFailure(t, "deliver", func(s *broken) {
			s.deliver = func(ctx context.Context, b *event.Batch) error { return s.sound.Deliver(ctx, b.Retain()) }
		})
		expectFailure(t, "deliver", func(s *broken) {
			s.deliver = func(_ context.Context, b *event.Batch) error {
				s.to.events = append(s.to.events, b.Events()...) // without a reference
				return nil
			}
		})
		return
	}
	if failure := outcome(t, soundHarness(), "deliver"); failure != "" {
		t.Errorf("the sound sink breaks a rule:\n%s", failure)
	}
}

// Duplicates are accepted only where they are declared.
func TestDuplicatesAreDeclared(t *testing.T) {
	h := soundHarness()
	h.Duplicates = false
	if outcome(t, h, "deliver again") == "" {
		t.Error("the repetition of what was delivered without an answer goes unnoticed")
	}
}

// The suite passes a sound sink.
func TestSoundSinkPasses(t *testing.T) { Run(t, soundHarness()) }

func TestRuleNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, rl := range rules() {
		if seen[rl.name] {
			t.Errorf("two rules are called %q", rl.name)
		}
		seen[rl.name] = true
		if !strings.HasSuffix(rl.rule, ".") {
			t.Errorf("the rule %q is not a sentence: %s", rl.name, rl.rule)
		}
	}
}
