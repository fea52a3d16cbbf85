package sinktest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

// soundAhead is a sound sink that sends ahead: its destination deals with a batch when
// it is sent, and answers when it is waited for.
type soundAhead struct {
	*sound
	window  int
	sent    int  // and not waited for
	refused bool // one of them: those behind it are not taken

	// wreck replaces what a batch under way is.
	wreck func(s *soundAhead, ctx context.Context, b *event.Batch) flow.Sending
}

// Window implements flow.Sender.
func (s *soundAhead) Window() int { return s.window }

// Send implements flow.Sender.
func (s *soundAhead) Send(ctx context.Context, b *event.Batch) (flow.Sending, error) {
	if !s.open {
		return nil, flow.ErrClosed
	}
	if s.sent == 0 {
		s.refused = false
	}
	s.sent++
	if s.wreck != nil {
		return s.wreck(s, ctx, b), nil
	}
	return s.begin(ctx, b), nil
}

// Deliver implements flow.Sink.
func (s *soundAhead) Deliver(ctx context.Context, b *event.Batch) error {
	sending, err := s.Send(ctx, b)
	if err != nil {
		return err
	}
	return sending.Wait(ctx)
}

// begin hands b to the destination, unless it has refused one in front.
func (s *soundAhead) begin(ctx context.Context, b *event.Batch) flow.Sending {
	if s.refused {
		return s.answers(func(context.Context) error { return errShop })
	}
	if s.to.how == Hang {
		s.refused = true
		return s.answers(func(ctx context.Context) error { <-ctx.Done(); return flow.Unknown(context.Cause(ctx)) })
	}
	err := s.sound.Deliver(ctx, b)
	s.refused = err != nil
	return s.answers(func(context.Context) error { return err })
}

// answers is a batch under way whose answer is what f returns.
func (s *soundAhead) answers(f func(context.Context) error) flow.Sending {
	return waiting(func(ctx context.Context) error { s.sent--; return f(ctx) })
}

type waiting func(context.Context) error

// Wait implements flow.Sending.
func (w waiting) Wait(ctx context.Context) error { return w(ctx) }

func aheadHarness(wreck func(s *soundAhead, ctx context.Context, b *event.Batch) flow.Sending) Harness {
	h := soundHarness()
	h.Ahead, h.Spoil = true, nil
	h.wrap = func(sink flow.Sink) flow.Sink {
		return &soundAhead{sound: sink.(*sound), window: 8, wreck: wreck}
	}
	return h
}

// The suite passes a sound sink that sends ahead.
func TestSoundSinkAheadPasses(t *testing.T) { Run(t, aheadHarness(nil)) }

// Each way to break a sink that sends ahead is found by the rule it breaks.
func TestBrokenSinksAheadAreFound(t *testing.T) {
	for _, c := range []struct {
		name  string
		rule  string
		wreck func(s *soundAhead, ctx context.Context, b *event.Batch) flow.Sending
	}{
		{"answers before it has sent", "ahead", func(s *soundAhead, ctx context.Context, b *event.Batch) flow.Sending {
			kept := b.Retain()
			return s.answers(func(context.Context) error {
				if s.sent > 0 { // not the last
					defer func() { s.wreck = nil }()
					return nil
				}
				defer kept.Release()
				return s.sound.Deliver(ctx, kept)
			})
		}},
		{"delivers in reverse", "ahead", func(s *soundAhead, ctx context.Context, b *event.Batch) flow.Sending {
			before := slices.Clone(s.to.events)
			sending := s.begin(ctx, b)
			s.to.events = append(slices.Clone(s.to.events[len(before):]), before...)
			return sending
		}},
		{"changes the batch", "ahead", func(s *soundAhead, ctx context.Context, b *event.Batch) flow.Sending {
			sending := s.begin(ctx, b)
			return waiting(func(ctx context.Context) error {
				if b.Len() > 0 {
					b.At(0).Body[0] = 'X'
				}
				return sending.Wait(ctx)
			})
		}},
		{"takes what is behind a refused batch", "refused ahead", func(s *soundAhead, ctx context.Context, b *event.Batch) flow.Sending {
			s.refused = false
			return s.begin(ctx, b)
		}},
		{"takes what is behind a refused batch and says that it does not", "refused ahead", func(s *soundAhead, ctx context.Context, b *event.Batch) flow.Sending {
			behind := s.refused
			s.refused = false
			sending := s.begin(ctx, b)
			s.refused = s.refused || behind
			if behind {
				return s.answers(func(context.Context) error { return errShop })
			}
			return sending
		}},
		{"forgets an error", "failed ahead", func(s *soundAhead, ctx context.Context, b *event.Batch) flow.Sending {
			_ = s.begin(ctx, b)
			return s.answers(func(context.Context) error { return nil })
		}},
		{"never again takes anything", "failed ahead", func(s *soundAhead, ctx context.Context, b *event.Batch) flow.Sending {
			if s.to.how != Take {
				s.wreck = func(s *soundAhead, _ context.Context, _ *event.Batch) flow.Sending {
					return s.answers(func(context.Context) error { return errShop })
				}
			}
			return s.begin(ctx, b)
		}},
		{"does not heed the context of Wait", "hanging ahead", func(s *soundAhead, ctx context.Context, b *event.Batch) flow.Sending {
			if s.to.how == Hang {
				return s.answers(func(context.Context) error { <-time.After(time.Minute); return errShop })
			}
			return s.begin(ctx, b)
		}},
		{"says nil when it has waited in vain", "hanging ahead", func(s *soundAhead, ctx context.Context, b *event.Batch) flow.Sending {
			sending := s.begin(ctx, b)
			return waiting(func(ctx context.Context) error {
				if err := sending.Wait(ctx); !errors.Is(err, context.Canceled) {
					return err
				}
				return nil
			})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if outcome(t, aheadHarness(c.wreck), c.rule) == "" {
				t.Errorf("rule %q does not notice", c.rule)
			}
			if failure := outcome(t, aheadHarness(nil), c.rule); failure != "" {
				t.Errorf("rule %q is broken by the sound sink:\n%s", c.rule, failure)
			}
		})
	}
}

// A window is declared, and a declared one is there.
func TestWindowsAreDeclared(t *testing.T) {
	h := aheadHarness(nil)
	h.Ahead = false
	if outcome(t, h, "ahead declared") == "" {
		t.Error("an open window that is not declared goes unnoticed")
	}
	for name, wrap := range map[string]func(flow.Sink) flow.Sink{
		"a closed window":  func(sink flow.Sink) flow.Sink { return &soundAhead{sound: sink.(*sound), window: 1} },
		"no window at all": func(sink flow.Sink) flow.Sink { return sink },
	} {
		h := aheadHarness(nil)
		h.wrap = wrap
		if outcome(t, h, "ahead") == "" {
			t.Errorf("%s is declared to be open, and that goes unnoticed", name)
		}
	}
}
