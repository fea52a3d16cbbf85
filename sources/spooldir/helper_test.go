package spooldir

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// collector is an emitter that keeps what it gets.
type collector struct {
	events []event.Event
	most   int                        // events in the largest batch
	fail   func(b *event.Batch) error // what Emit returns instead
}

// Emit implements flow.Emitter.
func (c *collector) Emit(_ context.Context, b *event.Batch) error {
	if c.fail != nil {
		if err := c.fail(b); err != nil {
			return err
		}
	}
	c.most = max(c.most, b.Len())
	for i := range b.Len() {
		c.events = append(c.events, b.At(i).Clone())
	}
	return nil
}

// take returns the bodies so far and forgets them.
func (c *collector) take() []string {
	var out []string
	for i := range c.events {
		out = append(out, string(c.events[i].Body))
	}
	c.events = nil
	return out
}

// rig is a source whose rounds a test runs by itself.
type rig struct {
	t     testing.TB
	dir   string
	files vfs.FS
	src   *source
	out   *collector
	log   *bytes.Buffer
	set   *metrics.Set
}

// newSource makes a source; settings are "key = value".
func newSource(t testing.TB, log io.Writer, settings ...string) (*source, *metrics.Set) {
	t.Helper()
	given := property.Settings{}
	for _, s := range settings {
		k, v, _ := strings.Cut(s, "=")
		k, v = strings.TrimSpace(k), strings.TrimSpace(v)
		given[k] = property.Value{Text: v, Raw: v}
	}
	entry, _ := component.Lookup(component.KindSource, "spooldir")
	decoded := component.Decode(entry, given, component.Scope{Prefix: "a1.sources.r1."})
	if decoded.Failed() {
		t.Fatalf("the settings are refused: %v", decoded.Problems)
	}
	set := metrics.NewSet(metrics.KindSource, "r1")
	src, err := New(decoded.Config.(Config), component.Env{Agent: "a1", Name: "r1", Log: slog.New(slog.NewTextHandler(log, nil)), Metrics: set, FS: vfs.OS{}})
	if err != nil {
		t.Fatal(err)
	}
	return src.(*source), set
}

// newRig makes a rig on a directory of the system.
func newRig(t testing.TB, settings ...string) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), files: vfs.OS{}, out: &collector{}, log: &bytes.Buffer{}}
	r.configure(settings...)
	return r
}

// newMemRig makes a rig on a directory in memory.
func newMemRig(t testing.TB, files vfs.FS, settings ...string) *rig {
	t.Helper()
	r := &rig{t: t, dir: "/spool", files: files, out: &collector{}, log: &bytes.Buffer{}}
	if err := files.MkdirAll(r.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r.configure(settings...)
	return r
}

// configure makes the source anew.
func (r *rig) configure(settings ...string) {
	r.t.Helper()
	r.src, r.set = newSource(r.t, r.log, append([]string{"spoolDir = " + r.dir}, settings...)...)
	r.src.fs, r.src.files = r.files, r.files
}

// round starts the source, has it read what there is, and stops it.
func (r *rig) round() error {
	r.t.Helper()
	d, err := r.src.open(r.out)
	if err != nil {
		return err
	}
	for {
		worked, err := d.round(r.t.Context(), r.t.Context())
		if err != nil || !worked {
			return errors.Join(err, d.close())
		}
	}
}

// mustRound is round without an error.
func (r *rig) mustRound() {
	r.t.Helper()
	if err := r.round(); err != nil {
		r.t.Fatal(err)
	}
}

// drop puts a file into the directory.
func (r *rig) drop(name, content string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	err := r.files.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = write(r.files, path, content)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func write(fsys vfs.FS, path, content string) error {
	f, err := fsys.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte(content))
	return errors.Join(err, f.Sync(), f.Close())
}

// age gives a file the time n seconds after a fixed one.
func (r *rig) age(name string, n int) {
	r.t.Helper()
	at := time.Unix(1_700_000_000+int64(n), 0)
	if err := os.Chtimes(filepath.Join(r.dir, name), at, at); err != nil {
		r.t.Fatal(err)
	}
}

// names lists the files of the directory and below, but for what the source keeps to itself.
func (r *rig) names() []string {
	r.t.Helper()
	var out []string
	var walk func(dir string)
	walk = func(dir string) {
		entries, err := r.files.ReadDir(filepath.Join(r.dir, dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			r.t.Fatal(err)
		}
		for _, e := range entries {
			switch name := filepath.Join(dir, e.Name()); {
			case e.IsDir():
				walk(name)
			case !strings.HasSuffix(name, trackerName+lockSuffix):
				out = append(out, name)
			}
		}
	}
	walk("")
	slices.Sort(out)
	return out
}

// expect compares the bodies that came and the names of the files.
func (r *rig) expect(bodies, names []string) {
	r.t.Helper()
	if got := r.out.take(); !slices.Equal(got, bodies) {
		r.t.Errorf("events %.200q\nwant   %.200q", got, bodies)
	}
	if got := r.names(); !slices.Equal(got, names) {
		r.t.Errorf("files %q\nwant  %q\n%s", got, names, r.log)
	}
}

// logged checks that something was logged.
func (r *rig) logged(text string) {
	r.t.Helper()
	if !strings.Contains(r.log.String(), text) {
		r.t.Errorf("the log does not say %q:\n%s", text, r.log)
	}
}

// content is a file of the system that exists as long as the test.
func content(t testing.TB, text []byte) *input {
	t.Helper()
	m := vfs.NewMem(1)
	if err := write(m, "/file", string(text)); err != nil {
		t.Fatal(err)
	}
	in, err := openInput(m, "/file", "file")
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// deserialized is what a deserializer makes of a file.
type deserialized struct {
	bodies []string
	marks  []mark
	err    error // nil at the end of the file
}

// deserialize runs a deserializer over text from m on.
func deserialize(t testing.TB, s *source, text []byte, m mark) (d deserialized) {
	t.Helper()
	in := content(t, text)
	defer in.close()
	des, err := s.newDeserializer(in, m)
	if err != nil {
		d.err = err
		return d
	}
	defer des.close()
	for d.err == nil {
		b := event.NewBatch()
		var p filling
		p.begin(b, 100)
		d.err = des.fill(&p)
		if b.Len() != len(p.marks) {
			t.Fatalf("%d events have %d marks", b.Len(), len(p.marks))
		}
		if b.Len() == 0 && d.err == nil && len(d.marks) > len(text)+2 {
			t.Fatal("no progress")
		}
		for i := range b.Len() {
			d.bodies = append(d.bodies, string(b.At(i).Body))
		}
		d.marks = append(d.marks, p.marks...)
		b.Release()
	}
	if errors.Is(d.err, io.EOF) {
		d.err = nil
	}
	return d
}

// resumes checks that what follows each mark is what followed it the first time.
func (d deserialized) resumes(t testing.TB, s *source, text []byte) {
	t.Helper()
	for i, m := range d.marks {
		again := deserialize(t, s, text, m)
		if !slices.Equal(again.bodies, d.bodies[i+1:]) || (again.err == nil) != (d.err == nil) {
			t.Fatalf("after event %d, %+v, come %.300q, %v\nwant %.300q, %v", i, m, again.bodies, again.err, d.bodies[i+1:], d.err)
		}
	}
}
