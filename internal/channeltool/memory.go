package channeltool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/flume-go/flume/event"
)

// What a spillable memory channel had in memory at an orderly stop is in a log of its own, in this subdirectory of each of its
// directories. A file in that of the checkpoint says in which order its events and those on the disk follow each other.
const (
	memoryDir = "memory-at-stop"
	orderFile = "order.json"
)

// spillableQueue is the two logs of a spillable memory channel. The channel has it that way: they are locked, opened and
// closed together.
type spillableQueue struct {
	disk   *ownQueue // what did not fit into memory
	memory *ownQueue // what was in memory at a stop
}

var (
	_ Queue = (*ownQueue)(nil)
	_ Queue = (*javaQueue)(nil)
	_ Queue = (*spillableQueue)(nil)
)

// withMemory returns q together with the log of what was in memory, if there is one.
func withMemory(q *ownQueue) Queue {
	p := q.place
	p.Data, p.Checkpoint = nil, ""
	found := false
	for _, dir := range q.place.Data {
		if c, err := look(filepath.Join(dir, memoryDir)); err == nil {
			p.Data = append(p.Data, filepath.Join(dir, memoryDir))
			found = found || c.wal || c.walLock
		}
	}
	if !found {
		return q
	}
	if q.place.Checkpoint != "" {
		if _, err := look(filepath.Join(q.place.Checkpoint, memoryDir)); err == nil {
			p.Checkpoint = filepath.Join(q.place.Checkpoint, memoryDir)
		}
	}
	return &spillableQueue{disk: q, memory: newOwnQueue(p)}
}

// Layout implements Queue.
func (q *spillableQueue) Layout() Layout { return LayoutWAL }

// Inspect implements Queue. The report is of both logs.
func (q *spillableQueue) Inspect(ctx context.Context) (*Report, error) {
	r, err := q.disk.Inspect(ctx)
	if err != nil {
		return nil, err
	}
	m, err := q.memory.Inspect(ctx)
	if err != nil {
		return nil, q.inMemory(err)
	}
	r.add(m)
	if _, note := q.order(r.Events-m.Events, m.Events); note != "" {
		r.Notes = append(r.Notes, note)
	}
	return r, nil
}

// inMemory says which of the two logs an error is of.
func (q *spillableQueue) inMemory(err error) error {
	return fmt.Errorf("the log of what was in memory at a stop: %w", err)
}

// add enters what a second log of the channel has.
func (r *Report) add(m *Report) {
	r.Events += m.Events
	r.AtStop += m.Events
	r.Bytes += m.Bytes
	r.Estimated = r.Estimated || m.Estimated
	r.Oldest = either(r.Oldest, m.Oldest, time.Time.Before)
	r.LastWrite = either(r.LastWrite, m.LastWrite, time.Time.After)
	r.Files = append(r.Files, m.Files...)
	r.FreeFiles += m.FreeFiles
	r.Quarantine = append(r.Quarantine, m.Quarantine...)
	r.Damage = append(r.Damage, m.Damage...)
	r.DamageCount += m.DamageCount
	r.MissingFiles += m.MissingFiles
	r.addNotes(m.Notes)
	if p := m.CheckpointFile.Problem; p != "" {
		r.Notes = append(r.Notes, fmt.Sprintf("checkpoint %s: %s", m.CheckpointFile.Path, m.CheckpointFile.State))
	}
	for _, k := range m.Keys {
		i := slices.IndexFunc(r.Keys, func(o Key) bool { return o.Alias == k.Alias })
		if i < 0 {
			r.Keys = append(r.Keys, k)
			continue
		}
		r.Keys[i].Files += k.Files
		r.Keys[i].Events += k.Events
		if r.Keys[i].Problem == "" {
			r.Keys[i].Problem = k.Problem
		}
	}
}

// addNotes adds notes that are not there yet.
func (s *Subject) addNotes(notes []string) {
	for _, n := range notes {
		if !slices.Contains(s.Notes, n) {
			s.Notes = append(s.Notes, n)
		}
	}
}

// either returns the better one of two times that there may be.
func either(a, b *time.Time, better func(t, u time.Time) bool) *time.Time {
	if a == nil || b != nil && better(*b, *a) {
		return b
	}
	return a
}

// Verify implements Queue.
func (q *spillableQueue) Verify(ctx context.Context) (*Verification, error) {
	v, err := q.disk.Verify(ctx)
	if err != nil {
		return nil, err
	}
	m, err := q.memory.Verify(ctx)
	if err != nil {
		return nil, q.inMemory(err)
	}
	v.Files += m.Files
	v.Bytes += m.Bytes
	v.Records += m.Records
	v.Events += m.Events
	v.Unopened += m.Unopened
	v.Damage = append(v.Damage, m.Damage...)
	v.DamageCount += m.DamageCount
	v.addNotes(m.Notes)
	for _, p := range m.Problems {
		if !slices.Contains(v.Problems, p) {
			v.Problems = append(v.Problems, p)
		}
	}
	return v, nil
}

