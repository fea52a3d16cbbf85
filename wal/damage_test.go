package wal

import (
	"os"
	"slices"
	"testing"

	"github.com/flume-go/flume/internal/vfs"
)

// flip inverts one bit of a file.
func flip(t *testing.T, fsys vfs.FS, path string, off int64) {
	t.Helper()
	f, err := fsys.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], off); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1 << (off % 8)
	if _, err := f.WriteAt(b[:], off); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
}

// TestFlipOfEachByte damages each byte of a segment in turn: the log opens, loses the events of
// the record that was touched and no others, and names the place.
func TestFlipOfEachByte(t *testing.T) {
	for form, options := range forms {
		t.Run(form, func(t *testing.T) {
			for _, keepCheckpoint := range []bool{true, false} {
				flipEachByte(t, options, keepCheckpoint)
			}
		})
	}
}

func flipEachByte(t *testing.T, options func(vfs.FS) Options, keepCheckpoint bool) {
	mem := vfs.NewMem(1)
	l := mustOpen(t, options(mem))
	for i := range 6 {
		mustAppend(t, l, 2*i, 2, 20)
	}
	path, end := l.segments[0].path, l.segments[0].written
	puts := make(map[int][2]int64) // first id of a put: its extent without padding
	if err := l.withScanner(l.segments[0], func(s *scanner) error {
		n := 0
		_, _, err := s.walk(segmentStart, end, func(r record) error {
			if r.kind == recordPut {
				puts[n] = [2]int64{r.pos, r.pos + int64(recordHeader+r.length)}
				n += 2
			}
			return nil
		}, func(int64, int64) error { return nil })
		return err
	}); err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	if !keepCheckpoint {
		if err := mem.Remove("/ckpt/wal.checkpoint"); err != nil {
			t.Fatal(err)
		}
	}
	for off := int64(0); off < end; off += stride() {
		damaged := mem.CrashClone(vfs.CrashPolicy{})
		flip(t, damaged, path, off)
		want := seq(0, 12)
		last, touched := false, false
		for first, extent := range puts {
			if extent[0] <= off && off < extent[1] {
				want = slices.DeleteFunc(want, func(id int) bool { return id/2 == first/2 })
				last, touched = first == 10, true
			}
		}
		var told []Damage
		opts := options(damaged)
		opts.Hooks.Damaged = func(d Damage) { told = append(told, d) }
		l, err := Open(opts)
		if err != nil {
			t.Fatalf("offset %d: %v", off, err)
		}
		if got := readAll(t, l, true); !slices.Equal(got, want) {
			t.Fatalf("flip at %d (checkpoint %v): read %v, want %v", off, keepCheckpoint, got, want)
		}
		// The last record without a checkpoint cannot be told from a torn tail.
		if touched && (keepCheckpoint || !last) {
			if len(told) != 1 || told[0].Segment != path || off < told[0].From || off >= told[0].To || told[0].Copy == "" {
				t.Fatalf("flip at %d (checkpoint %v) was told as %v", off, keepCheckpoint, told)
			}
			if _, err := damaged.Stat(told[0].Copy); err != nil {
				t.Fatal(err)
			}
		}
		if off < segmentStart && len(told) != 1 {
			t.Fatalf("flip of the header at %d was told as %v", off, told)
		}
		mustClose(t, l)
	}
}

// TestFlipInFullSegment damages a segment that recovery does not look at.
func TestFlipInFullSegment(t *testing.T) {
	mem := vfs.NewMem(1)
	l := mustOpen(t, testOptions(mem))
	for i := range 60 {
		mustAppend(t, l, i, 1, 400)
	}
	path := l.segments[1].path
	mustClose(t, l)
	report, err := Verify(t.Context(), testOptions(mem))
	if err != nil || len(report.Segments) < 3 || report.Segments[1].Path != path || report.Damaged() > 0 {
		t.Fatalf("verified %+v, %v", report, err)
	}
	flip(t, mem, path, 4000)
	flip(t, mem, path, report.Segments[1].End-recordAlign-20) // before its padding
	if report, err = Verify(t.Context(), testOptions(mem)); err != nil || len(report.Segments[1].Damage) != 2 || report.Damaged() != 2 {
		t.Errorf("two flips were verified as %+v, %v", report.Segments[1], err)
	}
	l = mustOpen(t, testOptions(mem))
	defer l.Close()
	if got := readAll(t, l, true); len(got) != 58 || !slices.IsSorted(got) {
		t.Errorf("read %d of 60 events, two of which are damaged: %v", len(got), got)
	}
	if s := l.Stats(); s.Damaged != 2 || s.Events != 0 || s.Segments != 1 {
		t.Errorf("stats %+v, want 2 damaged records and nothing that waits for them", s)
	}
}

