package spooldir

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

// firstPause is how long to wait before a batch is tried again for the first time.
const firstPause = 250 * time.Millisecond

// reader is a source that runs.
type reader struct {
	s    *source
	out  flow.Emitter
	pos  *position
	list *lister
	fill filling

	half    *saved // the file that was being read when the source ended, nil if there is none
	rel     string // of half
	pause   flow.Backoff
	failing bool   // emitting fails, which was told
	unsaved string // why positions cannot be written, which was told
}

func newReader(s *source, p *position, out flow.Emitter) *reader {
	return &reader{
		s: s, out: out, pos: p, list: newLister(s),
		pause: flow.Backoff{Min: min(firstPause, max(s.cfg.MaxBackoff, time.Millisecond)), Max: max(s.cfg.MaxBackoff, time.Millisecond)},
	}
}

func (r *reader) close() error { return r.pos.close() }

// resume finds out which file was being read when the source ended.
func (r *reader) resume() error {
	h, aside, err := r.pos.load()
	switch {
	case aside != "":
		r.s.count.otherFail.Add(1)
		r.s.log.Error("the position file cannot be read: the file that was being read comes again from its beginning", "error", err, "kept as", aside)
		return nil
	case err != nil:
		return err
	case h == nil:
		return nil
	}
	rel, ok := r.s.relative(h.target)
	if !ok || !r.s.wants(baseOf(rel)) {
		r.s.log.Info("the position file is of a file that is not read any more", "file", h.target, "position", h.at.offset)
		return r.pos.forget()
	}
	if _, err := r.s.files.Stat(r.s.pathOf(rel)); errors.Is(err, fs.ErrNotExist) || r.s.noted(rel) {
		return r.pos.forget() // it was done with
	}
	r.half, r.rel = h, rel
	return nil
}

// relative returns where the file of a position file is below the spool directory, however that is written.
func (s *source) relative(target string) (string, bool) {
	path, err := absolute(javaPath(target))
	if err != nil {
		return "", false
	}
	rel, err := filepath.Rel(s.abs, path)
	if err != nil {
		return "", false
	}
	rel = filepath.ToSlash(rel)
	return rel, rel != "." && rel != ".." && !strings.HasPrefix(rel, "../")
}

// loop reads files until ctx ends. Batches are emitted under work, which ends later.
func (r *reader) loop(ctx, work context.Context) error {
	r.list.stopped = func() bool { return ctx.Err() != nil }
	for ctx.Err() == nil {
		worked, err := r.round(ctx, work)
		if err != nil || ctx.Err() != nil {
			return stopped(ctx, err)
		}
		r.save(r.pos.sync())
		if !worked && !flow.Sleep(ctx, r.s.cfg.PollDelay) {
			return nil
		}
	}
	return nil
}

// stopped is nil if err comes of the source being told to stop.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && (err == nil || flow.ClassOf(err) == flow.ClassShutdown) {
		return nil
	}
	return err
}

// round reads what there is. It reports whether there was anything.
func (r *reader) round(ctx, work context.Context) (worked bool, err error) {
	if h := r.half; h != nil {
		r.half = nil
		if worked, err = r.file(ctx, work, r.rel, h); err != nil || ctx.Err() != nil {
			return worked, err
		}
	}
	if !r.list.begin() {
		return worked, nil
	}
	for ctx.Err() == nil {
		c, ok := r.list.next()
		if !ok {
			break
		}
		read, err := r.file(ctx, work, c.rel, nil)
		if err != nil {
			return worked, err
		}
		if worked = worked || read; !read {
			r.list.spare(c)
		}
	}
	return worked, nil
}

// file hands on a file, from its beginning or from where h says. It reports whether it is done with, or was tried in vain.
func (r *reader) file(ctx, work context.Context, rel string, h *saved) (bool, error) {
	in, err := openInput(r.s.files, r.s.pathOf(rel), rel)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			r.s.complain(rel, err)
		}
		return false, nil
	}
	delete(r.s.complaints, rel)
	w := &job{r: r, in: in, state: saved{target: in.path, length: in.size, modified: milliseconds(in.modified)}}
	err = w.begin(h)
	if err == nil {
		err = w.read(ctx, work)
	}
	err = errors.Join(err, in.close())
	var bad *badFile
	switch {
	case errors.As(err, &bad):
		return true, r.setAside(w, bad.err)
	case err == nil && w.ended:
		err = r.retire(w)
	}
	if err != nil || !w.ended {
		w.keep()
	}
	return true, err
}

// badFile says that it is the file that is to blame.
type badFile struct{ err error }

func (e *badFile) Error() string { return e.err.Error() }
func (e *badFile) Unwrap() error { return e.err }

// job is the work on one file.
type job struct {
	r       *reader
	in      *input
	des     deserializer
	state   saved // up to where it is handed on
	written bool  // state.at is in the position file
	any     bool  // some of the file was handed on, now or before
	ended   bool  // all of it was
}

