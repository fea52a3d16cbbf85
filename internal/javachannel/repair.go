package javachannel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/vfs"
)

// RepairReport says what Repair found and did.
type RepairReport struct {
	Logs    int
	Records int // of all kinds; damaged ones count as one each
	Puts    int // events examined
	Valid   int // of these
	Invalid int // of these, and disabled
	Corrupt int // damaged places, disabled

	Disabled []Damage // the first of the invalid and the corrupt
	Backups  []string // copies of changed logs, made before the change
}

func (r *RepairReport) disabled(d Damage) {
	if len(r.Disabled) < maxDamages {
		r.Disabled = append(r.Disabled, d)
	}
}

// Repair does what Flume's file channel integrity tool does: it goes through all logs of the data directories,
// and disables damaged records and the events that validate rejects, so that Flume starts on the
// directories and skips those. nil accepts all events. An event is valid during the call only.
//
// Disabling overwrites the operation byte of a record. Where a record's length cannot be trusted it is
// overwritten as well, so that it leads to the next good record. Each log is copied to a name
// ending in .bak, .bak.2 and so on before its first change. Checkpoints stay as they are: Flume, and Open,
// skip staged events that are disabled.
//
// It fails for directories that are missing or in use by a running Flume, for logs of version 2, whose records
// cannot be disabled, and for encrypted logs without a key. What was disabled until then stays so.
func Repair(ctx context.Context, opts Options, validate func(*event.Event) bool) (report RepairReport, err error) {
	opts = opts.withDefaults()
	fail := func(err error) error { return fmt.Errorf("repairing logs of Flume's file channel: %w", err) }
	opts.Lock, opts.InUse, opts.Held = true, false, false
	opts.CheckpointDir, opts.BackupDir = "", "" // not needed, and perhaps not known
	locks, _, err := guard(opts)
	if err != nil {
		return report, fail(err)
	}
	defer func() { err = errors.Join(err, locks.Close()) }()
	logs, err := listLogs(opts.FS, opts.DataDirs)
	if err != nil {
		return report, fail(err)
	}
	for _, l := range logs {
		if l.meta.version == version2 {
			return report, fail(fmt.Errorf("log %s is of version 2, whose records cannot be disabled; nothing was changed", l.name))
		}
	}
	scan := &scanner{files: files{fs: opts.FS}, keyOf: opts.Key, report: new(Report)}
	defer scan.files.close()
	for _, l := range logs {
		r := repairer{scan: scan, fs: opts.FS, log: l, validate: validate, report: &report}
		report.Logs++
		if err := r.run(ctx); err != nil {
			return report, fail(err)
		}
	}
	return report, nil
}

// repairer repairs one log.
type repairer struct {
	scan     *scanner
	fs       vfs.FS
	log      *logFile
	validate func(*event.Event) bool
	report   *RepairReport
	out      vfs.File // once something has been changed
}

func (r *repairer) run(ctx context.Context) (err error) {
	defer func() {
		if r.out != nil {
			err = errors.Join(err, r.out.Sync(), r.out.Close())
		}
	}()
	for off := int64(0); ; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		st, err := r.scan.at(r.log, off)
		if err != nil || st.what == stepEnd {
			return err
		}
		switch st.what {
		case stepNoop:
			off = st.next
			continue
		case stepRecord:
			err = r.examine(off, &st)
			off = st.next
		case stepBad:
			off, err = r.disableBad(off, st)
		}
		if err != nil || off == 0 {
			return err
		}
	}
}

// examine asks the validator about an event.
func (r *repairer) examine(off int64, st *step) error {
	r.report.Records++
	if st.rec.kind != kindPut {
		return nil
	}
	r.report.Puts++
	valid, err := r.valid(st.rec.event)
	if err != nil {
		return err
	}
	if valid {
		r.report.Valid++
		return nil
	}
	r.report.Invalid++
	return r.disable(Damage{File: r.log.name, Offset: off, Length: st.next - off, Reason: "the validator rejected the event"}, 0)
}

