package channeltool

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/wal"
)

// ownQueue is the log of this program.
type ownQueue struct {
	place   Place
	guessed bool // the checkpoint's directory was found, not named
}

func newOwnQueue(p Place) *ownQueue {
	q := &ownQueue{place: p}
	if p.Checkpoint != "" {
		return q
	}
	// A checkpoint of another log, or one that says nothing, is not taken for this log's.
	q.place.Checkpoint = p.guess(func(c contents) bool { return c.walCheckpoint })
	if q.place.Checkpoint != "" {
		r, err := wal.Inspect(q.options())
		q.guessed = err == nil && r.Checkpoint.Problem == ""
		if !q.guessed {
			q.place.Checkpoint = ""
		}
	}
	return q
}

// Layout implements Queue.
func (q *ownQueue) Layout() Layout { return LayoutWAL }

// options are for looking only: without locks, which would keep an agent from starting meanwhile.
func (q *ownQueue) options() wal.Options {
	o := wal.Options{
		Dirs: q.place.Data, CheckpointDir: q.place.Checkpoint, NoLock: true,
		Cipher: &wal.Cipher{Key: q.place.key},
	}
	if o.CheckpointDir == "" {
		o.CheckpointDir = q.place.Data[0] // where there is none
	}
	return o
}

func (q *ownQueue) dirs() []string {
	dirs := slices.Clone(q.place.Data)
	if q.place.Checkpoint != "" {
		dirs = append(dirs, q.place.Checkpoint)
	}
	return dirs
}

func (q *ownQueue) subject() Subject {
	s := Subject{Channel: q.place.Name, Layout: LayoutWAL, Data: q.place.Data, Checkpoint: q.place.Checkpoint}
	dirs := q.dirs()
	if s.InUse, _ = user(dirs); s.InUse != "" {
		return s
	}
	held, told := locked(dirs)
	if held {
		s.InUse = "another process"
	}
	s.NotInUse = told && !held
	return s
}

// Inspect implements Queue.
func (q *ownQueue) Inspect(context.Context) (*Report, error) {
	r := &Report{Subject: q.subject(), Files: []File{}}
	found, err := wal.Inspect(q.options())
	if err != nil {
		return nil, err
	}
	r.Events, r.Bytes, r.Oldest = found.Events, found.Bytes, some(found.Oldest)
	r.CheckpointFile = q.checkpoint(found, r.InUse != "")
	r.Disks = disks(q.place.Data)
	for _, s := range found.Segments {
		if q.place.Key == nil {
			s.KeyProblem = "" // nothing is known of the key
		}
		r.addSegment(s)
	}
	if len(r.Keys) > 0 && q.place.Key == nil {
		r.Notes = append(r.Notes, "whether the events can be decrypted was not tried: "+ErrNoKey.Error())
	}
	for _, path := range found.Prepared {
		r.FreeFiles++
		f := File{Path: path, State: string(wal.SegmentFree)}
		if info := stat(path); info != nil {
			f.Size = info.Size()
		}
		r.Files = append(r.Files, f)
	}
	for _, f := range found.Quarantine {
		r.Quarantine = append(r.Quarantine, Quarantined{Path: f.Path, Size: f.Size, Time: f.Time})
	}
	for _, d := range found.Damage {
		if !slices.Contains(found.Unreadable, d.Segment) {
			r.Damage = append(r.Damage, damageOf(d, "is damaged"))
		}
	}
	r.Damage = append(r.Damage, lost(found.Unreadable, found.Missing, q.place.Data)...)
	r.DamageCount, r.MissingFiles = len(r.Damage), len(found.Missing)
	if len(found.Missing) > 0 {
		r.Notes = append(r.Notes, missingRemedy)
	}
	return r, nil
}

const missingRemedy = "files are missing: if the channel has more data directories, name them all; if a disk is not mounted, mount it"

// addSegment enters a segment in the report.
func (r *Report) addSegment(s wal.SegmentReport) {
	f := File{
		Path: s.Path, State: string(s.State), Generation: s.Generation, Size: s.Size, Used: s.End,
		Events: s.Numbers.Len(), Staged: s.Events, Since: some(s.Since), Key: s.KeyAlias,
	}
	if info := stat(s.Path); info != nil {
		f.Modified = some(info.ModTime())
	}
	r.Files = append(r.Files, f)
	if s.State == wal.SegmentFree {
		r.FreeFiles++
		return
	}
	// Of a segment that is partly delivered only the share of its bytes is known.
	r.Estimated = r.Estimated || s.Events > 0 && uint64(s.Events) < s.Numbers.Len()
	if m := f.Modified; m != nil && (r.LastWrite == nil || m.After(*r.LastWrite)) {
		r.LastWrite = m
	}
	if s.KeyAlias == "" {
		return
	}
	i := slices.IndexFunc(r.Keys, func(k Key) bool { return k.Alias == s.KeyAlias })
	if i < 0 {
		i = len(r.Keys)
		r.Keys = append(r.Keys, Key{Alias: s.KeyAlias})
	}
	k := &r.Keys[i]
	k.Files++
	k.Events += s.Events
	if k.Problem == "" {
		k.Problem = s.KeyProblem
	}
}

