package wal

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/flume-go/flume/internal/vfs"
)

// model is a plain queue beside a log. In it an event is waiting, read, or acknowledged; an
// unsynced acknowledgement may come undone when the power fails, not when the process is killed, and nothing else may.
type model struct {
	mem      *vfs.Mem
	log      *Log
	opts     Options
	next     int
	waiting  []int // in order
	read     []readEntry
	unsynced []int // acknowledged since the last sync
}

type readEntry struct {
	events Range
	ids    []int
}

func (m *model) Append(t *rapid.T) {
	n := rapid.IntRange(1, 8).Draw(t, "events")
	if err := appendIDs(m.log, m.next, n, rapid.IntRange(0, 900).Draw(t, "size")); err != nil {
		t.Fatal(err)
	}
	m.waiting = append(m.waiting, seq(m.next, n)...)
	m.next += n
	m.unsynced = nil
}

func (m *model) Read(t *rapid.T) {
	e, ok, err := m.log.TryRead(rapid.IntRange(1, 10).Draw(t, "limit"))
	if err != nil || ok != (len(m.waiting) > 0) {
		t.Fatalf("read %v, %v with %d events waiting", ok, err, len(m.waiting))
	}
	if !ok {
		return
	}
	defer e.Batch.Release()
	rec := &recorder{}
	got := idsOf(rec, e.Batch)
	if len(rec.complaints) > 0 || !slices.Equal(got, m.waiting[:len(got)]) {
		t.Fatalf("read %v, want the first of %v; %v", got, m.waiting, rec.complaints)
	}
	m.waiting = m.waiting[len(got):]
	m.read = append(m.read, readEntry{e.Events, got})
}

func (m *model) Ack(t *rapid.T) {
	if len(m.read) == 0 {
		t.Skip("nothing is read")
	}
	i := rapid.IntRange(0, len(m.read)-1).Draw(t, "entry")
	if err := m.log.Ack(m.read[i].events); err != nil {
		t.Fatal(err)
	}
	m.unsynced = append(m.unsynced, m.read[i].ids...)
	m.read = slices.Delete(m.read, i, i+1)
}

func (m *model) Reopen(t *rapid.T) {
	if err := m.log.Close(); err != nil {
		t.Fatal(err)
	}
	m.unsynced = nil
	if m.opts.Cipher != nil {
		m.opts.Cipher = testCipher(rapid.SampledFrom([]string{"", "k1", "k2", "k3"}).Draw(t, "key"))
	}
	m.open(t)
}

func (m *model) Crash(t *rapid.T) {
	policy := rapid.SampledFrom([]vfs.CrashPolicy{policies["none"], policies["all"], policies["mixed"]}).Draw(t, "policy")
	m.opts.FS, m.mem = nil, m.mem.Crash(policy)
	m.opts.FS = m.mem
	_ = m.log.Close() // of a file system that is no more
	if policy == killed {
		m.unsynced = nil
	}
	m.open(t)
}

// open opens the log anew: all that was not acknowledged is waiting again.
func (m *model) open(t *rapid.T) {
	var err error
	if m.log, err = Open(m.opts); err != nil {
		t.Fatal(err)
	}
	for _, r := range m.read {
		m.waiting = append(m.waiting, r.ids...)
	}
	m.read = nil
	slices.Sort(m.waiting)
	m.settle(t)
}

// settle finds out which of the unsynced acknowledgements came undone.
func (m *model) settle(t *rapid.T) {
	rec := &recorder{}
	var got []int
	for {
		e, ok, err := m.log.TryRead(5)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		list := idsOf(rec, e.Batch)
		got = append(got, list...)
		m.read = append(m.read, readEntry{e.Events, list})
		e.Batch.Release()
	}
	certain := slices.DeleteFunc(slices.Clone(got), func(id int) bool { return slices.Contains(m.unsynced, id) })
	if !slices.IsSorted(got) || !slices.Equal(certain, m.waiting) || len(rec.complaints) > 0 {
		t.Fatalf("after reopening, read %v, want %v and perhaps of %v; %v", got, m.waiting, m.unsynced, rec.complaints)
	}
	m.waiting, m.unsynced = nil, nil
}

func (m *model) Checkpoint(t *rapid.T) {
	if err := m.log.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	m.unsynced = nil
}

// Check is called after every step.
func (m *model) Check(t *rapid.T) {
	want := len(m.waiting)
	for _, r := range m.read {
		want += len(r.ids)
	}
	if s := m.log.Stats(); s.Events != want || s.Damaged > 0 {
		t.Fatalf("stats %+v, want %d events", s, want)
	}
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{mem: vfs.NewMem(rapid.Uint64().Draw(t, "seed"))}
		m.opts = forms[rapid.SampledFrom([]string{"clear", "sealed"}).Draw(t, "form")](m.mem)
		m.opts.CacheBytes = rapid.SampledFrom([]int64{-1, 3000, 1 << 20}).Draw(t, "cache")
		m.open(t)
		defer func() { m.log.Close() }()
		t.Repeat(rapid.StateMachineActions(m))
	})
}
