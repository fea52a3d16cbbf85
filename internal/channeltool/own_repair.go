package channeltool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/wal"
)

// repairBatch is how many events are looked at together.
const repairBatch = 1000

var errNoCheckpoint = errors.New("the log's checkpoint directory is not known, and the log may only be changed together with it; name it with --checkpoint, or the agent's configuration with --conf-file")

// Repair implements Queue. It opens the log as an agent does, reads all staged events, and closes it: what is damaged
// is copied to the quarantine and counts as gone from then on. Events that valid rejects are copied there
// as well, as lines of JSON, and are then acknowledged.
func (q *ownQueue) Repair(ctx context.Context, valid Validator) (_ *Repaired, err error) {
	if q.place.Checkpoint == "" {
		return nil, errNoCheckpoint
	}
	if who, _ := user(q.dirs()); who != "" {
		return nil, fmt.Errorf("the channel is open in %s: stop that agent first", who)
	}
	before, err := wal.Inspect(q.options())
	if err != nil {
		return nil, err
	}
	r := &Repaired{}
	opts := q.options()
	opts.NoLock = false
	for _, s := range before.Segments {
		opts.Cipher.Active = s.KeyAlias // of the last: what is encrypted stays so
	}
	opts.Hooks.Damaged = func(d wal.Damage) {
		r.Corrupt++
		line := damageOf(d, "skipped").String()
		if d.Copy != "" {
			line += "; copied to " + d.Copy
		}
		r.Details = append(r.Details, line)
	}
	log, err := wal.Open(opts)
	if err != nil {
		return nil, fmt.Errorf("opening the log for repair: %w", err)
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	rejected := &rejects{dir: filepath.Join(q.place.Data[0], "quarantine")}
	defer func() { err = errors.Join(err, rejected.close()) }()
	if err := examine(ctx, log, valid, rejected, r); err != nil {
		return nil, err
	}
	r.Records = r.Puts + r.Corrupt
	if rejected.path != "" {
		clear := ""
		if opts.Cipher.Active != "" {
			clear = " (there they are not encrypted)"
		}
		r.Details = append(r.Details, fmt.Sprintf("%s that the validator rejected moved to %s%s", plural(r.Invalid, "event"), rejected.path, clear))
	}
	return r, nil
}

// examine asks the validator about all staged events.
func examine(ctx context.Context, log *wal.Log, valid Validator, rejected *rejects, r *Repaired) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		e, ok, err := log.TryRead(repairBatch)
		if err != nil || !ok {
			return err
		}
		err = examineBatch(log, e, valid, rejected, r)
		e.Batch.Release()
		if err != nil {
			return err
		}
	}
}

func examineBatch(log *wal.Log, e wal.Entry, valid Validator, rejected *rejects, r *Repaired) error {
	var gone []wal.Range
	for i := range e.Batch.Events() {
		r.Puts++
		if valid(e.Batch.At(i)) {
			r.Valid++
			continue
		}
		r.Invalid++
		if err := rejected.add(e.Batch.At(i)); err != nil {
			return err
		}
		n := e.Events.From + uint64(i)
		gone = append(gone, wal.Range{From: n, To: n + 1})
	}
	if len(gone) == 0 {
		return nil
	}
	// The copy is safe before the original goes.
	if err := rejected.sync(); err != nil {
		return err
	}
	return log.Ack(gone...)
}

// rejects is the file of rejected events. It is made with the first.
type rejects struct {
	dir  string
	path string
	file *os.File
	enc  *jsonEncoder
}

func (w *rejects) add(e *event.Event) error {
	if w.file == nil {
		if err := w.open(); err != nil {
			return fmt.Errorf("keeping a copy of a rejected event: %w", err)
		}
	}
	return w.enc.event(e)
}

func (w *rejects) open() error {
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return err
	}
	name := "rejected-" + time.Now().UTC().Format("20060102T150405.000") + ".jsonl"
	f, err := os.OpenFile(filepath.Join(w.dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	w.file, w.path, w.enc = f, f.Name(), newJSONEncoder(f)
	return nil
}

func (w *rejects) sync() error {
	if err := w.enc.Flush(); err != nil {
		return fmt.Errorf("writing %s: %w", w.path, err)
	}
	return w.file.Sync()
}

func (w *rejects) close() error {
	if w.file == nil {
		return nil
	}
	return w.file.Close()
}