func (r *repairer) valid(encoded []byte) (bool, error) {
	if r.validate == nil {
		return true, nil
	}
	b := event.NewBatch()
	defer b.Release()
	if err := appendEvent(b, encoded); err != nil {
		return false, err
	}
	return r.validate(b.At(0)), nil
}

// disableBad disables something damaged and returns where the log goes on, 0 if it does not.
func (r *repairer) disableBad(off int64, st step) (int64, error) {
	resume, err := r.scan.recover(r.log, off, st)
	if err != nil {
		return 0, err
	}
	end := resume
	if resume == 0 {
		// Flume takes what is no record, or no whole frame of one, for the end of the log by itself.
		op, err := r.operation(off)
		if err != nil || op != opRecord || off+frameSize > r.log.size {
			return 0, err
		}
		end = r.log.size
	}
	damage := Damage{File: r.log.name, Offset: off, Length: end - off, Reason: st.why.Error()}
	keep, err := r.lengthLeadsTo(resume, st)
	if err != nil {
		return 0, err
	}
	length := damage.Length
	if keep {
		length = 0
	}
	r.report.Records++
	r.report.Corrupt++
	return resume, r.disable(damage, length)
}

// lengthLeadsTo says whether a damaged record's own length leads to where the log goes on, or to its end.
func (r *repairer) lengthLeadsTo(resume int64, st step) (bool, error) {
	if !st.own || resume > 0 {
		return st.own && resume == st.next, nil
	}
	after, err := r.scan.at(r.log, st.next)
	return after.what == stepEnd, err
}

func (r *repairer) operation(off int64) (byte, error) {
	f, err := r.scan.files.get(r.log.name)
	if err != nil {
		return 0, fmt.Errorf("opening log: %w", err)
	}
	b, err := f.read(off, 1)
	if err != nil || len(b) == 0 {
		return opEnd, errorIn(r.log, err)
	}
	return b[0], nil
}

// disable overwrites the operation byte and, if length is above 0, the record's length so that the whole, frame
// included, takes length bytes.
func (r *repairer) disable(d Damage, length int64) error {
	frame := []byte{opNoop}
	if length > 0 {
		if length < frameSize || length-frameSize > math.MaxInt32 {
			return fmt.Errorf("log %s: %d damaged bytes at %d cannot be made a record; move the log away and lose its events", r.log.name, length, d.Offset)
		}
		frame = binary.BigEndian.AppendUint32(frame, uint32(length-frameSize))
	}
	if err := r.open(); err != nil {
		return err
	}
	if _, err := r.out.WriteAt(frame, d.Offset); err != nil {
		return fmt.Errorf("disabling a record of log %s at %d: %w", r.log.name, d.Offset, err)
	}
	r.report.disabled(d)
	return nil
}

// open copies the log and opens it for writing, once.
func (r *repairer) open() error {
	if r.out != nil {
		return nil
	}
	backup, err := copyFile(r.fs, r.log.name)
	if err != nil {
		return fmt.Errorf("backing up log %s: %w", r.log.name, err)
	}
	r.report.Backups = append(r.report.Backups, backup)
	r.out, err = r.fs.OpenFile(r.log.name, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("opening log for repair: %w", err)
	}
	return nil
}

// copyFile copies a file to the first of its backup names that is free, durably.
func copyFile(fsys vfs.FS, name string) (backup string, err error) {
	in, err := fsys.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return "", err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return "", err
	}
	backup = name + ".bak"
	out, err := fsys.OpenFile(backup, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	for n := 2; errors.Is(err, fs.ErrExist); n++ {
		backup = name + ".bak." + strconv.Itoa(n)
		out, err = fsys.OpenFile(backup, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	}
	if err != nil {
		return "", err
	}
	if _, err = io.Copy(out, in); err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return "", err
	}
	return backup, fsys.SyncDir(filepath.Dir(name))
}
