package javachannel

import (
	"cmp"
	"container/heap"
	"context"
	"slices"
)

// replay changes the queue of a checkpoint by what the logs say after it.
type replay struct {
	scan  *scanner
	order int64 // of the checkpoint
	queue *queue

	open  map[int64]*transaction // those that the logs began and have not ended so far
	takes map[int64][]pointer    // of transactions that were open at the checkpoint

	// returned has those of the takes that were rolled back, until another transaction takes them.
	// Flume forgets about that rollback and delivers again what was delivered after it.
	returned map[pointer]struct{}

	// foreign counts takes whose put is in a log that is gone; they need not be remembered.
	foreign int
	logs    map[int32]*logFile
	settled []pointer // takes at the checkpoint that were committed afterwards
}

// transaction is an open one: its puts or its takes.
type transaction struct {
	pointers []pointer
	takes    bool
}

// cursor is the current record of a log in the merge.
type cursor struct {
	log  *logFile
	rec  record
	at   int64 // where rec stands
	next int64
}

// kindRank orders records of equal numbers, which logs before Flume 1.3 have.
var kindRank = [...]int{kindTake: 0, kindPut: 1, kindRollback: 2, kindCommit: 3}

func (c *cursor) compare(d *cursor) int {
	return cmp.Or(
		cmp.Compare(c.rec.order, d.rec.order),
		cmp.Compare(c.rec.transaction, d.rec.transaction),
		cmp.Compare(kindRank[c.rec.kind], kindRank[d.rec.kind]),
		cmp.Compare(c.log.id, d.log.id),
	)
}

// merge is the current records of all logs, the earliest on top. It implements heap.Interface.
type merge []*cursor

func (m merge) Len() int           { return len(m) }
func (m merge) Less(i, j int) bool { return m[i].compare(m[j]) < 0 }
func (m merge) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }
func (m *merge) Push(x any)        { *m = append(*m, x.(*cursor)) }
func (m *merge) Pop() any {
	last := len(*m) - 1
	c := (*m)[last]
	*m = (*m)[:last]
	return c
}

// advance reads the next record of a cursor's log and returns false at its end.
func (r *replay) advance(c *cursor) (ok bool, err error) {
	c.rec, c.at, c.next, ok, err = r.scan.next(c.log, c.next)
	c.rec.event = nil // a view that the next read overwrites
	return ok, err
}

// run merges the logs by write-order number.
func (r *replay) run(ctx context.Context, logs []*logFile) error {
	var m merge
	for _, l := range logs {
		c := &cursor{log: l, next: l.start(r.order)}
		ok, err := r.advance(c)
		if err != nil {
			return err
		}
		if ok {
			m = append(m, c)
		}
	}
	heap.Init(&m)
	for n := 0; len(m) > 0; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		c := m[0]
		r.apply(c)
		ok, err := r.advance(c)
		switch {
		case err != nil:
			return err
		case ok:
			heap.Fix(&m, 0)
		default:
			heap.Pop(&m)
		}
	}
	r.finish()
	return nil
}

// apply does what one record says.
func (r *replay) apply(c *cursor) {
	rec, report := &c.rec, r.scan.report
	report.MaxTransaction = max(report.MaxTransaction, rec.transaction)
	report.MaxOrder = max(report.MaxOrder, rec.order)
	if rec.order <= r.order {
		return // the checkpoint knows
	}
	switch rec.kind {
	case kindPut:
		r.begin(rec.transaction, false, pointerTo(c.log.id, c.at))
	case kindTake:
		r.begin(rec.transaction, true, rec.taken)
	case kindRollback:
		delete(r.open, rec.transaction)
		r.giveBack(rec.transaction)
	case kindCommit:
		r.commit(rec)
	}
}

func (r *replay) begin(id int64, takes bool, p pointer) {
	t := r.open[id]
	if t == nil {
		t = &transaction{takes: takes}
		r.open[id] = t
	}
	t.pointers = append(t.pointers, p)
}

func (r *replay) commit(rec *record) {
	var pointers []pointer
	if t := r.open[rec.transaction]; t != nil {
		pointers = t.pointers
		delete(r.open, rec.transaction)
	}
	if rec.commit == kindPut {
		for _, p := range pointers {
			r.queue.push(p)
		}
		return
	}
	earlier := r.takes[rec.transaction]
	delete(r.takes, rec.transaction)
	r.settled = append(r.settled, earlier...)
	for _, p := range slices.Concat(pointers, earlier) {
		if _, ok := r.returned[p]; ok {
			delete(r.returned, p)
			continue
		}
		if r.logs[p.file()] == nil && (r.queue.size == 0 || r.queue.head() != p) {
			r.foreign++
			continue
		}
		r.queue.take(p)
	}
}

// giveBack returns what a transaction had taken before the checkpoint.
func (r *replay) giveBack(transaction int64) {
	for _, p := range r.takes[transaction] {
		r.returned[p] = struct{}{}
	}
	delete(r.takes, transaction)
}

// finish removes what was taken out of turn and counts what is left over.
func (r *replay) finish() {
	r.queue.settle()
	for _, p := range r.settled {
		if _, ok := r.queue.taken[p]; ok {
			delete(r.queue.taken, p)
		} else if r.logs[p.file()] == nil {
			r.foreign--
		}
	}
	report := r.scan.report
	for transaction := range r.takes {
		r.giveBack(transaction)
	}
	report.PendingTakes = len(r.queue.taken) + r.foreign
	r.queue.taken = nil
	for _, t := range r.open {
		if t.takes {
			report.OpenTakes += len(t.pointers)
		} else {
			report.UncommittedPuts += len(t.pointers)
		}
	}
}
