package channeltool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/javachannel"
)

// javaQueue is the directories of Apache Flume's own file channel.
type javaQueue struct{ place Place }

func newJavaQueue(p Place) *javaQueue {
	if p.Checkpoint == "" {
		p.Checkpoint = p.guess(func(c contents) bool { return c.javaCheckpoint })
	}
	return &javaQueue{place: p}
}

// Layout implements Queue.
func (q *javaQueue) Layout() Layout { return LayoutJava }

// options are for looking only.
func (q *javaQueue) options() javachannel.Options {
	o := javachannel.Options{
		CheckpointDir: q.place.Checkpoint, BackupDir: q.place.Backup, DataDirs: q.place.Data,
		Key: q.place.key, InUse: true, Log: slog.New(slog.DiscardHandler),
	}
	if o.CheckpointDir == "" {
		o.CheckpointDir = q.place.Data[0] // where there is none
	}
	return o
}

func (q *javaQueue) subject() Subject {
	dirs := slices.Clone(q.place.Data)
	if q.place.Checkpoint != "" {
		dirs = append(dirs, q.place.Checkpoint)
	}
	s := Subject{Channel: q.place.Name, Layout: LayoutJava, Data: q.place.Data, Checkpoint: q.place.Checkpoint}
	var told bool
	s.InUse, told = user(dirs)
	// Apache Flume does not keep its lock, and who has a file open shows to the same user and to root only.
	s.NotInUse = s.InUse == "" && told && os.Geteuid() <= 0
	if s.Checkpoint == "" {
		s.Notes = append(s.Notes, "there is no checkpoint beside the logs: events that were delivered already may be among those found; name its directory with --checkpoint")
	}
	return s
}

// Inspect implements Queue. It is the dry run of taking the directories over: all staged events are read.
func (q *javaQueue) Inspect(ctx context.Context) (_ *Report, err error) {
	r := &Report{Subject: q.subject(), Files: []File{}}
	d, err := javachannel.Open(ctx, q.options())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := d.Check(ctx); err != nil {
		return nil, err
	}
	found := d.Report()
	r.tellUse(&found)
	r.Events, r.Bytes = found.Delivered+found.Lost, found.DeliveredBytes // without those that were disabled
	r.Java = &JavaDetails{
		Versions: found.Versions, Source: string(found.Source), Problems: found.Problems,
		UncommittedPuts: found.UncommittedPuts, ReturnedTakes: found.ReturnedTakes, OpenTakes: found.OpenTakes,
		PendingTakes: found.PendingTakes, Disabled: found.Noops, Lost: found.Lost,
	}
	for _, alias := range found.Aliases {
		r.Keys = append(r.Keys, Key{Alias: alias})
	}
	r.Damage = javaDamages(&found)
	r.DamageCount = found.CorruptCount + found.TornCount
	r.CheckpointFile = q.checkpoint(&found)
	r.Disks = disks(q.place.Data)
	return r, q.files(r)
}

// tellUse says that somebody has the directories open, where the search for the process found nobody.
func (s *Subject) tellUse(r *javachannel.Report) {
	if s.InUse == "" && len(r.InUse) > 0 {
		s.InUse, s.NotInUse = "another process", false
	}
}

func (q *javaQueue) checkpoint(r *javachannel.Report) Checkpoint {
	if q.place.Checkpoint == "" {
		return Checkpoint{State: "not looked at; name its directory with --checkpoint"}
	}
	c := Checkpoint{Path: filepath.Join(q.place.Checkpoint, "checkpoint"), State: "good"}
	if info := stat(c.Path); info != nil {
		c.Time, c.Size = some(info.ModTime()), info.Size()
	}
	if len(r.Problems) > 0 {
		c.Problem = r.Problems[0]
		c.State = "not usable"
	}
	switch r.Source {
	case javachannel.FromBackup:
		c.State += "; its backup was used"
	case javachannel.FromLogs:
		c.State += "; all logs were read instead, events that were delivered already may be among those found"
	case javachannel.FromCheckpoint:
	}
	return c
}

// files lists the logs.
func (q *javaQueue) files(r *Report) error {
	for _, dir := range q.place.Data {
		c, err := look(dir)
		if err != nil {
			return q.place.explain(dir, err)
		}
		for _, name := range c.names {
			if !javaLog.MatchString(name) {
				continue
			}
			f := File{Path: filepath.Join(dir, name)}
			if info := stat(f.Path); info != nil {
				f.Size, f.Modified = info.Size(), some(info.ModTime())
			}
			if f.Modified != nil && (r.LastWrite == nil || f.Modified.After(*r.LastWrite)) {
				r.LastWrite = f.Modified
			}
			r.Files = append(r.Files, f)
		}
	}
	return nil
}

