package wal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/flume-go/flume/internal/invariants"
	"github.com/flume-go/flume/internal/vfs"
)

// TestDamageLong damages a sample log at each place of each of its files in turn. WAL_DAMAGE is the size of
// the sample in bytes; without it a small one is damaged at all fields of headers and at a sample of the other
// places. WAL_DAMAGE_PART=i/n takes every n-th place from the i-th on (from 0), so that n processes share the work.
//
// Of each state all that can be read without writing is read (recovery up to where it would begin to write, and all
// stored events), which needs no copy of the log: every event must be there unless the touched record held it, each
// is compared byte by byte, and the damage that is told must be the place. Every 16th state is also opened for
// writing in a copy: the same events must be read, and a fresh one appended and read. Sealed logs take 16 times as
// long for a byte, so that the long form damages every 16th place of them.
func TestDamageLong(t *testing.T) {
	d := &damaging{t: t, size: 64 << 10, parts: 1, stride: 397 * stride()}
	if v := os.Getenv("WAL_DAMAGE"); v != "" {
		d.size, d.stride, d.long = int64(number(t, v)), 1, true
		if d.size < 4*minSegmentSize {
			t.Fatalf("WAL_DAMAGE=%s: a sample has at least %d bytes", v, 4*minSegmentSize)
		}
	}
	part := os.Getenv("WAL_DAMAGE_PART")
	if part == "" {
		part = "0/1"
	}
	if n, err := fmt.Sscanf(part, "%d/%d", &d.part, &d.parts); n != 2 || err != nil || d.parts < 1 || d.part < 0 || d.part >= d.parts {
		t.Fatalf("WAL_DAMAGE_PART=%s is not i/n with i from 0 to n-1", part)
	}
	for _, form := range []string{"clear", "sealed"} {
		for _, closed := range []bool{true, false} {
			s := newDamageSample(t, forms[form], d.size, closed)
			s.name = fmt.Sprintf("%s, closed %v", form, closed)
			d.every = d.stride
			if form == "sealed" && d.long {
				d.every = 16
			}
			for _, path := range append(slices.Clone(s.paths), checkpointPath) {
				d.flips(s, path)
				d.truncations(s, path)
			}
			d.others(s)
		}
	}
	t.Logf("WAL_DAMAGE=%d part %d/%d: %d flips, %d truncations, %d other, none wrong",
		d.size, d.part, d.parts, d.flipped, d.truncated, d.other)
}

const checkpointPath = "/ckpt/" + checkpointName

// damaging is a run of the suite.
type damaging struct {
	t           *testing.T
	size        int64
	long        bool
	stride      int64
	every       int64 // places of the present sample
	part, parts int

	turn                      int // places that were met so far, by all parts
	flipped, truncated, other int
}

// mine reports whether the next place is this part's.
func (d *damaging) mine() bool {
	d.turn++
	return (d.turn-1)%d.parts == d.part
}

// wants reports whether an offset is to be damaged: the short form takes each field, and a few of the other places.
func (d *damaging) wants(s *damageSample, path string, off int64) bool {
	if off%d.every == 0 {
		return d.mine()
	}
	if d.long || invariants.Enabled {
		return false
	}
	// Every seventh byte of the headers, beginning at another one in each record, meets all fields.
	if r := s.at(path, off); r != nil && off < r.from+recordHeader+16 && off%7 == r.from/8%7 {
		return d.mine()
	}
	if off < 112 && off%3 == 0 {
		return d.mine()
	}
	return false
}

// damageSample is a log whose every record is known.
type damageSample struct {
	name    string
	t       *testing.T
	options func(vfs.FS) Options
	mem     *vfs.Mem // nobody has it open
	paths   []string // of its segments, in order
	records []placed // in order
	bodies  [][]byte // of the event with this number less one
	live    []uint64 // numbers of the events that are not acknowledged
}

// placed is a record of the sample.
type placed struct {
	path     string
	from, to int64 // without padding
	kind     recordType
	events   Range   // of a put
	acked    []Range // of an acknowledgement
	replayed bool    // behind what the checkpoint knows
	synced   int64   // the segment was durable up to here before
	unproven bool    // nothing says that it was durable: it, and all behind it, cannot be told from a torn tail
}