// TestHeadersLost damages both copies of a header.
func TestHeadersLost(t *testing.T) {
	mem := vfs.NewMem(1)
	l := mustOpen(t, testOptions(mem))
	for i := range 40 {
		mustAppend(t, l, i, 1, 400)
	}
	path, lost := l.segments[1].path, int(l.segments[1].live)
	mustClose(t, l)
	flip(t, mem, path, 20)
	flip(t, mem, path, vfs.SectorSize+20)
	l = mustOpen(t, testOptions(mem))
	if got := readAll(t, l, false); len(got) != 40-lost {
		t.Errorf("read %d of 40 events, %d of which are in the lost segment", len(got), lost)
	}
	if l.Stats().Damaged != 1 {
		t.Error("the lost segment was not told")
	}
	mustClose(t, l)
	report, err := Inspect(testOptions(mem))
	if err != nil || !slices.Equal(report.Unreadable, []string{path}) {
		t.Errorf("inspected %+v, %v", report, err)
	}
}

// TestTornTail cuts the last record at each of its sectors: silent, and nothing else is lost.
func TestTornTail(t *testing.T) {
	for form, options := range forms {
		t.Run(form, func(t *testing.T) { tornTail(t, options) })
	}
}

func tornTail(t *testing.T, options func(vfs.FS) Options) {
	mem := vfs.NewMem(1)
	l := mustOpen(t, options(mem))
	mustAppend(t, l, 0, 2, 20)
	path, from := l.segments[0].path, l.segments[0].written
	crash := mem.CrashClone(vfs.CrashPolicy{})
	mustAppend(t, l, 2, 3, 700)
	mustAppend(t, l, 5, 1, 10)
	to := l.segments[0].written
	whole, err := vfs.ReadFile(mem, path)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for cut := from; cut < to; cut += 100 {
		torn := crash.CrashClone(vfs.CrashPolicy{})
		f, err := torn.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(whole[from:cut], from); err != nil {
			t.Fatal(err)
		}
		f.Close()
		l := mustOpen(t, options(torn))
		mustAppend(t, l, 100, 2, 5)
		got := readAll(t, l, true)
		if got = slices.DeleteFunc(got, func(id int) bool { return id >= 2 && id < 5 }); !slices.Equal(got, []int{0, 1, 100, 101}) {
			t.Errorf("cut at %d: read %v", cut, got)
		}
		if l.Stats().Damaged > 0 {
			t.Errorf("cut at %d: a torn tail is called damage", cut)
		}
		mustClose(t, l)
	}
}

// TestCutOffAtTheEnd cuts a closed log off at each byte from before its last record on: what only fills the record up is not
// missed, a part of the record is told, and so is all of it.
func TestCutOffAtTheEnd(t *testing.T) {
	for size := range recordAlign {
		mem := vfs.NewMem(1)
		l := mustOpen(t, testOptions(mem))
		mustAppend(t, l, 0, 1, 30)
		path, from := l.segments[0].path, l.segments[0].written
		mustAppend(t, l, 1, 1, size)
		filled := l.segments[0].written
		var end int64 // of the record's payload
		if err := l.withScanner(l.segments[0], func(s *scanner) error {
			r, _, err := s.read(from)
			end = r.pos + int64(recordHeader+r.length)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		mustClose(t, l)
		for off := filled - 1; off >= from; off-- {
			truncate(t, mem, path, off)
			want, damaged := seq(0, 2), 0
			if off < end {
				want, damaged = seq(0, 1), 1
			}
			told := 0
			opts := testOptions(mem.CrashClone(killed))
			opts.Hooks.Damaged = func(d Damage) {
				if told++; d.Segment != path {
					t.Errorf("told of %+v", d)
				}
			}
			l := mustOpen(t, opts)
			if got := readAll(t, l, false); !slices.Equal(got, want) || min(told, 1) != damaged {
				t.Fatalf("a body of %d bytes, record from %d to %d, filled up to %d, cut off at %d: read %v, told of %d damages", size, from, end, filled, off, got, told)
			}
			mustClose(t, l)
		}
	}
}
