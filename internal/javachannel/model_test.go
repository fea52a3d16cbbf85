package javachannel

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// model is Flume's channel as a queue in memory, together with the logs that it would write.
type model struct {
	logs  []*logWriter
	order int64

	queue  []modelEvent // staged and not taken
	open   []*modelTransaction
	number int
	saved  checkpointFiles
}

type modelEvent struct {
	pointer
	number int // in the order of commits
	body   string
}

type modelTransaction struct {
	id     int64
	log    *logWriter
	takes  bool
	events []modelEvent
}

func (m *model) next() int64 {
	m.order++
	return m.order
}

func (m *model) begin(t *rapid.T) {
	x := &modelTransaction{id: m.next(), takes: rapid.Bool().Draw(t, "takes")}
	x.log = m.logs[rapid.IntRange(0, len(m.logs)-1).Draw(t, "log")]
	m.open = append(m.open, x)
}

// some picks an open transaction.
func (m *model) some(t *rapid.T) *modelTransaction {
	return m.open[rapid.IntRange(0, len(m.open)-1).Draw(t, "transaction")]
}

func (m *model) work(t *rapid.T) {
	x := m.some(t)
	for range rapid.IntRange(1, 3).Draw(t, "events") {
		switch {
		case !x.takes:
			m.number++
			e := modelEvent{body: fmt.Sprint(m.number)}
			e.pointer = x.log.put(x.id, m.next(), e.body)
			x.events = append(x.events, e)
		case len(m.queue) > 0:
			x.log.take(x.id, m.next(), m.queue[0].pointer)
			x.events = append(x.events, m.queue[0])
			m.queue = m.queue[1:]
		}
	}
}

func (m *model) end(t *rapid.T) {
	x := m.some(t)
	m.open = slices.DeleteFunc(m.open, func(o *modelTransaction) bool { return o == x })
	if rapid.IntRange(0, 3).Draw(t, "commit") == 0 {
		x.log.rollback(x.id, m.next())
		if x.takes {
			m.giveBack(x.events)
		}
		return
	}
	if x.takes {
		x.log.commit(x.id, m.next(), kindTake)
		return
	}
	x.log.commit(x.id, m.next(), kindPut)
	for _, e := range x.events {
		m.number++
		e.number = m.number
		m.queue = append(m.queue, e)
	}
}

// giveBack puts events where they were: at the head, where others may wait that were taken before.
func (m *model) giveBack(events []modelEvent) {
	m.queue = append(slices.Clone(events), m.queue...)
	slices.SortStableFunc(m.queue, func(a, b modelEvent) int { return a.number - b.number })
}

func (m *model) checkpoint() {
	m.saved = checkpointFiles{order: m.next(), capacity: 2000, head: 1990, puts: map[int64][]pointer{}, takes: map[int64][]pointer{}}
	for _, e := range m.queue {
		m.saved.queue = append(m.saved.queue, e.pointer)
	}
	for _, x := range m.open {
		into := m.saved.puts
		if x.takes {
			into = m.saved.takes
		}
		for _, e := range slices.Backward(x.events) { // no order in particular
			into[x.id] = append(into[x.id], e.pointer)
		}
	}
	for _, w := range m.logs {
		w.mark(m.saved.order)
	}
}

// staged is what a restart finds: first, by pointer, what the checkpoint knows to have been taken.
func (m *model) staged(withCheckpoint bool) []string {
	for _, x := range m.open {
		if x.takes {
			m.giveBack(x.events)
		}
	}
	returned := make(map[pointer]bool)
	for _, pointers := range m.saved.takes {
		for _, p := range pointers {
			returned[p] = withCheckpoint
		}
	}
	slices.SortStableFunc(m.queue, func(a, b modelEvent) int {
		switch {
		case returned[a.pointer] && returned[b.pointer]:
			return cmp.Compare(a.pointer, b.pointer)
		case returned[a.pointer]:
			return -1
		case returned[b.pointer]:
			return 1
		}
		return 0
	})
	bodies := []string{}
	for _, e := range m.queue {
		bodies = append(bodies, e.body)
	}
	return bodies
}

// TestModel compares replays with a queue in memory, with and without the checkpoint.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{logs: []*logWriter{newLog(1), newLog(2)}[:rapid.IntRange(1, 2).Draw(t, "directories")]}
		checkpoints := 0
		for range rapid.IntRange(0, 150).Draw(t, "steps") {
			switch step := rapid.IntRange(0, 20).Draw(t, "step"); {
			case step == 0:
				m.checkpoint()
				checkpoints++
			case step < 5 || len(m.open) == 0:
				m.begin(t)
			case step < 13:
				m.work(t)
			default:
				m.end(t)
			}
		}
		withCheckpoint := checkpoints > 0 && rapid.Bool().Draw(t, "checkpoint")
		c := newChannel(t)
		for i, w := range m.logs {
			c.log([]string{"/d1", "/d2"}[i], w)
		}
		if withCheckpoint {
			c.checkpoint("/c", m.saved)
		}
		d, err := Open(t.Context(), c.options())
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if diff := gocmp.Diff(m.staged(withCheckpoint), bodies(t, d)); diff != "" {
			t.Errorf("bodies (-want +got):\n%s", diff)
		}
		if r := d.Report(); r.PendingTakes+r.CorruptCount+r.TornCount+r.Lost > 0 || len(d.queue.taken) > 0 {
			t.Errorf("report: %+v", r)
		}
	})
}