// newDamageSample writes a log of a size: two segments, batches of one to some tens of events of up to 40 KiB, a third
// of which are acknowledged. It is closed, or killed some time after its checkpoint.
func newDamageSample(t *testing.T, options func(vfs.FS) Options, size int64, closed bool) *damageSample {
	t.Helper()
	s := &damageSample{t: t, options: func(fsys vfs.FS) Options {
		opts := options(fsys)
		opts.Dirs, opts.SegmentSize = []string{"/data1"}, align(size/2, vfs.SectorSize)
		return opts
	}}
	mem := vfs.NewMem(1)
	l := mustOpen(t, s.options(mem))
	largest := int(min(40<<10, size/16))
	shapes := []struct{ n, size int }{{1, 20}, {20, largest / 60}, {1, 1}, {1, largest - 200}, {3, largest / 8}, {1, 300}}
	saved := int64(0)
	for i := 0; len(l.segments) < 2 || l.segments[1].written < size/2*3/4; i++ {
		shape := shapes[i%len(shapes)]
		s.append(l, shape.n, shape.size)
		if len(l.segments) == 2 && saved == 0 && l.segments[1].written > size/4 {
			if err := l.Checkpoint(); err != nil {
				t.Fatal(err)
			}
			saved = l.segments[1].written
		}
		s.consume(l, i%3 == 1)
	}
	s.append(l, 2, 30) // a killed log ends with a put, whose durability nothing proves
	s.survey(l)
	if closed {
		mustClose(t, l)
	}
	s.mem = mem.CrashClone(killed)
	if !closed {
		l.Close()
		for i := range s.records {
			r := &s.records[i]
			r.replayed = r.path == s.paths[1] && r.from >= saved
			r.unproven = r.replayed && r.from >= s.records[len(s.records)-1].synced
		}
	}
	return s
}

func (s *damageSample) append(l *Log, n, size int) {
	b := ids(len(s.bodies), n, size)
	defer b.Release()
	if err := l.Append(s.t.Context(), b); err != nil {
		s.t.Fatal(err)
	}
	for i := range b.Events() {
		s.bodies = append(s.bodies, bytes.Clone(b.At(i).Body))
	}
}

