package fileroll

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
)

// output is one file being written. Its content up to good belongs to batches
// that were delivered, and to the file's own head; what is behind is the batch
// being written or what is left of one that failed.
type output struct {
	name string
	file vfs.File
	enc  flow.Encoder

	head   int64 // length of what the encoder wrote before any event
	good   int64
	end    int64 // where the next byte goes
	dirty  bool  // there may be bytes behind good
	ahead  int64 // where the space that was reserved behind the file ends; 0 if none was
	unable bool  // no more is to be had
	lost   bool  // not even what is before good is sure to be on the disk, or the encoder cannot go on
}

// aheadSize is how much space is reserved at once behind the end of a file that has as
// much already: [vfs.ReserveBehind] takes a fifth off what a file costs that is copied at
// full speed. More at once saves nothing more.
const aheadSize = 8 << 20

// maxNames bounds the search for a name that is free.
const maxNames = 100_000

// create makes the next file. A name that is taken is passed over: no file of an
// earlier run, or of anybody else, is ever overwritten.
func (s *sink) create() (*output, error) {
	for range maxNames {
		name := filepath.Join(s.cfg.Directory, s.names.next(time.Now()))
		file, err := s.fs.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, filePerm)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, s.createError(err)
		}
		o := &output{name: name, file: file}
		if err := s.begin(o); err != nil {
			// The file was made a moment ago and holds no event.
			return nil, errors.Join(fmt.Errorf("starting file %s: %w", name, err), file.Close(), s.fs.Remove(name))
		}
		return o, nil
	}
	return nil, fmt.Errorf("%d names for a new file are taken in %s (sink.directory): clear it, or set sink.pathManager.prefix",
		maxNames, s.cfg.Directory)
}

func (s *sink) createError(err error) error {
	remedy := "make it writable for the agent's user"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		remedy = "create it, or set sink.createDirectory = true"
	case vfs.IsNoSpace(err):
		remedy = "make room on its volume"
	}
	return fmt.Errorf("creating a file in directory %s (sink.directory): %w: %s", s.cfg.Directory, err, remedy)
}

func (s *sink) begin(o *output) error {
	if s.cfg.Fsync == fsyncBatch {
		if err := s.fs.SyncDir(filepath.Dir(o.name)); err != nil {
			return err
		}
	}
	enc, err := s.encoding.NewEncoder(o, false)
	if err != nil {
		return err
	}
	o.enc = enc
	o.head, o.good = o.end, o.end
	return nil
}

// empty reports whether the file has no events.
func (o *output) empty() bool { return o.good == o.head }

// Write implements [io.Writer] for the encoder. The file's own position is not
// used: after an error there is none to repair.
func (o *output) Write(p []byte) (int, error) {
	o.reserve(int64(len(p)))
	n, err := o.file.WriteAt(p, o.end)
	o.end += int64(n)
	return n, err
}

// Writev writes several slices in one call; see [vfs.GatherWriter].
func (o *output) Writev(bufs [][]byte) (int64, error) {
	n := 0
	for _, b := range bufs {
		n += len(b)
	}
	o.reserve(int64(n))
	done, err := vfs.WritevAt(o.file, bufs, o.end)
	o.end += done
	return done, err
}

// reserve sees that there is space behind the end of a large file before n bytes are
// written. The write does without if there is none to be had, and tells why if it matters.
func (o *output) reserve(n int64) {
	if o.unable || o.end < aheadSize || o.end+n <= o.ahead {
		return
	}
	from := max(o.end, o.ahead)
	to := o.end + n + aheadSize
	err := vfs.ReserveBehind(o.file, from, to-from)
	o.unable = err != nil
	if !errors.Is(err, errors.ErrUnsupported) {
		o.ahead = to // of which an error may have left a part
	}
}

// giveBack frees the space that is reserved behind the end.
func (o *output) giveBack() error {
	if o.ahead <= o.end {
		return nil
	}
	o.ahead = 0
	if err := o.file.Truncate(o.end); err != nil {
		return fmt.Errorf("giving back the space reserved behind the end of %s: %w", o.name, err)
	}
	return nil
}

// deliver writes all of b; after an error it leaves none of it.
func (o *output) deliver(b *event.Batch, sync bool) error {
	if err := o.cutBack(); err != nil {
		return err
	}
	if o.lost {
		return fmt.Errorf("writing to %s: it was cut back to its last complete batch and its serializer cannot go on; the next try starts another file", o.name)
	}
	err := o.encode(b)
	if err == nil && sync {
		if err = vfs.SyncData(o.file); err != nil {
			// The disk may have dropped any of it, and a later sync would
			// not tell: this batch goes to another file.
			o.lost = true
			err = fmt.Errorf("syncing %s: %w", o.name, err)
		}
	}
	if err != nil {
		return errors.Join(err, o.cutBack())
	}
	o.good, o.dirty = o.end, false
	return nil
}

func (o *output) encode(b *event.Batch) error {
	o.dirty = true
	if err := o.enc.Encode(b); err != nil {
		if o.end == o.good && flow.ClassOf(err) == flow.ClassReject {
			o.dirty = false // refused before anything was written
			return err
		}
		return fmt.Errorf("writing to %s: %w%s", o.name, err, remedyOf(err))
	}
	if err := o.enc.Flush(); err != nil {
		return fmt.Errorf("writing to %s: %w%s", o.name, err, remedyOf(err))
	}
	return nil
}

func remedyOf(err error) string {
	if vfs.IsNoSpace(err) {
		return ": make room on the volume of sink.directory"
	}
	return ""
}

// cutBack removes what is behind good. If that fails, it is tried again before
// the next write and at the end.
func (o *output) cutBack() error {
	if !o.dirty {
		return nil
	}
	if err := o.file.Truncate(o.good); err != nil {
		return fmt.Errorf("cutting %s back to its last complete batch: %w", o.name, err)
	}
	if r, ok := o.enc.(flow.Rewinder); ok {
		r.Rewind()
	} else {
		o.lost = true
	}
	o.end, o.ahead, o.dirty = o.good, 0, false
	return nil
}

// close writes the file's end and closes it, in any case.
func (o *output) close(sync bool) error {
	err := o.cutBack()
	if err == nil && !o.lost {
		err = o.enc.Close()
		o.good = o.end
	}
	if err == nil {
		err = o.giveBack()
	}
	if err == nil && sync && !o.lost {
		err = o.file.Sync()
	}
	return errors.Join(err, o.file.Close())
}
