package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/invariants"
	"github.com/flume-go/flume/internal/netio"
	_ "github.com/flume-go/flume/sources/netcat" // sound sources that are broken here
	_ "github.com/flume-go/flume/sources/seq"
	_ "github.com/flume-go/flume/sources/stress"
)

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
		run := func() {
			defer func() {
				if p := recover(); p != nil && p != any(failed{}) {
					panic(p)
				}
			}()
			check(rec, &h, rl)
		}
		if h.Sockets {
			run()
		} else {
			synctest.Test(t, func(*testing.T) { run() })
		}
		return rec.failure
	}
	t.Fatalf("there is no rule %q", name)
	return ""
}

func sentence(name string) string {
	for _, rl := range rules() {
		if rl.name == name {
			return rl.rule
		}
	}
	return ""
}

// between puts an emitter between the source and the suite.
func between(emit func(ctx context.Context, out flow.Emitter, b *event.Batch) error) func(*broken, flow.Source) {
	return func(s *broken, source flow.Source) {
		s.run = func(ctx context.Context, out flow.Emitter) error {
			return source.Run(ctx, emitterFunc(func(ctx context.Context, b *event.Batch) error { return emit(ctx, out, b) }))
		}
	}
}

// Each way to break a sound source is found by the rule it breaks.
func TestBrokenSourcesAreFound(t *testing.T) {
	acking, insisting := soundHarness(true), soundHarness(false)
	swallow := between(func(ctx context.Context, out flow.Emitter, b *event.Batch) error {
		_ = out.Emit(ctx, b)
		return nil
	})
	for _, c := range []struct {
		name     string
		h        Harness
		rule     string
		sentence string // "": that of rule
		wreck    func(s *broken, source flow.Source)
	}{
		{"acknowledges at once", acking, "acknowledge after storing", ackRule, between(func(ctx context.Context, out flow.Emitter, b *event.Batch) error {
			go out.Emit(ctx, b.Retain()) //nolint:errcheck // that is what is wrong with it
			return nil
		})},
		{"acknowledges what failed", acking, "refuse what is not stored", ackRule, swallow},
		{"acknowledges what failed now and then", acking, "random failures", ackRule, swallow},
		{"acknowledges what is partly stored", acking, "partly stored", "", swallow},
		{"loses what failed", insisting, "try until stored", "", swallow},
		{"doubles what failed", insisting, "try until stored", "", between(func(ctx context.Context, out flow.Emitter, b *event.Batch) error {
			err := out.Emit(ctx, b)
			if err != nil {
				_ = flow.EmitUntilStored(ctx, out, b, nil)
			}
			return err
		})},
		{"loses half of what failed", insisting, "try again what is partly stored", "", between(func(ctx context.Context, out flow.Emitter, b *event.Batch) error {
			half := b.View(0, b.Len()/2)
			defer half.Release()
			return out.Emit(ctx, half)
		})},
		{"reverses events", acking, "hand on", "", between(func(ctx context.Context, out flow.Emitter, b *event.Batch) error {
			r := event.NewBatch()
			defer r.Release()
			for i := b.Len() - 1; i >= 0; i-- {
				r.AppendEvent(b.At(i))
			}
			return out.Emit(ctx, r)
		})},
		{"sends twice", acking, "many clients", "", between(func(ctx context.Context, out flow.Emitter, b *event.Batch) error {
			_ = out.Emit(ctx, b)
			return out.Emit(ctx, b)
		})},
		{"drops headers", acking, "hand on", contentRule, between(func(ctx context.Context, out flow.Emitter, b *event.Batch) error {
			b.At(0).RemoveHeaders(func(string) bool { return true })
			return out.Emit(ctx, b)
		})},
		{"cuts bodies", acking, "hand on", contentRule, between(func(ctx context.Context, out flow.Emitter, b *event.Batch) error {
			e := b.At(1)
			b.SetBody(e, e.Body[:len(e.Body)-1])
			return out.Emit(ctx, b)
		})},
		{"writes into an emitted batch", acking, "hand on", batchRule, between(func(ctx context.Context, out flow.Emitter, b *event.Batch) error {
			err := out.Emit(ctx, b)
			b.At(0).Body[0] = 'X'
			return err
		})},
		{"releases twice", acking, "hand on", batchRule, between(func(ctx context.Context, out flow.Emitter, b *event.Batch) error {
			err := out.Emit(ctx, b)
			b.Release()
			return err
		})},
		{"emits nothing", acking, "hand on", batchRule, between(func(ctx context.Context, out flow.Emitter, b *event.Batch) error {
			none := event.NewBatch()
			defer none.Release()
			_ = out.Emit(ctx, none)
			return out.Emit(ctx, b)
		})},
		{"emits too much at once", seqHarness(), "hand on", batchRule, between(func(ctx context.Context, out flow.Emitter, b *event.Batch) error {
			m := event.NewBatch()
			defer m.Release()
			m.AppendShared(b, 0, b.Len())
			m.AppendShared(b, 0, b.Len())
			return out.Emit(ctx, m)
		})},
		{"makes up too much", seqHarness(), "no more than asked for", "", between(func(ctx context.Context, out flow.Emitter, b *event.Batch) error {
			_ = out.Emit(ctx, b)
			return out.Emit(ctx, b)
		})},
		{"goes on after Run", acking, "hand on", quietRule, func(s *broken, source flow.Source) {
			s.run = func(ctx context.Context, out flow.Emitter) error {
				err := source.Run(ctx, out)
				b := event.NewBatch()
				b.AppendCopy([]byte(Text(0)))
				// In a bubble time passes when everything waits, so the suite knows by then that Run has returned.
				time.AfterFunc(lingering/2, func() { _ = out.Emit(ctx, b); b.Release() })
				return err
			}
		}},
		{"stops late", acking, "stop when idle", "", func(s *broken, source flow.Source) {
			s.run = func(ctx context.Context, out flow.Emitter) error {
				err := source.Run(ctx, out)
				<-time.After(soon + soon/2)
				return err
			}
		}},
		{"stops with an error", acking, "stop when idle", "", func(s *broken, source flow.Source) {
			s.run = func(ctx context.Context, out flow.Emitter) error {
				return errors.Join(source.Run(ctx, out), ctx.Err())
			}
		}},
		{"stops late under load", acking, "stop under load", "", func(s *broken, source flow.Source) {
			s.run = func(ctx context.Context, out flow.Emitter) error {
				late, cancel := context.WithCancel(context.WithoutCancel(ctx))
				defer cancel()
				context.AfterFunc(ctx, func() { time.AfterFunc(soon+soon/2, cancel) })
				return source.Run(late, out)
			}
		}},
		{"does not see that it is too late", acking, "stop before the start", "", func(s *broken, source flow.Source) {
			s.run = func(ctx context.Context, out flow.Emitter) error {
				if ctx.Err() != nil {
					return fmt.Errorf("listening: %w", ctx.Err())
				}
				return source.Run(ctx, out)
			}
		}},
		{"waits for the channel without end", acking, "stop while Emit waits", "", between(func(ctx context.Context, out flow.Emitter, b *event.Batch) error {
			return out.Emit(context.WithoutCancel(ctx), b)
		})},
		{"runs once", acking, "run again", "", func(s *broken, source flow.Source) {
			ran := false
			s.run = func(ctx context.Context, out flow.Emitter) error {
				if ran {
					return errors.New("has run already")
				}
				ran = true
				return source.Run(ctx, out)
			}
		}},
		{"forgets what was not stored", seqHarness(), "resume", "", swallow},
		{"does not say why it stops", acking, "rejected", "", func(s *broken, source flow.Source) {
			s.run = func(ctx context.Context, out flow.Emitter) error {
				ctx, cancel := context.WithCancel(ctx)
				return source.Run(ctx, emitterFunc(func(ctx context.Context, b *event.Batch) error {
					err := out.Emit(ctx, b)
					if err != nil {
						cancel()
					}
					return err
				}))
			}
		}},
		{"is stuck after a fatal error", insisting, "fatal", "", func(s *broken, source flow.Source) {
			s.run = func(ctx context.Context, out flow.Emitter) error {
				var stuck error
				return source.Run(ctx, emitterFunc(func(ctx context.Context, b *event.Batch) error {
					if stuck == nil {
						stuck = out.Emit(ctx, b)
					}
					return stuck
				}))
			}
		}},
		{"gives up at the first failure", stressHarness(), "go on after a failure", "", between(func(ctx context.Context, out flow.Emitter, b *event.Batch) error {
			if err := out.Emit(ctx, b); err != nil {
				return flow.Fatal(err)
			}
			return nil
		})},
	} {
		t.Run(c.name, func(t *testing.T) {
			expectFailure(t, c.h, c.rule, c.sentence, c.wreck)
		})
	}
}