func (q *ownQueue) checkpoint(found *wal.Report, inUse bool) Checkpoint {
	c := found.Checkpoint
	if q.place.Checkpoint == "" {
		return Checkpoint{State: "not looked at; name its directory with --checkpoint"}
	}
	out := Checkpoint{Path: c.Path, Time: some(c.Time), Size: c.Size, Problem: c.Problem}
	switch {
	case c.Problem != "":
		out.State = "not usable: " + c.Problem + "; the agent starts without it and makes a new one"
	case c.Time.IsZero() && len(found.Segments) > 0:
		out.State = "missing; the agent starts without it and makes a new one"
	case c.Time.IsZero():
		out.State = "none yet"
	case c.Closed:
		out.State = "good; the channel was closed in order"
	case c.Used && inUse:
		out.State = "good"
	case c.Used:
		out.State = "good; the channel was not closed since, as after a crash"
	default:
		out.State = "good; written before the last file was begun, from which the agent will start"
	}
	return out
}

// damageOf describes damage of the log.
func damageOf(d wal.Damage, what string) Damage {
	if d.From == 0 {
		what = "one of the two copies of the header is damaged; the other one serves"
	}
	return Damage{File: d.Segment, Offset: d.From, Length: d.To - d.From, What: what}
}

// known says that an agent has met the damage before, and where it put the copy.
func known(s wal.SegmentReport, d wal.Damage) string {
	name := fmt.Sprintf("%s-generation-%d-offset-%d.bad", strings.TrimSuffix(filepath.Base(s.Path), ".wal"), s.Generation, d.From)
	path := filepath.Join(filepath.Dir(s.Path), "quarantine", name)
	if stat(path) == nil {
		return ""
	}
	return "; known and passed over since, a copy is in " + path
}

// lost describes files whose events are lost.
func lost(unreadable []string, missing []wal.MissingSegment, dirs []string) []Damage {
	var out []Damage
	for _, path := range unreadable {
		d := Damage{File: path, What: "both copies of the header are damaged; what is in the file cannot be read"}
		if info := stat(path); info != nil {
			d.Length = info.Size()
		}
		out = append(out, d)
	}
	for _, m := range missing {
		events := Count(int64(m.Events)) + " staged events were in it"
		if m.Writing {
			events += ", and perhaps more"
		}
		d := Damage{File: filepath.Join(dirs[0], m.Name), What: "the file is missing; " + events}
		if len(dirs) > 1 {
			d.File = m.Name
		}
		if m.Present {
			d.What = "the file is damaged or was used for something else; " + events
		}
		out = append(out, d)
	}
	return out
}

// Verify implements Queue.
func (q *ownQueue) Verify(ctx context.Context) (*Verification, error) {
	v := &Verification{Subject: q.subject(), Damage: []Damage{}}
	found, err := wal.Verify(ctx, q.options())
	if err != nil {
		return nil, err
	}
	for i := range found.Segments {
		s := &found.Segments[i]
		v.Files++
		v.Bytes += s.Size
		v.Records += s.Records
		v.Events += s.Stored
		v.Unopened += s.Unopened
		if s.HeaderBad {
			v.damaged(damageOf(wal.Damage{Segment: s.Path, To: 512}, ""))
		}
		what := "a record is damaged; its events are lost"
		if s.State == wal.SegmentFree {
			what = "a record is damaged; no events are lost, all of the file's were delivered"
		}
		for _, d := range s.Damage {
			v.damaged(damageOf(d, what+known(s.SegmentReport, d)))
		}
		if q.place.Key != nil && s.KeyProblem != "" && s.Events > 0 && !slices.Contains(v.Problems, s.KeyProblem) {
			v.Problems = append(v.Problems, s.KeyProblem)
		}
	}
	for _, d := range lost(found.Unreadable, found.Missing, q.place.Data) {
		v.damaged(d)
	}
	if len(found.Missing) > 0 {
		v.Notes = append(v.Notes, missingRemedy)
	}
	if v.Unopened > 0 && q.place.Key == nil {
		v.Notes = append(v.Notes, fmt.Sprintf("%s records are encrypted and were not decrypted: their checksums were verified; %v", Count(int64(v.Unopened)), ErrNoKey))
	}
	if q.place.Checkpoint == "" {
		v.Notes = append(v.Notes, "the checkpoint was not looked at: without it, damage of the very last record cannot be told from the end; name its directory with --checkpoint")
	}
	return v, nil
}

// Export implements Queue.
func (q *ownQueue) Export(ctx context.Context, damaged func(Damage), f func(*event.Batch) error) error {
	opts := q.options()
	opts.Hooks.Damaged = func(d wal.Damage) {
		switch info := stat(d.Segment); {
		case d.From == 0 && info != nil && d.To == info.Size():
			damaged(Damage{File: d.Segment, Length: d.To, What: "both copies of the header are damaged; its events are passed over"})
		default:
			damaged(damageOf(d, "a record is damaged; its events are passed over"))
		}
	}
	report, err := wal.Inspect(opts)
	if err != nil {
		return err
	}
	for _, d := range lost(nil, report.Missing, q.place.Data) {
		damaged(d)
	}
	return wal.Export(ctx, opts, func(e wal.Entry) error { return f(e.Batch) })
}