// javaDamages lists what is damaged, the torn ends of logs last.
func javaDamages(r *javachannel.Report) []Damage {
	var out []Damage
	for _, d := range r.Corrupt {
		out = append(out, Damage{File: d.File, Offset: d.Offset, Length: d.Length, What: d.Reason})
	}
	for _, d := range r.Torn {
		out = append(out, tornDamage(d))
	}
	return out
}

func tornDamage(d javachannel.Damage) Damage {
	return Damage{File: d.File, Offset: d.Offset, Length: d.Length,
		What: d.Reason + "; the log ends in a record that a crash cut off: nothing that was accepted is lost, but Apache Flume does not start on it until the tool fcintegritytool has run"}
}

// Verify implements Queue. It reads the staged events, then all logs from their beginnings.
func (q *javaQueue) Verify(ctx context.Context) (*Verification, error) {
	v := &Verification{Subject: q.subject(), Damage: []Damage{}}
	staged, err := q.scan(ctx, q.options(), true)
	if err != nil {
		return nil, err
	}
	v.tellUse(&staged)
	v.Files, v.Bytes, v.Events = staged.Logs, staged.LogBytes, staged.Delivered
	v.DamageCount = staged.CorruptCount + staged.TornCount
	v.Damage = append(v.Damage, javaDamages(&staged)...)
	v.Problems = append(v.Problems, staged.Problems...)

	whole := q.options()
	whole.CheckpointDir, whole.BackupDir = q.place.Data[0], ""
	all, err := q.scan(ctx, whole, false)
	if err != nil {
		return nil, fmt.Errorf("the %s staged events were read; reading the logs from their beginnings: %w", Count(int64(staged.Events)), err)
	}
	for _, d := range javaDamages(&all) {
		if !slices.ContainsFunc(v.Damage, func(o Damage) bool { return o.File == d.File && o.Offset == d.Offset }) {
			v.damaged(d)
		}
	}
	return v, nil
}

func (q *javaQueue) scan(ctx context.Context, opts javachannel.Options, events bool) (_ javachannel.Report, err error) {
	d, err := javachannel.Open(ctx, opts)
	if err != nil {
		return javachannel.Report{}, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if events {
		err = d.Check(ctx)
	}
	return d.Report(), err
}

// Export implements Queue.
func (q *javaQueue) Export(ctx context.Context, damaged func(Damage), f func(*event.Batch) error) (err error) {
	d, err := javachannel.Open(ctx, q.options())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	before := d.Report()
	for _, p := range before.Problems {
		damaged(Damage{File: q.place.Checkpoint, What: "a checkpoint cannot be used, events that were delivered already may be among those exported: " + p})
	}
	err = d.Read(ctx, f)
	after := d.Report()
	for _, d := range after.Corrupt {
		damaged(Damage{File: d.File, Offset: d.Offset, Length: d.Length, What: d.Reason + "; passed over"})
	}
	if more := after.CorruptCount - len(after.Corrupt); more > 0 {
		damaged(Damage{File: q.place.Data[0], What: fmt.Sprintf("and %s more", Count(int64(more)))})
	}
	return err
}

// Repair implements Queue. It does in each directory what Apache Flume's tool does.
func (q *javaQueue) Repair(ctx context.Context, valid Validator) (*Repaired, error) {
	total := &Repaired{}
	for _, dir := range q.place.Data {
		opts := javachannel.Options{DataDirs: []string{dir}, Key: q.place.key, Lock: true, Log: slog.New(slog.DiscardHandler)}
		r, err := javachannel.Repair(ctx, opts, valid)
		total.Add(repairedJava(&r))
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

func repairedJava(r *javachannel.RepairReport) *Repaired {
	out := &Repaired{Records: r.Records, Puts: r.Puts, Valid: r.Valid, Invalid: r.Invalid, Corrupt: r.Corrupt}
	for _, d := range r.Disabled {
		out.Details = append(out.Details, d.String()+": disabled")
	}
	if more := r.Invalid + r.Corrupt - len(r.Disabled); more > 0 {
		out.Details = append(out.Details, fmt.Sprintf("and %s more were disabled", Count(int64(more))))
	}
	for _, b := range r.Backups {
		out.Details = append(out.Details, "a copy of the log as it was: "+b)
	}
	return out
}
