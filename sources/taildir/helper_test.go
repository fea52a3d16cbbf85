package taildir

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// collector is an emitter that keeps what it gets.
type collector struct {
	mu      sync.Mutex
	events  []event.Event
	batches int
	most    int // events in the largest batch
	fail    func(b *event.Batch) error
	changed chan struct{}
}

func newCollector() *collector { return &collector{changed: make(chan struct{}, 1)} }

// Emit implements flow.Emitter.
func (c *collector) Emit(_ context.Context, b *event.Batch) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		if err := c.fail(b); err != nil {
			return err
		}
	}
	c.keep(b)
	return nil
}

// keep stores b. c.mu is held.
func (c *collector) keep(b *event.Batch) {
	c.batches++
	c.most = max(c.most, b.Len())
	for i := range b.Len() {
		c.events = append(c.events, b.At(i).Clone())
	}
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

func (c *collector) bodies() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]string, len(c.events))
	for i := range c.events {
		out[i] = string(c.events[i].Body)
	}
	return out
}

func (c *collector) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.events)
}

func (c *collector) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events, c.batches, c.most = nil, 0, 0
}

// await waits, in real time, until there are n events.
func (c *collector) await(t testing.TB, n int) {
	t.Helper()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	for c.count() < n {
		select {
		case <-c.changed:
		case <-limit.C:
			t.Fatalf("%d events have come, %d are awaited", c.count(), n)
		}
	}
}

// rig is a source on real files, whose positions are in memory.
type rig struct {
	t        testing.TB
	dir      string
	settings map[string]string
	files    *vfs.Mem
	out      *collector
	log      *logBook
	set      *metrics.Set

	src  *source
	stop func()
}

// newRig makes a rig that follows all files in its directory whose name begins
// with "app", by looking alone. settings are "key = value".
func newRig(t testing.TB, settings ...string) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), files: vfs.NewMem(1), out: newCollector(), log: &logBook{}}
	r.settings = map[string]string{
		"filegroups": "g1", "filegroups.g1": r.dir + "/app.*",
		"positionFile": "/state/positions.json", "changeNotifications": "false",
		"backoffSleepIncrement": "100", "maxBackoffSleep": "1000",
	}
	r.set1(settings...)
	return r
}

func (r *rig) set1(settings ...string) {
	for _, s := range settings {
		k, v, _ := strings.Cut(s, "=")
		r.settings[strings.TrimSpace(k)] = strings.ReplaceAll(strings.TrimSpace(v), "$DIR", r.dir)
	}
}

func (r *rig) decode() *component.Decoded {
	given := property.Settings{}
	for k, v := range r.settings {
		given[k] = property.Value{Text: v, Raw: v}
	}
	entry, _ := component.Lookup(component.KindSource, "taildir")
	return component.Decode(entry, given, component.Scope{Prefix: "a1.sources.r1."})
}

// problems returns what a check of the configuration says.
func (r *rig) problems() string {
	if problems := r.decode().Problems; len(problems) > 0 {
		return problems.Error()
	}
	return ""
}

// make makes the source.
func (r *rig) make() error {
	d := r.decode()
	if d.Failed() {
		return d.Problems
	}
	r.set = metrics.NewSet(metrics.KindSource, "r1")
	s, err := component.New[flow.Source](d, component.Env{
		Agent: "a1", Name: "r1", Log: slog.New(r.log), Metrics: r.set, FS: r.files,
	}, nil)
	if err != nil {
		return err
	}
	r.src, _ = s.(*source)
	return nil
}

// start runs the source in the background.
func (r *rig) start() {
	r.t.Helper()
	if err := r.make(); err != nil {
		r.t.Fatal(err)
	}
	r.run()
}

// run runs the source that was made.
func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.src.Run(ctx, r.out) }()
	r.stop = func() {
		cancel()
		if err := <-done; err != nil {
			r.log.note("Run: " + err.Error())
		}
		r.stop = nil
	}
}

// close stops the source if it runs.
func (r *rig) close() {
	if r.stop != nil {
		r.stop()
	}
}

func (r *rig) path(name string) string { return filepath.Join(r.dir, name) }

// write appends text to a file.
func (r *rig) write(name, text string) {
	r.t.Helper()
	f, err := os.OpenFile(r.path(name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
		f.Close()
	}
	r.must(err)
}

// create replaces a file by a new one.
func (r *rig) create(name, text string) {
	r.t.Helper()
	r.must(os.WriteFile(r.path(name)+"~new", []byte(text), 0o600))
	r.must(os.Rename(r.path(name)+"~new", r.path(name)))
}

func (r *rig) rename(from, to string) {
	r.t.Helper()
	r.must(os.Rename(r.path(from), r.path(to)))
}

func (r *rig) remove(name string) {
	r.t.Helper()
	r.must(os.Remove(r.path(name)))
}

// copy makes a new file of the content of another.
func (r *rig) copy(from, to string) {
	r.t.Helper()
	text, err := os.ReadFile(r.path(from))
	r.must(err)
	r.must(os.WriteFile(r.path(to), text, 0o600))
}

func (r *rig) truncate(name string) {
	r.t.Helper()
	r.must(os.Truncate(r.path(name), 0))
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// counter returns the value of a counter.
func (r *rig) counter(name string) int {
	r.t.Helper()
	for _, m := range r.set.Metrics() {
		if m.Name == name && m.Number != nil {
			return int(m.Number())
		}
	}
	r.t.Fatalf("there is no counter %s", name)
	return 0
}

// stored returns the content of the position file.
func (r *rig) stored() string {
	r.t.Helper()
	text, err := vfs.ReadFile(r.files, "/state/positions.json")
	r.must(err)
	return string(text)
}

// expect checks the bodies that have come since the last reset, in any order if
// several files are read.
func (r *rig) expect(want ...string) {
	r.t.Helper()
	got := r.out.bodies()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		r.t.Fatalf("events %q\nwant   %q\nlog:\n%s", got, want, r.log)
	}
	r.out.reset()
}

// logBook keeps log lines.
type logBook struct {
	mu    sync.Mutex
	lines []string
	also  func(line string) // nil: nobody else is told
}

func (l *logBook) Enabled(context.Context, slog.Level) bool { return true }
func (l *logBook) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *logBook) WithGroup(string) slog.Handler            { return l }

func (l *logBook) Handle(_ context.Context, rec slog.Record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s", rec.Time.Format("15:04:05.000"), rec.Level, rec.Message)
	rec.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
		return true
	})
	l.note(b.String())
	return nil
}

func (l *logBook) note(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
	if l.also != nil {
		l.also(line)
	}
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// has reports whether a line has all of these parts.
func (l *logBook) has(parts ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.lines, func(line string) bool {
		return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(line, p) })
	})
}
