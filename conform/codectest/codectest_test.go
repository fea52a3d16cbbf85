package codectest

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/gather"
	"github.com/flume-go/flume/internal/invariants"
)

// recorder notes the failure of a rule instead of failing the test.
type recorder struct {
	testing.TB
	failure string
}

// failed is what a recorder's Fatalf panics with.
type failed struct{}

func (r *recorder) Fatalf(f string, a ...any) {
	r.failure += fmt.Sprintf(f, a...) + "\n"
	panic(failed{})
}

// outcome runs one rule and returns its failure, "" if it is kept.
func outcome(t *testing.T, h Harness, name string) string {
	t.Helper()
	i := slices.IndexFunc(rules(), func(rl rule) bool { return rl.name == name })
	if i < 0 {
		t.Fatalf("there is no rule %q", name)
	}
	rl := rules()[i]
	rec := &recorder{TB: t}
	func() {
		defer func() {
			if p := recover(); p != nil && p != any(failed{}) {
				panic(p)
			}
		}()
		check(rec, &h, rl)
	}()
	if rec.failure != "" && !strings.Contains(rec.failure, rl.rule) {
		t.Errorf("the failure does not print the rule %q:\n%s", rl.rule, rec.failure)
	}
	return rec.failure
}

// Each way to break a sound encoder is found by the rule it breaks.
func TestBrokenEncodersAreFound(t *testing.T) {
	for _, c := range []struct {
		name  string
		rule  string
		wreck func(b *broken)
	}{
		{"does not flush", "flush", func(b *broken) { b.flush = func() error { return nil } }},
		{"changes the batch", "flush", func(b *broken) {
			b.encode = func(batch *event.Batch) error {
				err := b.sound.Encode(batch)
				batch.At(0).Body[0] = 'X'
				return err
			}
		}},
		{"releases the batch", "flush", func(b *broken) {
			b.encode = func(batch *event.Batch) error {
				err := b.sound.Encode(batch)
				batch.Release()
				return err
			}
		}},
		{"writes a mark with each flush", "several batches to a flush", func(b *broken) {
			b.flush = func() error {
				_, err := io.WriteString(b.w, tail)
				return errors.Join(b.sound.Flush(), err)
			}
		}},
		{"keeps only the last batch until the flush", "several batches to a flush", func(b *broken) {
			b.encode = func(batch *event.Batch) error {
				b.sound.open = nil
				return b.sound.Encode(batch)
			}
		}},
		{"closes without flushing", "close", func(b *broken) {
			b.close = func() error { b.sound.open = nil; return b.sound.Close() }
		}},
		{"closes the stream", "close", func(b *broken) {
			b.close = func() error { return errors.Join(b.sound.Close(), b.w.(io.Closer).Close()) }
		}},
		{"fails without events in a batch", "empty batch", func(b *broken) {
			b.encode = func(batch *event.Batch) error {
				if batch.Len() == 0 {
					return errSpoilt
				}
				return b.sound.Encode(batch)
			}
		}},
		{"writes batches of no events", "empty batch", func(b *broken) {
			b.encode = func(batch *event.Batch) error {
				b.sound.open = append(b.sound.open, tail...)
				return b.sound.Encode(batch)
			}
		}},
		{"fails without events in a stream", "no events", func(b *broken) {
			b.close = func() error {
				if b.kind == "" {
					return errSpoilt
				}
				return b.sound.Close()
			}
		}},
		{"needs gathering writes", "plain stream", func(b *broken) {
			if _, ok := b.w.(gather.Vectored); !ok {
				b.encode = func(*event.Batch) error { return nil }
			}
		}},
		{"drops headers", "content", func(b *broken) {
			b.encode = func(batch *event.Batch) error {
				bare := event.NewBatch()
				defer bare.Release()
				for _, e := range batch.Events() {
					bare.AppendCopy(e.Body)
				}
				return b.sound.Encode(bare)
			}
		}},
		{"cuts long bodies", "content", func(b *broken) {
			b.encode = func(batch *event.Batch) error {
				short := event.NewBatch()
				defer short.Release()
				for _, e := range batch.Events() {
					e.Body = e.Body[:min(len(e.Body), 65_535)]
					short.AppendEvent(&e)
				}
				return b.sound.Encode(short)
			}
		}},
		{"writes what lies behind a body", "memory", func(b *broken) {
			b.encode = func(batch *event.Batch) error {
				for i := range batch.Len() {
					if _, n := batch.Span(i, '\n'); n > 0 {
						b.open = append(b.open, tail...)
					}
				}
				return b.sound.Encode(batch)
			}
		}},
		{"rejects by index", "reject", func(b *broken) {
			b.encode = func(batch *event.Batch) error {
				err := b.sound.Encode(batch)
				if errors.Is(err, errSpoilt) {
					return flow.Reject(err, 1)
				}
				return err
			}
		}},
		{"takes a rejection for an error that passes", "reject", func(b *broken) {
			b.encode = func(batch *event.Batch) error {
				if err := b.sound.Encode(batch); err != nil {
					return flow.Retry(err)
				}
				return nil
			}
		}},
		{"writes before it rejects", "reject", func(b *broken) {
			b.encode = func(batch *event.Batch) error {
				err := b.sound.Encode(batch)
				if err != nil {
					_, _ = io.WriteString(b.w, tail)
				}
				return err
			}
		}},
		{"loses the batch before the one that it rejects", "reject", func(b *broken) {
			b.encode = func(batch *event.Batch) error {
				err := b.sound.Encode(batch)
				if err != nil {
					b.sound.Rewind()
				}
				return err
			}
		}},
		{"writes any kind", "misfit", func(b *broken) {
			b.encode = func(batch *event.Batch) error {
				b.kind, b.kindOfOpen = "", ""
				return b.sound.Encode(batch)
			}
		}},
		{"names the first run alone", "misfit", func(b *broken) {
			b.encode = func(batch *event.Batch) error {
				err := b.sound.Encode(batch)
				if m := (*misfit)(nil); errors.As(err, &m) {
					m.runs = m.runs[:1]
				}
				return err
			}
		}},
		{"holds on to its runs", "misfit", func(b *broken) {
			var first error
			b.encode = func(batch *event.Batch) error {
				err := b.sound.Encode(batch)
				if err != nil && first == nil {
					first = err
				}
				if err != nil {
					return first
				}
				return nil
			}
		}},
		{"takes the kind of what it refused", "kind of a stream", func(b *broken) {
			b.encode = func(batch *event.Batch) error {
				err := b.sound.Encode(batch)
				if err != nil && b.kind == "" {
					b.kind = kindOf(batch.At(0))
				}
				return err
			}
		}},
		{"keeps the kind of what was cut back", "kind of a stream that was cut back", func(b *broken) {
			b.rewind = func() { b.open = nil }
		}},
		{"does not tell of failed writes", "error of a write", func(b *broken) {
			b.encode = func(batch *event.Batch) error { _ = b.sound.Encode(batch); return nil }
			b.flush = func() error { _ = b.sound.Flush(); return nil }
		}},
		{"takes failed writes for the events' fault", "error of a write", func(b *broken) {
			b.flush = func() error {
				if err := b.sound.Flush(); err != nil {
					return flow.Reject(err)
				}
				return nil
			}
			b.encode = func(batch *event.Batch) error {
				if err := b.sound.Encode(batch); err != nil {
					return flow.Reject(err)
				}
				return nil
			}
		}},
		{"cannot go on", "write again", func(b *broken) {
			var dead error
			b.flush = func() error {
				if dead == nil {
					dead = b.sound.Flush()
				}
				return dead
			}
			b.encode = func(batch *event.Batch) error {
				if dead == nil {
					dead = b.sound.Encode(batch)
				}
				return dead
			}
		}},
		{"comes again with what was cut back", "write another", func(b *broken) {
			b.encode = func(batch *event.Batch) error {
				kept := slices.Clone(b.open)
				err := b.sound.Encode(batch)
				if err != nil {
					b.open = append(kept, `{"Body":""}`+"\n"...)
				}
				return err
			}
			b.rewind = func() {}
		}},
		{"rewinds nothing", "rewind without error", func(b *broken) { b.rewind = func() {} }},
		{"rewinds to the beginning of the stream", "rewind without error", func(b *broken) {
			b.rewind = func() {
				b.sound.Rewind()
				b.open = append(b.open, head...)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			expectFailure(t, soundHarness(), c.rule, each(c.wreck))
		})
	}
}

// each wrecks every encoder for itself.
func each(wreck func(*broken)) wrapper {
	return func(make func(io.Writer, bool) (flow.Encoder, error), w io.Writer, resumed bool) (flow.Encoder, error) {
		enc, err := make(w, resumed)
		if err != nil {
			return nil, err
		}
		b := &broken{sound: enc.(*sound)}
		wreck(b)
		return b, nil
	}
}

// expectFailure checks that a rule finds a wrecked encoder and has nothing against
// a sound one.
func expectFailure(t *testing.T, h Harness, name string, w wrapper) {
	t.Helper()
	h.wrap = w
	if outcome(t, h, name) == "" {
		t.Errorf("rule %q does not notice", name)
	}
	h.wrap = nil
	if failure := outcome(t, h, name); failure != "" {
		t.Errorf("rule %q is broken by the sound encoder:\n%s", name, failure)
	}
}

type newEncoder = func(io.Writer, bool) (flow.Encoder, error)

// Each way to break what is common to the encoders of an encoding is found.
func TestBrokenEncodingsAreFound(t *testing.T) {
	whole := soundHarness()
	whole.Settings, whole.Resumes = map[string]string{"whole": "true"}, false
	for _, c := range []struct {
		name string
		rule string
		h    Harness
		wrap wrapper
	}{
		{"begins a stream that it continues", "resume", soundHarness(), func(make newEncoder, w io.Writer, _ bool) (flow.Encoder, error) {
			return make(w, false)
		}},
		{"continues what it cannot", "not resumed", whole, func(make newEncoder, w io.Writer, _ bool) (flow.Encoder, error) {
			return make(w, false)
		}},
		{"writes before it refuses to continue", "not resumed", whole, func(make newEncoder, w io.Writer, resumed bool) (flow.Encoder, error) {
			_, _ = io.WriteString(w, head)
			return make(w, resumed)
		}},
		{"has one buffer for all", "interleaved", soundHarness(), oneBuffer()},
		{"has one encoder for all", "concurrent", soundHarness(), oneForAll()},
		{"cannot go back as it says", "flush", soundHarness(), func(make newEncoder, w io.Writer, resumed bool) (flow.Encoder, error) {
			enc, err := make(w, resumed)
			return struct{ flow.Encoder }{enc}, err
		}},
	} {
		t.Run(c.name, func(t *testing.T) { expectFailure(t, c.h, c.rule, c.wrap) })
	}
}

// oneBuffer makes encoders that share what they have not written yet.
func oneBuffer() wrapper {
	var shared []byte
	return each(func(b *broken) {
		with := func(f func() error) error {
			b.open = shared
			err := f()
			shared = b.open
			return err
		}
		b.encode = func(batch *event.Batch) error { return with(func() error { return b.sound.Encode(batch) }) }
		b.flush = func() error { return with(b.sound.Flush) }
	})
}

// oneForAll makes encoders that hand all on to a single one, whose stream is
// nobody's.
func oneForAll() wrapper {
	var mu sync.Mutex
	var one *sound
	return func(make newEncoder, w io.Writer, resumed bool) (flow.Encoder, error) {
		mu.Lock()
		defer mu.Unlock()
		enc, err := make(w, resumed)
		if err != nil {
			return nil, err
		}
		if one == nil {
			one = &sound{w: nowhere{}}
		}
		locked := func(f func() error) error {
			mu.Lock()
			defer mu.Unlock()
			return f()
		}
		return &broken{
			sound:  enc.(*sound),
			encode: func(b *event.Batch) error { return locked(func() error { return one.Encode(b) }) },
			flush:  func() error { return locked(one.Flush) },
			close:  func() error { return locked(one.Close) },
		}, nil
	}
}

// An encoder that keeps a batch is found where released memory is not recycled,
// and one that allocates where it is.
func TestWhatOneBuildAloneFinds(t *testing.T) {
	if invariants.Enabled {
		expectFailure(t, soundHarness(), "flush", each(func(b *broken) {
			b.encode = func(batch *event.Batch) error { return b.sound.Encode(batch.Retain()) }
		}))
		return
	}
	expectFailure(t, soundHarness(), "allocations", each(func(b *broken) {
		b.encode = func(batch *event.Batch) error {
			for range batch.Len() {
				sink = append([]byte(nil), "more"...)
			}
			return b.sound.Encode(batch)
		}
	}))
}

// sink keeps the compiler from leaving out an allocation.
var sink []byte

// The suite passes sound encodings.
func TestSoundEncodingPasses(t *testing.T) {
	t.Run("goes back", func(t *testing.T) { Run(t, soundHarness()) })
	t.Run("never goes back", func(t *testing.T) {
		h := soundHarness()
		h.Rewinds = false
		h.wrap = func(make newEncoder, w io.Writer, resumed bool) (flow.Encoder, error) {
			enc, err := make(w, resumed)
			if err != nil {
				return nil, err
			}
			return struct{ flow.Encoder }{enc}, nil
		}
		Run(t, h)
	})
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