// Repair implements Queue.
func (q *spillableQueue) Repair(ctx context.Context, valid Validator) (*Repaired, error) {
	r, err := q.disk.Repair(ctx, valid)
	if err != nil {
		return r, err
	}
	m, err := q.memory.Repair(ctx, valid)
	if m != nil {
		r.Add(m)
	}
	if err != nil {
		return r, q.inMemory(err)
	}
	return r, nil
}

const memoryFirst = "it is not known in which order the events that were in memory at the last orderly stop and those on the disk follow each other; those of the memory come first"

// order returns how the events of the logs follow each other: the lengths of runs, oldest first, those on the disk negative. Where that
// is not known the events of the memory come first, as the channel has it, and a note says so. It is known
// from an orderly stop to the next start.
func (q *spillableQueue) order(disk, memory int) (runs []int, note string) {
	if disk == 0 || memory == 0 {
		return []int{memory, -disk}, ""
	}
	data, err := os.ReadFile(filepath.Join(q.memory.place.Checkpoint, orderFile))
	var found struct{ Runs []int }
	if err == nil && json.Unmarshal(data, &found) == nil {
		left := []int{disk, memory}
		for _, n := range found.Runs {
			if n < 0 {
				left[0] += n
			} else {
				left[1] -= n
			}
			if left[0] < 0 || left[1] < 0 {
				break
			}
		}
		if left[0] == 0 && left[1] == 0 {
			return found.Runs, ""
		}
	}
	return []int{memory, -disk}, memoryFirst
}

// Notes says what should be known of the order in which queues are exported.
func Notes(ctx context.Context, queues []Queue) ([]string, error) {
	var notes []string
	for _, q := range queues {
		s, ok := q.(*spillableQueue)
		if !ok {
			continue
		}
		_, note, err := s.plan(ctx)
		if err != nil {
			return nil, err
		}
		if note != "" {
			notes = append(notes, note)
		}
	}
	return notes, nil
}

// plan finds out in which order the events are exported.
func (q *spillableQueue) plan(ctx context.Context) (runs []int, note string, err error) {
	d, err := q.disk.Inspect(ctx)
	if err != nil {
		return nil, "", err
	}
	m, err := q.memory.Inspect(ctx)
	if err != nil {
		return nil, "", q.inMemory(err)
	}
	runs, note = q.order(d.Events, m.Events)
	return runs, note, nil
}

// Export implements Queue. What was in memory and what was on the disk take turns as the channel would deliver them; what
// damage takes away from one log is made up by its next events.
func (q *spillableQueue) Export(ctx context.Context, damaged func(Damage), f func(*event.Batch) error) error {
	runs, _, err := q.plan(ctx)
	if err != nil {
		return err
	}
	memory, disk := newStream(ctx, q.memory, damaged), newStream(ctx, q.disk, damaged)
	defer memory.close()
	defer disk.close()
	for _, n := range runs {
		from := memory
		if n < 0 {
			from, n = disk, -n
		}
		if err := from.take(n, f); err != nil {
			return err
		}
	}
	// What was stored while this went on, by a channel that is open.
	for _, s := range []*stream{memory, disk} {
		if err := s.take(-1, f); err != nil {
			return err
		}
	}
	return nil
}

// stream is the export of a queue, pulled piece by piece.
type stream struct {
	next  func() (*event.Batch, bool)
	close func()
	err   error        // of the export, once it has ended
	batch *event.Batch // its owner keeps it until next is called; nil: there is none
	from  int          // of the first event of batch that was not taken
}

var errClosed = errors.New("the stream is closed")

func newStream(ctx context.Context, q Queue, damaged func(Damage)) *stream {
	s := &stream{}
	s.next, s.close = iter.Pull(func(yield func(*event.Batch) bool) {
		s.err = q.Export(ctx, damaged, func(b *event.Batch) error {
			if !yield(b) {
				return errClosed
			}
			return nil
		})
	})
	return s
}

// take calls f with the next n events, as far as there are so many; all that are left if n is negative.
func (s *stream) take(n int, f func(*event.Batch) error) error {
	for n != 0 {
		if s.batch == nil || s.from == s.batch.Len() {
			var ok bool
			if s.batch, ok = s.next(); !ok {
				return s.err
			}
			s.from = 0
		}
		to := s.batch.Len()
		if n > 0 {
			to = min(to, s.from+n)
			n -= to - s.from
		}
		part := s.batch.View(s.from, to)
		s.from = to
		err := f(part)
		part.Release()
		if err != nil {
			return err
		}
	}
	return nil
}
