package taildir

import (
	"container/list"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

// follower is one run of the source. All of it belongs to one goroutine.
type follower struct {
	src   *source
	log   *slog.Logger
	out   flow.Emitter
	watch watcher   // nil: there is only looking
	now   time.Time // of this round

	dirs   []*directory
	files  map[int]*file
	byID   map[fileID]*file
	byHead indexes[mark]
	byStem indexes[string]
	logs   map[logName]*kin
	heads  map[int]int // how many files have a head of so many bytes
	lastNo int

	found    []candidate // names to be looked into
	unlinked []*file     // files that have lost their name
	traced   int         // of these, how many were looked for by inode
	starting bool        // this is the first look
	stirred  bool        // names have come or gone since notifications were taken in
	hearing  bool        // if so, then they are taken in once more at once

	opened  *list.List // files with a handle; the one read last is in front
	ready   []*file    // files that may have something new, in their order
	waiting []*file    // set aside until the file before them is read

	searching bool // one of these waits for a file that is looked for

	rounds int
	batch  filling
	store  *store
	lock   io.Closer
	hash   string // of the position file that there is

	nextSweep  time.Time
	nextExpiry time.Time
	failing    bool              // handing on events fails
	complaints map[string]string // of paths that cannot be followed; empty for a link to nowhere
	nextTry    time.Time         // of these
	lastHear   time.Time         // when notifications were taken in
	lastDrain  time.Time
	lastLost   time.Time // when notifications were lost
	blank      int       // files in which there was nothing when they were found, so far
	scratch    []byte
}

// Pauses of the loop.
const (
	sweepPause = 20 * time.Millisecond  // least time between two sweeps
	drainPause = 10 * time.Millisecond  // least time between two rounds that notifications begin
	busyHear   = 100 * time.Millisecond // between two looks at the notifications while there is something to read
	expiry     = time.Minute            // between two looks for what can be forgotten
)

func newFollower(s *source, out flow.Emitter) (_ *follower, err error) {
	w := &follower{
		src: s, log: s.log, out: out, now: time.Now(),
		files: map[int]*file{}, byID: map[fileID]*file{},
		byHead: newIndexes[mark](spotOfHead), byStem: newIndexes[string](spotOfStem), logs: map[logName]*kin{}, heads: map[int]int{},
		opened: list.New(), starting: true, complaints: map[string]string{},
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	w.startWatching()
	if err := w.addDirectories(); err != nil {
		return nil, err
	}
	if w.lock, err = lockPositions(s); err != nil {
		return nil, err
	}
	history, err := loadHistory(s)
	if err != nil {
		return nil, err
	}
	w.recall(history)
	for _, d := range w.dirs {
		if err := w.list(d); err != nil {
			return nil, err
		}
	}
	w.settle()
	w.starting = false
	if w.store, err = newStore(w); err != nil {
		return nil, err
	}
	if err := w.store.write(); err != nil {
		return nil, err
	}
	w.log.Info("following files", "directories", len(w.dirs), "files", w.followed(), "notifications", w.watch != nil)
	return w, nil
}

// startWatching asks for notifications, if the system has them.
func (w *follower) startWatching() {
	if !w.src.cfg.Notify {
		return
	}
	watch, err := w.src.sys.watch()
	if err != nil {
		w.log.Warn("the system does not tell of changes; files are only looked at from time to time (on Linux, raise fs.inotify.max_user_instances)",
			"error", err, "maxBackoffSleep", w.src.cfg.PollMax)
		return
	}
	w.watch = watch
}

// run works until ctx ends or a batch cannot be stored. What is being stored when
// ctx ends is stored under work.
func (w *follower) run(ctx, work context.Context) error {
	for ctx.Err() == nil {
		w.now = time.Now()
		w.hear()
		if !w.now.Before(w.nextSweep) {
			w.sweep()
		}
		w.store.checkpoint(false)
		if len(w.ready) == 0 {
			w.rest(ctx)
			continue
		}
		if err := w.round(ctx, work); err != nil {
			if ctx.Err() != nil {
				return nil // the positions have not moved: the next run reads it again
			}
			return err
		}
	}
	return nil
}

// rest waits until there may be something to do.
func (w *follower) rest(ctx context.Context) {
	until := w.nextSweep
	if at := w.store.due(); !at.IsZero() && at.Before(until) {
		until = at
	}
	d := max(until.Sub(w.now), time.Millisecond)
	if w.watch == nil {
		flow.Sleep(ctx, d)
		return
	}
	if pause := w.lastDrain.Add(drainPause).Sub(w.now); pause > 0 && !flow.Sleep(ctx, min(pause, d)) {
		return
	}
	if w.watch.Wait(ctx, d) {
		w.lastDrain = time.Now()
	}
}

// round reads from the files that are ready, until a batch is full, and emits it.
func (w *follower) round(ctx, work context.Context) error {
	b := event.NewBatch()
	defer b.Release()
	w.batch.begin(b, w.src.cfg.BatchSize)
	w.rounds++
	var again []*file
	turns := 0
	for len(w.ready) > 0 && !w.batch.full() {
		f := w.ready[0]
		w.ready = w.ready[1:]
		if f.round != w.rounds && w.mustWait(f) {
			w.waiting = append(w.waiting, f)
			continue
		}
		f.queued = false
		turns++
		if f.round == w.rounds || w.turn(f) {
			f.due = true // again, when the batch is stored and its position has moved
			again = append(again, f)
		}
	}
	err := w.emit(ctx, work)
	for _, f := range again {
		f.due = false
		w.enqueue(f)
	}
	w.release(turns == 0)
	return err
}

// close stores the positions and gives up everything. It may be called when
// newFollower has failed.
func (w *follower) close() error {
	var errs []error
	if w.store != nil {
		w.now = time.Now()
		w.store.checkpoint(true)
		errs = append(errs, w.store.close())
	}
	for w.opened.Len() > 0 {
		f, _ := w.opened.Front().Value.(*file)
		w.shut(f)
	}
	if w.watch != nil {
		errs = append(errs, w.watch.Close())
	}
	if w.lock != nil {
		errs = append(errs, w.lock.Close())
	}
	w.src.count.followed.Set(0)
	return errors.Join(errs...)
}

// followed counts the files that are linked or read to their end.
func (w *follower) followed() int {
	n := 0
	for _, f := range w.files {
		if f.missing.IsZero() {
			n++
		}
	}
	return n
}

// newFile adds a file. The caller sets what it is.
func (w *follower) newFile(id fileID) *file {
	w.lastNo++
	f := &file{no: w.lastNo, id: id, lastData: w.now, nextLook: w.now}
	w.files[f.no] = f
	if id != (fileID{}) {
		w.byID[id] = f
	}
	return f
}

// forget removes a file for good.
func (w *follower) forget(f *file) {
	w.shut(f)
	w.setHead(f, mark{})
	w.dropStem(f)
	f.setTwin(nil)
	w.orphan(f)
	f.adrift = false // nobody waits for it
	delete(w.files, f.no)
	if w.byID[f.id] == f {
		delete(w.byID, f.id)
	}
	if w.store != nil {
		w.store.forget(f)
	}
}

// orphan makes the copies of f files of their own. What was read of f is not known:
// they are read from their beginning.
func (w *follower) orphan(f *file) {
	for _, t := range slices.Clone(f.copies) {
		head := t.head
		t.setTwin(nil)
		w.setHead(t, mark{})
		t.restart()
		w.setHead(t, head)
		t.proven = false
		w.note(t)
		if t.linked {
			w.enqueue(t)
		}
	}
}

// setID gives f another inode.
func (w *follower) setID(f *file, id fileID) {
	if w.byID[f.id] == f {
		delete(w.byID, f.id)
	}
	f.id = id
	w.byID[id] = f
}

// loseID takes its inode from f.
func (w *follower) loseID(f *file) {
	if w.byID[f.id] == f {
		delete(w.byID, f.id)
		f.origin = f.id
	}
	f.id = fileID{}
}

// setHead sets the head of f and keeps the index of heads.
func (w *follower) setHead(f *file, m mark) {
	if old := f.head; old.n > 0 {
		w.byHead.leave(old, f)
		if w.heads[old.n]--; w.heads[old.n] <= 0 {
			delete(w.heads, old.n)
		}
	}
	f.head = m
	if m.n == 0 {
		return
	}
	w.byHead.enter(m, f)
	w.heads[m.n]++
}

// note enters f into the journal as it is now.
func (w *follower) note(f *file) {
	if w.store != nil {
		w.store.file(f)
	}
}

var errNoDirectory = errors.New("the directory of a file group cannot be used; create it or correct the property")