// consume reads what there is, and acknowledges the first half of each entry, rounded up.
func (s *damageSample) consume(l *Log, ack bool) {
	for {
		e, ok, err := l.TryRead(1000)
		if err != nil {
			s.t.Fatal(err)
		}
		if !ok {
			return
		}
		e.Batch.Release()
		half := Range{e.Events.From, e.Events.From + (e.Events.Len()+1)/2}
		if ack {
			if err := l.Ack(half); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

// survey notes where everything is.
func (s *damageSample) survey(l *Log) {
	var gone rangeSet
	for _, seg := range l.segments {
		s.paths = append(s.paths, seg.path)
		if err := l.withScanner(seg, func(sc *scanner) error {
			_, _, err := sc.walk(segmentStart, seg.end, func(r record) error {
				p := placed{path: seg.path, from: r.pos, to: r.pos + int64(recordHeader+r.length), kind: r.kind, synced: r.synced}
				if r.kind == recordPut {
					p.events = r.events()
				}
				if r.kind == recordAck {
					var err error
					if p.acked, err = decodeAck(r.payload); err != nil {
						return err
					}
					for _, g := range p.acked {
						gone.add(g)
					}
				}
				s.records = append(s.records, p)
				return nil
			}, func(from, to int64) error { return fmt.Errorf("the sample is damaged from %d to %d", from, to) })
			return err
		}); err != nil {
			s.t.Fatal(err)
		}
	}
	for n := uint64(1); n <= uint64(len(s.bodies)); n++ {
		if gone.count(Range{n, n + 1}) == 0 {
			s.live = append(s.live, n)
		}
	}
}

// at returns the record that an offset of a file is in; nil if it is in none.
func (s *damageSample) at(path string, off int64) *placed {
	for i := range s.records {
		if r := &s.records[i]; r.path == path && r.from <= off && off < r.to {
			return r
		}
	}
	return nil
}

// without returns the events that are there when some records are not: theirs are lost, and those are back that only they
// called acknowledged.
func (s *damageSample) without(bad func(*placed) bool) []uint64 {
	want := slices.Clone(s.live)
	for i := range s.records {
		r := &s.records[i]
		if r.kind != recordAck || !r.replayed || !bad(r) {
			continue
		}
		for _, g := range r.acked {
			for n := g.From; n < g.To; n++ {
				want = append(want, n)
			}
		}
	}
	slices.Sort(want)
	for i := range s.records {
		if r := &s.records[i]; r.kind == recordPut && bad(r) {
			want = slices.DeleteFunc(want, func(n uint64) bool { return r.events.From <= n && n < r.events.To })
		}
	}
	return want
}

// reading collects what is read and told of a state.
type reading struct {
	s    *damageSample
	got  []uint64
	told []Damage
}

func (r *reading) options(fsys vfs.FS) Options {
	opts := r.s.options(fsys)
	opts.Hooks.Damaged = func(d Damage) { r.told = append(r.told, d) }
	return opts
}

// take compares the events of an entry with what was appended.
func (r *reading) take(e Entry) error {
	if e.Events.Len() != uint64(e.Batch.Len()) || e.Events.To > uint64(len(r.s.bodies))+1 {
		return fmt.Errorf("an entry of %d events has numbers %v", e.Batch.Len(), e.Events)
	}
	for i := range e.Batch.Events() {
		n := e.Events.From + uint64(i)
		ev, want := e.Batch.At(i), r.s.bodies[n-1]
		id, _, _ := bytes.Cut(want, []byte(":"))
		if h, _ := ev.Header("id"); !bytes.Equal(ev.Body, want) || h != string(id) {
			return fmt.Errorf("event %d was altered to %.40q with header id %q", n, ev.Body, h)
		}
		r.got = append(r.got, n)
	}
	return nil
}

// compare complains about events that are not those wanted.
func (r *reading) compare(want []uint64) error {
	if slices.Equal(r.got, want) {
		return nil
	}
	lacking := slices.DeleteFunc(slices.Clone(want), func(n uint64) bool { return slices.Contains(r.got, n) })
	extra := slices.DeleteFunc(slices.Clone(r.got), func(n uint64) bool { return slices.Contains(want, n) })
	return fmt.Errorf("read %d events, want %d: lacking %v, not wanted %v", len(r.got), len(want), lacking, extra)
}

// check reads a state, every 16th time (turn) also by opening a copy of it.
func (s *damageSample) check(mem *vfs.Mem, turn int, want []uint64, told func([]Damage) error) error {
	r := &reading{s: s}
	if err := Export(s.t.Context(), r.options(mem), r.take); err != nil {
		return err
	}
	if err := errors.Join(r.compare(want), told(r.told)); err != nil || turn%16 > 0 {
		return err
	}
	r = &reading{s: s}
	if err := r.open(mem.CrashClone(killed)); err != nil {
		return fmt.Errorf("opened: %w", err)
	}
	if err := errors.Join(r.compare(want), told(r.told)); err != nil {
		return fmt.Errorf("opened: %w", err)
	}
	return nil
}

// open opens the log, reads all and shows that it works on.
func (r *reading) open(fsys vfs.FS) error {
	l, err := Open(r.options(fsys))
	if err != nil {
		return err
	}
	defer l.Close()
	if err := r.readAll(l); err != nil {
		return err
	}
	if err := appendIDs(l, 1<<20, 1, 10); err != nil {
		return err
	}
	e, ok, err := l.TryRead(2)
	if err != nil || !ok {
		return fmt.Errorf("reading a fresh event: %v, %v", ok, err) //nolint:errorlint // it may be nil
	}
	defer e.Batch.Release()
	if e.Batch.Len() != 1 || !bytes.HasPrefix(e.Batch.At(0).Body, []byte("1048576:")) {
		return fmt.Errorf("a fresh event was read as %d of numbers %v", e.Batch.Len(), e.Events)
	}
	return l.Close()
}

func (r *reading) readAll(l *Log) error {
	for {
		e, ok, err := l.TryRead(1000)
		if err != nil || !ok {
			return err
		}
		err = r.take(e)
		e.Batch.Release()
		if err != nil {
			return err
		}
	}
}

// flips inverts one bit of each byte of a file in turn.
func (d *damaging) flips(s *damageSample, path string) {
	mem := s.mem.CrashClone(killed)
	var touched *placed
	want := s.live
	for off := range s.extent(path) {
		if !d.wants(s, path, off) {
			continue
		}
		if r := s.at(path, off); r != touched {
			touched = r
			want = s.without(func(o *placed) bool { return o == r || r != nil && r.unproven && o.unproven && o.from > r.from })
		}
		told := func(told []Damage) error {
			if place := off < segmentStart && path != checkpointPath || touched != nil && !touched.unproven; !place {
				return expect(told, 0)
			}
			if len(told) != 1 || told[0].Segment != path || off < told[0].From || off >= told[0].To {
				return fmt.Errorf("told as %v", told)
			}
			return nil
		}
		flip(d.t, mem, path, off)
		if err := s.check(mem, d.flipped, want, told); err != nil {
			d.t.Fatalf("%s: flip at offset %d of %s: %v", s.name, off, path, err)
		}
		flip(d.t, mem, path, off)
		d.flipped++
	}
}

func expect(told []Damage, n int) error {
	if len(told) != n {
		return fmt.Errorf("told of %v, want %d", told, n)
	}
	return nil
}

// extent returns how much of a file is damaged: to the end of its records and a little more.
func (s *damageSample) extent(path string) int64 {
	info, err := s.mem.Stat(path)
	if err != nil {
		s.t.Fatal(err)
	}
	end := info.Size()
	for _, r := range s.records {
		if r.path == path {
			end = min(info.Size(), r.to+200)
		}
	}
	return end
}

// truncations cuts a file off at each offset, from the end on.
func (d *damaging) truncations(s *damageSample, path string) {
	mem := s.mem.CrashClone(killed)
	var first *placed // that is cut
	want := s.live
	for off := s.extent(path) - 1; off >= 0; off-- {
		if !d.wants(s, path, off) {
			continue
		}
		truncate(d.t, mem, path, off)
		cut := func(r *placed) bool { return r.path == path && r.to > off }
		if i := slices.IndexFunc(s.records, func(r placed) bool { return cut(&r) }); i >= 0 && &s.records[i] != first {
			first = &s.records[i]
			want = s.without(cut)
		}
		told := func(told []Damage) error {
			if first == nil || first.replayed {
				return expect(told, 0)
			}
			if len(told) == 0 || slices.ContainsFunc(told, func(d Damage) bool { return d.Segment != path }) {
				return fmt.Errorf("told as %v", told)
			}
			return nil
		}
		if err := s.check(mem, d.truncated, want, told); err != nil {
			d.t.Fatalf("%s: %s cut off at offset %d: %v", s.name, path, off, err)
		}
		d.truncated++
	}
}

func truncate(t *testing.T, fsys vfs.FS, path string, size int64) {
	t.Helper()
	f, err := fsys.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := errors.Join(f.Truncate(size), f.Sync()); err != nil {
		t.Fatal(err)
	}
}

// put writes a file.
func put(t *testing.T, fsys vfs.FS, path string, data []byte) {
	t.Helper()
	if err := vfs.ReplaceFile(fsys, path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// others takes files away and adds such as do not belong there.
func (d *damaging) others(s *damageSample) {
	const spare = "segment-00000077.wal"
	second := func(o *Options) { o.Dirs = append(o.Dirs, "/data2") }
	junk := bytes.Repeat([]byte("neither one nor the other "), 400)
	copied := func(from, to string) func(vfs.FS) {
		return func(fsys vfs.FS) {
			data, err := vfs.ReadFile(fsys, from)
			if err == nil {
				err = fsys.MkdirAll("/data2", 0o755)
			}
			if err != nil {
				d.t.Fatal(err)
			}
			put(d.t, fsys, to, data)
		}
	}
	written := func(path string, data []byte) func(vfs.FS) {
		return func(fsys vfs.FS) { put(d.t, fsys, path, data) }
	}
	removed := func(path string) func(vfs.FS) {
		return func(fsys vfs.FS) {
			if err := fsys.Remove(path); err != nil {
				d.t.Fatal(err)
			}
		}
	}
	directory := func(path string) func(vfs.FS) {
		return func(fsys vfs.FS) {
			_ = fsys.Remove(path) // there may be none
			if err := fsys.MkdirAll(path, 0o755); err != nil {
				d.t.Fatal(err)
			}
		}
	}
	of := func(path string) []uint64 { return s.without(func(r *placed) bool { return r.path == path }) }
	first, last := s.paths[0], s.paths[1]
	for _, c := range []struct {
		name    string
		do      func(vfs.FS)
		setting func(*Options)
		refused []string // what the error names; nil: it opens
		want    []uint64
		told    string // the file that is told as damaged
	}{
		{name: "no checkpoint", do: removed(checkpointPath), want: s.live},
		{name: "empty checkpoint", do: written(checkpointPath, nil), want: s.live},
		{name: "foreign checkpoint", do: written(checkpointPath, junk), want: s.live},
		{name: "directory for a checkpoint", do: directory(checkpointPath), refused: []string{checkpointPath}},
		{name: "first segment missing", do: removed(first), refused: []string{segmentName(1), "/data1"}},
		{name: "last segment missing", do: removed(last), refused: []string{segmentName(2), "/data1"}},
		{name: "first segment missing, allowed", do: removed(first), setting: func(o *Options) { o.AllowMissing = true }, want: of(first)},
		{name: "last segment missing, allowed", do: removed(last), setting: func(o *Options) { o.AllowMissing = true }, want: of(last)},
		{name: "first segment empty", do: written(first, nil), want: of(first), told: first},
		{name: "last segment empty", do: written(last, nil), want: of(last), told: last},
		{name: "first segment foreign", do: written(first, junk), want: of(first), told: first},
		{name: "last segment foreign", do: written(last, junk), want: of(last), told: last},
		{name: "directory for a segment", do: directory(first), refused: []string{first}},
		{name: "copy of a segment in the second directory", do: copied(last, "/data2/"+segmentName(2)), setting: second, refused: []string{last, "/data2/" + segmentName(2)}},
		{name: "copy of a segment under another slot", do: copied(first, "/data1/"+spare), want: s.live, told: "/data1/" + spare},
		{name: "another empty segment", do: written("/data1/"+spare, nil), want: s.live},
		{name: "another foreign segment", do: written("/data1/"+spare, junk), want: s.live, told: "/data1/" + spare},
		{name: "another directory", do: directory("/data1/" + spare), refused: []string{"/data1/" + spare}},
		{name: "names that are not segments", do: written("/data1/segment-7.wal", junk), want: s.live},
	} {
		if !d.mine() {
			continue
		}
		mem := s.mem.CrashClone(killed)
		c.do(mem)
		if err := s.checkOther(mem, c.setting, c.refused, c.want, c.told); err != nil {
			d.t.Fatalf("%s: %s: %v", s.name, c.name, err)
		}
		d.other++
	}
}

// checkOther opens a log that has files which it should not have, or lacks some.
func (s *damageSample) checkOther(mem *vfs.Mem, setting func(*Options), refused []string, want []uint64, told string) error {
	options := s.options
	if setting != nil {
		options = func(fsys vfs.FS) Options { return with(s.options(fsys), setting) }
	}
	other := *s
	other.options = options
	r := &reading{s: &other}
	err := r.open(mem)
	if refused != nil {
		if err == nil || slices.ContainsFunc(refused, func(name string) bool { return !strings.Contains(err.Error(), name) }) {
			return fmt.Errorf("opening: %v, want an error that names %v", err, refused) //nolint:errorlint // it may be nil
		}
		return nil
	}
	if err := errors.Join(err, r.compare(want)); err != nil {
		return err
	}
	if told == "" {
		return expect(r.told, 0)
	}
	if len(r.told) != 1 || r.told[0].Segment != told {
		return fmt.Errorf("told as %v, want %s", r.told, told)
	}
	return nil
}
