package codectest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

var refusalRules = []rule{
	{
		name: "reject",
		rule: "A batch with an event that can never be written is rejected without indexes, nothing of it being written, and the encoder goes on.",
		when: rejects,
		run: func(r *rig) {
			for _, bad := range [][]int{{0}, {5}, {1, 4}} {
				p := r.start()
				r.must(p.rejects(bad...)) // as the first
				p.write(3)
				r.must(p.encode(r.batch(2)))
				r.must(p.rejects(bad...)) // between a batch and its flush
				r.must(p.rejects(bad...))
				r.must(p.flush())
				r.must(p.holds())
				p.write(3)
				if r.h.Rewinds {
					r.must(p.rejects(bad...))
					p.back() // it is allowed, though not needed
					p.write(2)
				}
				p.close()
			}
		},
	},
	{
		name: "misfit",
		rule: "A batch that does not fit into one stream is rejected as a Misfit that names where streams begin, nothing of it being written; cut there it is written.",
		when: differs,
		run: func(r *rig) {
			for _, c := range []struct {
				kinds string // of the events: of the stream's kind, or another
				runs  []int
			}{
				{"ab", []int{1}},
				{"ba", []int{0, 1}},
				{"bbb", []int{0}},
				{"aabba", []int{2, 4}},
				{"babab", []int{0, 1, 2, 3, 4}},
			} {
				p := r.start()
				p.write(2)
				r.must(p.misfit(p.kinds(c.kinds), c.runs))
				r.must(p.inRuns(p.kinds(c.kinds), c.runs))
				p.write(2) // the encoder goes on
				p.close()
			}
		},
	},
	{
		name: "kind of a stream",
		rule: "The first events of a stream decide what fits into it, as far as they are written.",
		when: differs,
		run: func(r *rig) {
			p := r.start()
			r.must(p.misfit(p.kinds("aab"), []int{2}))
			r.must(p.encode(p.kinds("bb")))
			r.must(p.flush())
			r.must(p.misfit(p.kinds("bba"), []int{2}))
			p.close()
		},
	},
	{
		name: "kind of a stream that was cut back",
		rule: "After Rewind to a stream without events the first that are written decide anew what fits into it.",
		when: func(h *Harness) bool { return differs(h) && rewinds(h) },
		run: func(r *rig) {
			p := r.start()
			r.must(p.encode(p.kinds("aaa")))
			p.back()
			r.must(p.encode(p.kinds("bb")))
			r.must(p.flush())
			p.back()
			r.must(p.misfit(p.kinds("a"), []int{0}))
			p.close()
		},
	},
}

// rejects checks that a batch with these events spoilt is rejected as it must be.
func (p *pen) rejects(bad ...int) error {
	b := p.batch(6)
	for _, i := range bad {
		p.h.Spoil(b.Batch, b.At(i))
	}
	return errors.Join(p.refused(b.Batch, func(err error) error {
		if m := flow.Misfit(nil); errors.As(err, &m) {
			return fmt.Errorf("events that can never be written are called a Misfit: %w", err)
		}
		return nil
	}), free(b.Batch))
}

// refused checks that b is rejected as a whole, for the reason that why accepts.
func (p *pen) refused(b *event.Batch, why func(error) error) error {
	before := len(p.disk.content)
	err := p.try(b)
	switch {
	case err == nil || flow.ClassOf(err) != flow.ClassReject:
		return fmt.Errorf("Encode returned %w (class %v)", orNone(err), flow.ClassOf(orNone(err)))
	case flow.Rejected(err) != nil:
		return fmt.Errorf("the rejection names events %v, which says that all others are written: %w", flow.Rejected(err), err)
	case len(p.disk.content) != before:
		return fmt.Errorf("%d bytes were written of a batch that is rejected: %w", len(p.disk.content)-before, err)
	}
	return why(err)
}

var errNone = errors.New("no error")

func orNone(err error) error {
	if err == nil {
		return errNone
	}
	return err
}

// kinds returns a batch of events of kinds: 'a' is as prepared, 'b' is Other.
func (p *pen) kinds(kinds string) batch {
	b := p.batch(len(kinds))
	for i, k := range kinds {
		if k == 'b' {
			p.h.Other(b.Batch, b.At(i))
		}
	}
	return b
}

// misfit checks that b is a Misfit of these runs, and releases it.
func (p *pen) misfit(b batch, want []int) error {
	for range 2 {
		err := p.refused(b.Batch, func(err error) error {
			m := flow.Misfit(nil)
			if !errors.As(err, &m) {
				return fmt.Errorf("no Misfit: %w", err)
			}
			if !slices.Equal(m.Runs(), want) {
				return fmt.Errorf("streams begin at %v, want %v", m.Runs(), want)
			}
			m.Runs()[0] = -1 // it is the caller's
			return nil
		})
		if err != nil {
			return err
		}
	}
	return free(b.Batch)
}

// inRuns writes b in runs, as a sink does: the first to p, each of the others to a
// stream of its own.
func (p *pen) inRuns(b batch, starts []int) error {
	defer b.Release()
	b.Seal()
	to, from := p, 0
	for _, end := range append(starts, len(b.want)) {
		run := batch{Batch: b.View(from, end), want: b.want[from:end]}
		if err := errors.Join(to.encode(run), to.flush(), to.holds()); err != nil {
			return fmt.Errorf("writing events %d to %d to a stream of their own: %w", from, end-1, err)
		}
		next, err := p.tryStart(newDisk())
		if err != nil {
			return err
		}
		to, from = next, end
	}
	return nil
}