// expectFailure checks that a rule finds a source that is wrecked, names the rule
// that is broken, and has nothing against the source as it is.
func expectFailure(t *testing.T, h Harness, name, want string, wreck func(*broken, flow.Source)) {
	t.Helper()
	if want == "" {
		want = sentence(name)
	}
	sound := h
	h.wrap = func(source flow.Source) flow.Source {
		s := &broken{Source: source}
		wreck(s, source)
		return s
	}
	if failure := outcome(t, h, name); failure == "" {
		t.Errorf("rule %q does not notice", name)
	} else if !strings.Contains(failure, want) {
		t.Errorf("the failure does not print the rule %q:\n%s", want, failure)
	}
	if failure := outcome(t, sound, name); failure != "" {
		t.Errorf("rule %q is broken by the sound source:\n%s", name, failure)
	}
}

// A source that keeps its batches is found where released memory is not recycled.
func TestKeptBatchesAreFound(t *testing.T) {
	h := soundHarness(true)
	keep := between(func(ctx context.Context, out flow.Emitter, b *event.Batch) error { return out.Emit(ctx, b.Retain()) })
	if invariants.Enabled {
		expectFailure(t, h, "hand on", batchRule, keep)
		return
	}
	if failure := outcome(t, h, "hand on"); failure != "" {
		t.Errorf("the sound source breaks a rule:\n%s", failure)
	}
}