// begin opens the file at the place where h was.
func (w *job) begin(h *saved) error {
	if h != nil && h.fits(w.in) {
		w.state.at, w.written = h.at, true
		w.any = h.at.offset > 0 || h.at.skip > 0
		if h.length >= 0 && (h.length != w.in.size || h.modified != w.state.modified) || h.at.offset > w.in.size {
			return &badFile{&changedError{"the file has changed since it was being read, before the last start"}}
		}
		if w.any {
			w.r.s.log.Info("a file is read on where it was left", "file", w.in.path, "position", h.at.offset)
		}
	}
	var err error
	if w.des, err = w.r.s.newDeserializer(w.in, w.state.at); err != nil {
		w.r.s.count.readFail.Add(1)
		return &badFile{err}
	}
	return nil
}

// fits reports whether h may be of the file. If all of its file was handed on before it could be renamed, another one of the same name is
// a new file.
func (h *saved) fits(in *input) bool {
	return h.length < 0 || h.at.offset < h.length || h.length == in.size && h.modified == milliseconds(in.modified)
}

// read hands on the file. It returns nil at its end, or when ctx ends; see ended.
func (w *job) read(ctx, work context.Context) error {
	defer w.des.close()
	for ctx.Err() == nil {
		done, err := w.block(ctx, work)
		if done || err != nil {
			return err
		}
	}
	return nil
}

// block hands on what the deserializer makes of a block, and reports whether there is nothing more to do.
func (w *job) block(ctx, work context.Context) (done bool, err error) {
	p := &w.r.fill
	b := event.NewBatch()
	defer b.Release()
	p.begin(b, w.r.s.cfg.BatchSize)
	bad := w.des.fill(p)
	done = errors.Is(bad, io.EOF)
	if done && b.Len() == 0 && !w.any {
		// As in Flume, a file without content is an event without content.
		b.Append(nil)
		p.added(w.state.at, 0)
	}
	w.label(b)
	if err := w.emit(ctx, work, done); err != nil {
		return false, err
	}
	if p.emitted < b.Len() {
		return true, nil // told to stop
	}
	if w.ended = done; bad != nil && !done {
		w.r.s.count.readFail.Add(1)
		return true, &badFile{bad}
	}
	return done, nil
}

// label sets the headers that say where events come from.
func (w *job) label(b *event.Batch) {
	cfg := &w.r.s.cfg
	if !cfg.FileHeader && !cfg.BasenameHeader {
		return
	}
	path, name := w.r.s.abs+"/"+w.in.rel, baseOf(w.in.rel)
	for i := range b.Len() {
		e := b.At(i)
		if cfg.FileHeader {
			b.SetHeader(e, cfg.FileHeaderKey, path)
		}
		if cfg.BasenameHeader {
			b.SetHeader(e, cfg.BasenameKey, name)
		}
	}
}

// emit hands on the batch, batchSize events at a time, and moves the position. last says that the file ends with it: then the position need
// not be written, as the file gets another name right away.
func (w *job) emit(ctx, work context.Context, last bool) error {
	p := &w.r.fill
	n := p.batch.Len()
	p.emitted = 0
	for from := 0; from < n; from = p.emitted {
		if from > 0 && ctx.Err() != nil {
			return nil
		}
		to := min(from+p.size, n)
		part := p.batch.View(from, to)
		err := w.r.emit(work, part)
		part.Release()
		if err != nil {
			return err
		}
		p.emitted = to
		w.any = true
		w.state.at, w.written = p.marks[to-1], false
		if !last || to < n {
			w.written = w.r.save(w.r.pos.move(&w.state))
		}
	}
	return nil
}

// keep writes the position if that is still to be done, when the file is left before its end.
func (w *job) keep() {
	if w.any && !w.written {
		w.written = w.r.save(w.r.pos.move(&w.state))
	}
}

// emit hands on a batch, again and again until it is stored.
func (r *reader) emit(ctx context.Context, b *event.Batch) error {
	for {
		r.s.count.received.Add(1)
		err := r.out.Emit(ctx, b)
		if err == nil {
			break
		}
		if c := flow.ClassOf(err); c != flow.ClassRetry && c != flow.ClassUnknown {
			return err
		}
		if !r.failing {
			r.failing = true
			r.s.log.Warn("handing on events fails; the files wait", "error", err)
		}
		if !r.pause.Wait(ctx, flow.Pause(err)) {
			return context.Cause(ctx)
		}
	}
	r.s.count.accepted.Add(1)
	r.pause.Reset()
	if r.failing {
		r.failing = false
		r.s.log.Info("handing on events works again")
	}
	return nil
}

// save tells, once, that a position cannot be stored. It reports whether it could.
func (r *reader) save(err error) bool {
	if err == nil {
		if r.unsaved != "" {
			r.unsaved = ""
			r.s.log.Info("positions can be stored again", "trackerDir", r.pos.dir)
		}
		return true
	}
	r.s.count.otherFail.Add(1)
	if text := err.Error(); r.unsaved != text {
		r.unsaved = text
		r.s.log.Error("the position cannot be stored; if the agent ends now, events will come again. Make room, or correct the permissions of the directory",
			"trackerDir", r.pos.dir, "error", err)
	}
	return false
}
