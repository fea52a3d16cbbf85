package channeltest

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/flume-go/flume/flow"
)

const modelRule = "Whatever is done in whatever order, the channel behaves like a plain queue."

// modelCapacity is small, so that the channel is often full.
const modelCapacity = 12

// model is a channel next to a plain queue of ids.
type model struct {
	r *rig

	ready []uint64        // sorted: ids count up in the order of the puts
	open  []modelDelivery // taken and not settled
	puts  []*pending      // waiting for space, or for acknowledgements
	held  int             // events stored: ready and in open
}

type modelDelivery struct {
	flow.Delivery
	ids []uint64
}

// checkModel runs random operations on the channel and on a plain queue.
// Failures are reduced to a short list of operations.
func checkModel(t *testing.T, h *Harness) {
	// The wrapper hides t.Deadline, which may not be called in a bubble.
	rapid.Check(struct{ rapid.TB }{t}, func(t *rapid.T) {
		r := newRig(t, h, modelRule)
		defer r.close()
		r.open(h.capacity(modelCapacity))
		m := &model{r: r}
		actions := map[string]func(*rapid.T){
			"put":  m.put,
			"take": m.take,
			"ack":  m.ack,
			"nack": m.nack,
			"":     m.check,
		}
		if !h.EndToEnd {
			actions["reopen"] = m.reopen
		}
		t.Repeat(actions)
		m.finish(t)
	})
}

// put starts a put that must store, or must wait: with a limit only one put
// waits at a time, so that the model need not know who is served first.
func (m *model) put(t *rapid.T) {
	n := rapid.IntRange(1, 5).Draw(t, "events")
	if len(m.puts) > 0 && (!m.r.h.EndToEnd || len(m.puts) == 3) {
		t.Skip("a put waits already")
	}
	p := m.r.start(n)
	if m.r.h.EndToEnd {
		m.puts = append(m.puts, p)
		m.ready = append(m.ready, p.ids...)
		m.held += n
		return
	}
	if m.r.h.Capacity != nil && m.held+n > modelCapacity {
		if p.returned() {
			m.r.fatalf("with %d of %d events stored, a put of %d returned %v", m.held, modelCapacity, n, p.err)
		}
		m.puts = append(m.puts, p)
		return
	}
	m.stored(p)
}

// stored notes that p must have returned nil by now.
func (m *model) stored(p *pending) {
	if err := m.r.wait(p); err != nil {
		m.r.fatalf("with %d events stored, a put of %d returned %v", m.held, len(p.ids), err)
	}
	m.ready = append(m.ready, p.ids...)
	m.held += len(p.ids)
}

// take compares what is taken with the head of the queue. A channel may give
// fewer events than asked for, but at least one.
func (m *model) take(t *rapid.T) {
	limit := rapid.IntRange(1, 8).Draw(t, "limit")
	if len(m.ready) == 0 {
		m.r.nothing("the plain queue is empty")
		return
	}
	d := m.r.take(limit)
	got := m.r.ids(d)
	if m.r.h.Unordered {
		for _, id := range got {
			i := slices.Index(m.ready, id)
			if i < 0 {
				m.r.fatalf("event %d was taken, which is not in the plain queue: %v", id, m.ready)
			}
			m.ready = slices.Delete(m.ready, i, i+1)
		}
	} else {
		if len(got) > len(m.ready) || !slices.Equal(got, m.ready[:len(got)]) {
			m.r.fatalf("events %v were taken, the plain queue is %v", got, m.ready)
		}
		m.ready = slices.Clone(m.ready[len(got):])
	}
	m.open = append(m.open, modelDelivery{d, got})
}

// pick removes one of the open deliveries.
func (m *model) pick(t *rapid.T) modelDelivery {
	if len(m.open) == 0 {
		t.Skip("no delivery is open")
	}
	i := rapid.IntRange(0, len(m.open)-1).Draw(t, "delivery")
	d := m.open[i]
	m.open = slices.Delete(m.open, i, i+1)
	return d
}

func (m *model) ack(t *rapid.T) {
	d := m.pick(t)
	m.r.ack(d)
	m.held -= len(d.ids)
	if m.r.h.EndToEnd {
		m.acknowledged()
		return
	}
	if len(m.puts) == 1 && (m.held == 0 || m.held+len(m.puts[0].ids) <= modelCapacity) {
		p := m.puts[0]
		m.puts = nil
		m.stored(p)
	}
}

// acknowledged checks which of the end-to-end puts have returned.
func (m *model) acknowledged() {
	m.puts = slices.DeleteFunc(m.puts, func(p *pending) bool {
		if m.outstanding(p) {
			if p.returned() {
				m.r.fatalf("the put of events %v returned %v before all were acknowledged", p.ids, p.err)
			}
			return false
		}
		if err := m.r.wait(p); err != nil {
			m.r.fatalf("the put of events %v, all acknowledged, returned %v", p.ids, err)
		}
		return true
	})
}

// outstanding reports whether an event of p is not acknowledged.
func (m *model) outstanding(p *pending) bool {
	in := func(id uint64) bool { return slices.Contains(p.ids, id) }
	return slices.ContainsFunc(m.ready, in) ||
		slices.ContainsFunc(m.open, func(d modelDelivery) bool { return slices.ContainsFunc(d.ids, in) })
}

func (m *model) nack(t *rapid.T) {
	d := m.pick(t)
	m.r.nack(d)
	m.giveBack(d)
}

func (m *model) giveBack(d modelDelivery) {
	m.ready = append(m.ready, d.ids...)
	slices.SortFunc(m.ready, cmp.Compare)
}

// reopen closes the channel, with deliveries open, and opens it again. A put
// that waits fails.
func (m *model) reopen(*rapid.T) {
	m.r.shut()
	for _, p := range m.puts {
		if err := m.r.wait(p); flow.ClassOf(err) != flow.ClassShutdown {
			m.r.fatalf("the put that waited when the channel was closed returned %v", err)
		}
	}
	m.puts = nil
	for _, d := range m.open {
		m.giveBack(d)
		// Settled only now, to release its memory; the channel has the events back.
		if err := d.Nack(); err != nil && flow.ClassOf(err) != flow.ClassShutdown {
			m.r.fatalf("giving back a delivery of a closed channel: %v", err)
		}
	}
	m.open = nil
	m.r.reopen()
}

// check compares the numbers after each operation.
func (m *model) check(*rapid.T) {
	s := m.r.ch.Stats()
	if s.Events != m.held || s.Events-s.InFlight != len(m.ready) {
		m.r.fatalf("stats %+v, the plain queue holds %d events, %d of them in open deliveries", s, m.held, m.held-len(m.ready))
	}
}

// finish takes and acknowledges what is left.
func (m *model) finish(t *rapid.T) {
	for len(m.open) > 0 {
		d := m.open[0]
		m.open = m.open[1:]
		m.r.nack(d)
		m.giveBack(d)
	}
	for len(m.ready) > 0 || len(m.puts) > 0 {
		m.take(t)
		m.ack(t)
	}
	m.r.stats(flow.Stats{})
}
