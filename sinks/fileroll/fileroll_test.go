package fileroll

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	_ "github.com/flume-go/flume/codecs/avrobody"
	_ "github.com/flume-go/flume/codecs/avroevent"
	_ "github.com/flume-go/flume/codecs/text"
	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
)

const dir = "/data"

// pass lets the bubble's time pass and everything due happen.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// build makes a sink from properties, as an agent does. "sink.directory" is dir
// unless given.
func build(t testing.TB, fsys vfs.FS, props map[string]string) *sink {
	t.Helper()
	settings := property.Settings{"sink.directory": {Text: dir}}
	for k, v := range props {
		settings[k] = property.Value{Text: v}
	}
	e, ok := component.Lookup(component.KindSink, "FILE_ROLL")
	if !ok {
		t.Fatal("file_roll is not registered")
	}
	d := component.Decode(e, settings, component.Scope{Prefix: "a1.sinks.k1."})
	if d.Failed() {
		t.Fatal(d.Problems)
	}
	s, err := component.New[flow.Sink](d, component.Env{
		Agent: "a1", Name: "k1", Log: slog.New(slog.DiscardHandler),
		Metrics: metrics.NewSet(metrics.KindSink, "k1"), FS: fsys,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s.(*sink)
}

func mem(t testing.TB) *vfs.Mem {
	t.Helper()
	m := vfs.NewMem(1)
	if err := m.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return m
}

func open(t testing.TB, s *sink) {
	t.Helper()
	if err := s.Open(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Errorf("closing again: %v", err)
		}
	})
}

// lines is a batch as a line source makes it.
func lines(t testing.TB, text ...string) *event.Batch {
	t.Helper()
	b := event.NewBatch()
	t.Cleanup(b.Release)
	for _, l := range text {
		n := copy(b.Reserve(len(l)+1), l+"\n")
		b.AppendLine(b.Commit(n))
	}
	return b
}

func deliver(t testing.TB, s *sink, text ...string) {
	t.Helper()
	if err := s.Deliver(context.Background(), lines(t, text...)); err != nil {
		t.Fatalf("delivering %q: %v", text, err)
	}
}

// files returns the contents of the directory's files in the order of their
// numbers, and their names.
func files(t testing.TB, fsys vfs.FS) (contents, names []string) {
	t.Helper()
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	sort.Slice(names, func(i, j int) bool {
		if len(names[i]) != len(names[j]) {
			return len(names[i]) < len(names[j])
		}
		return names[i] < names[j]
	})
	for _, n := range names {
		data, err := vfs.ReadFile(fsys, filepath.Join(dir, n))
		if err != nil {
			t.Fatal(err)
		}
		contents = append(contents, string(data))
	}
	return contents, names
}

func expectFiles(t testing.TB, fsys vfs.FS, want ...string) {
	t.Helper()
	got, names := files(t, fsys)
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("files %v hold %q, want %q", names, got, want)
	}
}

func TestRollsAtTheIntervalBusyOrIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mem(t)
		s := build(t, m, map[string]string{"sink.rollInterval": "10"})
		open(t, s)
		expectFiles(t, m, "")
		deliver(t, s, "a", "b")
		pass(9 * time.Second)
		deliver(t, s, "c")
		pass(2 * time.Second)
		deliver(t, s, "d")
		pass(20 * time.Second)
		expectFiles(t, m, "a\nb\nc\n", "d\n", "", "")
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if o, c := s.opened.Value(), s.closed.Value(); o != 4 || c != 4 {
			t.Errorf("%d files opened and %d closed, want 4 of each", o, c)
		}
	})
}

func TestSkipEmptyMakesNoFileForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mem(t)
		s := build(t, m, map[string]string{"sink.rollInterval": "10", "sink.skipEmpty": "true", "sink.serializer": "avro_event"})
		open(t, s)
		pass(35 * time.Second)
		if got, _ := files(t, m); len(got) != 0 {
			t.Errorf("an idle sink made %d files", len(got))
		}
		deliver(t, s, "a")
		pass(30 * time.Second)
		deliver(t, s, "b")
		if got, _ := files(t, m); len(got) != 2 {
			t.Errorf("two lines far apart are in %d files, want 2", len(got))
		}
	})
}

func TestNeverRolls(t *testing.T) {
	for _, interval := range []string{"0", "-1"} {
		synctest.Test(t, func(t *testing.T) {
			m := mem(t)
			s := build(t, m, map[string]string{"sink.rollInterval": interval})
			open(t, s)
			deliver(t, s, "a")
			pass(240 * time.Hour)
			deliver(t, s, "b")
			expectFiles(t, m, "a\nb\n")
		})
	}
}

func TestRollsBySize(t *testing.T) {
	m := mem(t)
	s := build(t, m, map[string]string{"sink.rollInterval": "0", "sink.rollSize": "4"})
	open(t, s)
	for _, l := range []string{"a", "b", "c", "ddddd", "e"} {
		deliver(t, s, l)
	}
	expectFiles(t, m, "a\nb\n", "c\nddddd\n", "e\n")
}

func TestNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ms, second := fmt.Sprint(start.UnixMilli()), start.Format("20060102150405")
		later := start.Add(time.Second).Format("20060102150405")
		for _, c := range []struct {
			props map[string]string
			want  [3]string // two files now, one a second later
		}{
			{nil, [3]string{ms + "-1", ms + "-2", ms + "-3"}},
			{map[string]string{"sink.pathManager": "default", "sink.pathManager.extension": "log"},
				[3]string{ms + "-1.log", ms + "-2.log", ms + "-3.log"}},
			{map[string]string{"sink.pathManager": "RollTime", "sink.pathManager.prefix": "web_"},
				[3]string{"web_" + second + "-1", "web_" + second + "-2", "web_" + later + "-1"}},
			{map[string]string{"sink.pathManager": "org.apache.flume.formatter.output.RollTimePathManager$Builder"},
				[3]string{second + "-1", second + "-2", later + "-1"}},
			{map[string]string{"sink.pathManager": "org.apache.flume.formatter.output.DefaultPathManager$Builder"},
				[3]string{ms + "-1", ms + "-2", ms + "-3"}},
		} {
			n := build(t, mem(t), c.props).names
			got := [3]string{n.next(start), n.next(start), n.next(start.Add(time.Second))}
			if got != c.want {
				t.Errorf("%v: names %v, want %v", c.props, got, c.want)
			}
		}
	})
}

func TestExistingFilesAreNeverTouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mem(t)
		series := fmt.Sprint(time.Now().UnixMilli())
		for _, n := range []string{"-1", "-3"} {
			if err := vfs.ReplaceFile(m, filepath.Join(dir, series+n), []byte("old"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		s := build(t, m, map[string]string{"sink.rollInterval": "0"})
		open(t, s)
		deliver(t, s, "new")
		s.rotate()
		expectFiles(t, m, "old", "new\n", "old", "")
	})
}

func TestReopenContinuesTheSeries(t *testing.T) {
	m := mem(t)
	s := build(t, m, nil)
	for range 2 {
		open(t, s)
		deliver(t, s, "x")
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	expectFiles(t, m, "x\n", "x\n")
	if err := s.Deliver(context.Background(), lines(t, "late")); !errors.Is(err, flow.ErrClosed) {
		t.Errorf("Deliver after Close = %v", err)
	}
}

func TestOpenNamesTheTrouble(t *testing.T) {
	m := mem(t)
	if err := vfs.ReplaceFile(m, "/data/file", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	denied := vfs.NewFailing(m, vfs.Only(func(op vfs.Op) bool { return op.Kind == vfs.OpOpen }, vfs.FailFrom(0, fs.ErrPermission)))
	for _, c := range []struct {
		name string
		fs   vfs.FS
		dir  string
		want []string
	}{
		{"missing", m, "/nowhere", []string{"/nowhere", "sink.directory", "does not exist", "sink.createDirectory"}},
		{"a file", m, "/data/file", []string{"/data/file", "sink.directory", "is not a directory"}},
		{"not writable", denied, dir, []string{dir, "sink.directory", "permission denied", "make it writable"}},
	} {
		s := build(t, c.fs, map[string]string{"sink.directory": c.dir})
		err := s.Open(context.Background())
		if err == nil {
			t.Errorf("%s: Open succeeded", c.name)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: error %q does not say %q", c.name, err, w)
			}
		}
		if s.failed.Value() != 1 {
			t.Errorf("%s: ConnectionFailedCount = %d", c.name, s.failed.Value())
		}
		if err := s.Close(context.Background()); err != nil {
			t.Errorf("%s: closing after a failed Open: %v", c.name, err)
		}
	}
}

func TestCreateDirectory(t *testing.T) {
	m := vfs.NewMem(1)
	s := build(t, m, map[string]string{"sink.createDirectory": "true", "sink.rollInterval": "0"})
	open(t, s)
	deliver(t, s, "a")
	expectFiles(t, m, "a\n")
}

func TestBadProperties(t *testing.T) {
	e, _ := component.Lookup(component.KindSink, "org.apache.flume.sink.RollingFileSink")
	for _, c := range []struct{ key, value, want string }{
		{"sink.rollInterval", "often", "not a whole number"},
		{"sink.pathManager", "com.example.Mine$Builder", "is none of DEFAULT, ROLLTIME"},
		{"sink.serializer", "txet", `did you mean "text"?`},
		{"sink.batchSize", "0", "less than 1"},
		{"sink.fsync", "sometimes", "none of never, close, batch"},
	} {
		d := component.Decode(e, property.Settings{"sink.directory": {Text: dir}, c.key: {Text: c.value}}, component.Scope{})
		if !d.Failed() || !strings.Contains(d.Problems.Error(), c.want) {
			t.Errorf("%s = %s: problems %v", c.key, c.value, d.Problems)
		}
	}
}

func TestFilesAreClosedAndRollsGoOnWithoutADirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mem(t)
		f := vfs.NewFailing(m, nil)
		s := build(t, f, map[string]string{"sink.rollInterval": "10"})
		open(t, s)
		deliver(t, s, "a")
		f.SetInjector(vfs.Only(func(op vfs.Op) bool { return op.Kind == vfs.OpOpen }, vfs.FailFrom(0, io.ErrUnexpectedEOF)))
		pass(25 * time.Second)
		if err := s.Deliver(context.Background(), lines(t, "b")); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("Deliver = %v", err)
		}
		f.SetInjector(nil)
		pass(10 * time.Second)
		deliver(t, s, "b")
		expectFiles(t, m, "a\n", "b\n")
	})
}