func TestBrokenListenersAreFound(t *testing.T) {
	t.Run("does not name the address", func(t *testing.T) {
		expectFailure(t, netcatHarness(), "address in use", "", func(s *broken, source flow.Source) {
			s.run = func(ctx context.Context, out flow.Emitter) error {
				if source.Run(ctx, out) != nil {
					return errors.New("listening: in use")
				}
				return nil
			}
		})
	})
	t.Run("keeps its address", func(t *testing.T) {
		h := netcatHarness()
		var address string // of the subject whose client came last
		connect := h.Client
		h.Client = func(t testing.TB, s *Subject) Client {
			address = s.Address
			return connect(t, s)
		}
		expectFailure(t, h, "address is free again", "", func(s *broken, source flow.Source) {
			s.run = func(ctx context.Context, out flow.Emitter) error {
				err := source.Run(ctx, out)
				ln, listenErr := netio.Listen(context.Background(), address)
				if listenErr == nil {
					t.Cleanup(func() { ln.Close() })
				}
				return errors.Join(err, listenErr)
			}
		})
	})
}

// The suite passes sound sources of all kinds.
func TestSoundSourcesPass(t *testing.T) {
	for name, h := range map[string]Harness{"acking": soundHarness(true), "insisting": soundHarness(false)} {
		t.Run(name, func(t *testing.T) { Run(t, h) })
	}
}

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
