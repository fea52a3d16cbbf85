package wal

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/vfs"
)

// exported returns the ids that an export gives.
func exported(t *testing.T, opts Options) []int {
	t.Helper()
	var got []int
	if err := Export(t.Context(), opts, func(e Entry) error {
		if e.Events.Len() != uint64(e.Batch.Len()) || e.At.IsZero() {
			t.Errorf("an entry of %d events has numbers %v and time %v", e.Batch.Len(), e.Events, e.At)
		}
		got = append(got, idsOf(t, e.Batch)...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

// TestToolsOnAStagedLog looks at a log with holes, in all ways, at rest and while it is open, and finds every
// file as it was.
func TestToolsOnAStagedLog(t *testing.T) {
	for form, options := range forms {
		t.Run(form, func(t *testing.T) {
			mem := vfs.NewMem(1)
			l := mustOpen(t, options(mem))
			for i := range 40 {
				mustAppend(t, l, 3*i, 3, 200)
			}
			if err := l.Ack(Range{1, 30}, Range{32, 33}, Range{100, 110}); err != nil {
				t.Fatal(err)
			}
			want := slices.Concat(seq(29, 2), seq(32, 67), seq(109, 11))
			if err := l.Checkpoint(); err != nil {
				t.Fatal(err)
			}
			check := func(opts Options) {
				t.Helper()
				before := files(t, mem)
				report, err := Inspect(opts)
				if err != nil {
					t.Fatal(err)
				}
				if report.Events != len(want) || report.Next != 121 || report.Bytes == 0 || report.Oldest.IsZero() ||
					!report.Checkpoint.Used || report.Checkpoint.Size == 0 || report.Checkpoint.Problem != "" ||
					len(report.Missing)+len(report.Damage)+len(report.Quarantine)+len(report.Unreadable) > 0 {
					t.Errorf("inspected %+v", report)
				}
				staged := 0
				for i, s := range report.Segments {
					staged += s.Events
					if (s.KeyAlias != "") != (form == "sealed") || s.KeyProblem != "" {
						t.Errorf("segment %+v of a log that is %s", s, form)
					}
					if (s.State == SegmentActive) != (i == len(report.Segments)-1) || (s.State == SegmentFree) != (s.Events == 0) {
						t.Errorf("segment %d of %d: %+v", i, len(report.Segments), s)
					}
				}
				if staged != len(want) {
					t.Errorf("the segments have %d events, want %d", staged, len(want))
				}
				verified, err := Verify(t.Context(), opts)
				if err != nil || verified.Damaged() > 0 || len(verified.Segments) != len(report.Segments) {
					t.Errorf("verified %+v, %v", verified, err)
				}
				for _, s := range verified.Segments {
					if s.Records < 2 || s.Stored == 0 || s.Unopened > 0 {
						t.Errorf("verified segment %+v", s)
					}
				}
				if got := exported(t, opts); !slices.Equal(got, want) {
					t.Errorf("exported %v, want %v", got, want)
				}
				if !maps.Equal(before, files(t, mem)) {
					t.Error("looking at the log has changed files")
				}
			}
			open := with(options(mem), func(o *Options) { o.NoLock = true })
			check(open)
			if _, err := Inspect(options(mem)); !errors.Is(err, vfs.ErrLocked) {
				t.Errorf("looking with locks at a log that is open: %v", err)
			}
			mustClose(t, l)
			check(options(mem))
			check(open)
			if _, err := Open(open); err == nil {
				t.Error("a log was opened without locks")
			}
			if report, err := Inspect(options(mem)); err != nil || !report.Checkpoint.Closed {
				t.Errorf("the checkpoint of a closed log: %+v, %v", report.Checkpoint, err)
			}
		})
	}
}

// TestToolsGoPastDamage damages what can be damaged: all is told, and what is left is exported.
func TestToolsGoPastDamage(t *testing.T) {
	mem := vfs.NewMem(1)
	l := mustOpen(t, sealedOptions(mem))
	for i := range 60 {
		mustAppend(t, l, i, 1, 400)
	}
	one, gone, bad, half := l.segments[0].path, l.segments[1], l.segments[2], l.segments[3].path
	mustClose(t, l)
	flip(t, mem, one, 3000)
	flip(t, mem, half, 9)
	for _, off := range []int64{30, vfs.SectorSize + 30} {
		flip(t, mem, bad.path, off)
	}
	if err := mem.Remove(gone.path); err != nil {
		t.Fatal(err)
	}
	if err := vfs.ReplaceFile(mem, "/ckpt/wal.checkpoint", []byte("damage"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := files(t, mem)
	opts := sealedOptions(mem)
	var told []Damage
	opts.Hooks.Damaged = func(d Damage) { told = append(told, d) }
	report, err := Inspect(opts)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Missing) != 2 || report.Missing[0].Present || report.Missing[0].Events != int(gone.live) || !report.Missing[1].Present ||
		report.Checkpoint.Problem == "" || report.Checkpoint.Used || !slices.Equal(report.Unreadable, []string{bad.path}) || !report.Segments[1].HeaderBad {
		t.Errorf("inspected %+v", report)
	}
	verified, err := Verify(t.Context(), opts)
	if err != nil || verified.Damaged() != 5 || len(verified.Segments[0].Damage) != 1 {
		t.Errorf("verified %+v, %v; %d are damaged", verified, err, verified.Damaged())
	}
	if got := exported(t, opts); len(got) != 59-int(gone.live)-int(bad.live) || !slices.IsSorted(got) || len(told) != 3 {
		t.Errorf("exported %v and told %v", got, told)
	}
	if !maps.Equal(before, files(t, mem)) {
		t.Error("looking at a damaged log has changed files")
	}
}

func TestToolsWithoutKeys(t *testing.T) {
	mem := vfs.NewMem(1)
	l := mustOpen(t, sealedOptions(mem))
	for i := range 20 {
		mustAppend(t, l, i, 1, 400)
	}
	path := l.segments[0].path
	mustClose(t, l)
	flip(t, mem, path, 3000)
	verified, err := Verify(t.Context(), testOptions(mem))
	if err != nil || verified.Damaged() != 1 || verified.Segments[0].Unopened == 0 || verified.Segments[0].KeyProblem == "" {
		t.Errorf("verified without keys: %+v, %v", verified, err)
	}
	if err := Export(t.Context(), testOptions(mem), func(Entry) error { return nil }); !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), path) {
		t.Errorf("exported without keys: %v", err)
	}
	if report, err := Inspect(testOptions(mem)); err != nil || report.Events != 20 {
		t.Errorf("inspected without keys: %+v, %v", report, err)
	}
}

func TestExportEndsWhenToldTo(t *testing.T) {
	mem := vfs.NewMem(1)
	l := mustOpen(t, testOptions(mem))
	mustAppend(t, l, 0, 3, 10)
	mustAppend(t, l, 3, 3, 10)
	mustClose(t, l)
	var kept *event.Batch
	calls := 0
	if err := Export(t.Context(), testOptions(mem), func(e Entry) error {
		calls++
		kept = e.Batch.Retain() // allowed, and then the caller's
		return os.ErrDeadlineExceeded
	}); !errors.Is(err, os.ErrDeadlineExceeded) || calls != 1 {
		t.Errorf("exported with %d calls: %v", calls, err)
	}
	if got := idsOf(t, kept); !slices.Equal(got, seq(0, 3)) {
		t.Errorf("the batch that was kept has %v", got)
	}
	kept.Release()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Export(ctx, testOptions(mem), func(Entry) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("exported in spite of the end: %v", err)
	}
}

func TestToolsWhereThereIsNoLog(t *testing.T) {
	mem := vfs.NewMem(1)
	if _, err := Inspect(testOptions(mem)); err == nil {
		t.Error("inspected directories that do not exist")
	}
	if len(files(t, mem)) > 0 {
		t.Error("files were made")
	}
}

// TestToolsBesideAWriter looks at a log that is at work: whatever is found, nothing is called damaged, and
// everything that is stored all the time is exported.
func TestToolsBesideAWriter(t *testing.T) {
	mem := vfs.NewMem(1)
	opts := sealedOptions(mem)
	opts.foreground = false
	l := mustOpen(t, opts)
	mustAppend(t, l, 0, 5, 100)
	e, _, err := l.TryRead(5)
	if err != nil {
		t.Fatal(err)
	}
	e.Batch.Release() // and never acknowledged
	stop := make(chan struct{})
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		for i := 5; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			mustAppend(t, l, i, 1, 700)
			readAll(t, l, true)
		}
	}()
	look := with(sealedOptions(mem), func(o *Options) {
		o.NoLock = true
		o.Hooks.Damaged = func(d Damage) { t.Errorf("told %v", d) }
	})
	for range 20 {
		if report, err := Inspect(look); err != nil || report.Events < 5 {
			t.Errorf("inspected %+v, %v", report, err)
		}
		if verified, err := Verify(t.Context(), look); err != nil || verified.Damaged() > 0 {
			t.Errorf("verified %+v, %v", verified, err)
		}
		if got := exported(t, look); len(got) < 5 || !slices.Equal(got[:5], seq(0, 5)) {
			t.Errorf("exported %v", got)
		}
	}
	close(stop)
	<-finished
	mustClose(t, l)
}
