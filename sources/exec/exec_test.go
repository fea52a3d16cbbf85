//go:build unix

package exec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
)

// limit is how long a test waits for what must happen.
const limit = 20 * time.Second

// recorder is an emitter that hands bodies to the test.
type recorder struct {
	bodies  chan string
	fail    func(call int) error // if not nil
	calls   int
	largest int // events in one batch
}

func newRecorder() *recorder { return &recorder{bodies: make(chan string, 1<<20)} }

func (r *recorder) Emit(_ context.Context, b *event.Batch) error {
	r.calls++
	if r.fail != nil {
		if err := r.fail(r.calls); err != nil {
			return err
		}
	}
	r.largest = max(r.largest, b.Len())
	for _, e := range b.Events() {
		r.bodies <- string(e.Body)
	}
	return nil
}

// next returns the next n bodies.
func (r *recorder) next(t *testing.T, n int) []string {
	t.Helper()
	timeout := time.After(limit)
	var got []string
	for range n {
		select {
		case body := <-r.bodies:
			got = append(got, body)
		case <-timeout:
			t.Fatalf("only %d events of %d: %q", len(got), n, got)
		}
	}
	return got
}

// rest returns the bodies that nobody has asked for.
func (r *recorder) rest() []string {
	var got []string
	for len(r.bodies) > 0 {
		got = append(got, <-r.bodies)
	}
	return got
}

// logBuffer is a log that may be read while it is written. Each line is sent to
// lines, too.
type logBuffer struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	lines chan string
}

func newLog() *logBuffer { return &logBuffer{lines: make(chan string, 1000)} }

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines <- string(p)
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// await waits for a line with text in it.
func (b *logBuffer) await(t *testing.T, text string) string {
	t.Helper()
	timeout := time.After(limit)
	for {
		select {
		case line := <-b.lines:
			if strings.Contains(line, text) {
				return line
			}
		case <-timeout:
			t.Fatalf("%q is not logged:\n%s", text, b)
		}
	}
}

func newSource(t *testing.T, log *logBuffer, settings ...string) *source {
	t.Helper()
	set := property.Settings{}
	for _, line := range settings {
		key, value, _ := strings.Cut(line, " = ")
		set[key] = property.Value{Text: value}
	}
	entry, _ := component.Lookup(component.KindSource, "exec")
	d := component.Decode(entry, set, component.Scope{Prefix: "a1.sources.r1."})
	if len(d.Problems) > 0 {
		t.Fatalf("decoding: %v", d.Problems)
	}
	src, err := component.New[flow.Source](d, component.Env{
		Agent: "a1", Name: "r1", FS: vfs.NewMem(1),
		Log:     slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics: metrics.NewSet(metrics.KindSource, "r1"),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return src.(*source)
}

// run runs src until stop is called, which returns what Run did.
func run(t *testing.T, src *source, out flow.Emitter) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, out) }()
	stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(limit):
			t.Error("Run did not return after the end of its context")
			return nil
		}
	})
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	return stop
}

const sh = "shell = /bin/sh -c"

// TestOutput runs commands that end and compares their events.
func TestOutput(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings []string
		want     []string
	}{
		{"direct", []string{`command = printf a\nb\r\nc\rd\n\nlast`}, []string{"a", "b", "c", "d", "", "last"}},
		{"no quotes without shell", []string{"command = echo 'a  b'"}, []string{"'a b'"}},
		{"shell", []string{sh, "command = echo 'a  b' | tr a x; echo two"}, []string{"x  b", "two"}},
		{"nothing", []string{"command = true"}, nil},
		{"latin-1", []string{`command = printf gr\374n\n`, "charset = ISO-8859-1"}, []string{"gr\xfcn"}},
		{"utf-16", []string{`command = printf \000a\000\n\000b`, "charset = UTF-16BE"}, []string{"\x00a", "\x00b"}},
		{"utf-16 with its mark", []string{`command = printf \000a\000\n\000b`, "charset = UTF-16"}, []string{"\xfe\xff\x00a", "\xfe\xff\x00b"}},
		{"malformed is replaced", []string{`command = printf a\377b\n\342\202\n`}, []string{"a\uFFFDb", "\uFFFD"}},
		{"malformed is kept", []string{`command = printf a\377b\n`, "malformedInput = keep"}, []string{"a\xffb"}},
		{"half a character at the end", []string{`command = printf \000a\000`, "charset = UTF-16BE"}, []string{"\x00a\xff\xfd"}},
		{"malformed in a charset without U+FFFD", []string{`command = printf a\377b\n`, "charset = US-ASCII"}, []string{"a?b"}},
		{"long lines are cut", []string{`command = printf 0123456789abcdef0123\nshort\n0123456789abcde\303\274x`, "maxLineLength = 16"},
			[]string{"0123456789abcdef", "0123", "short", "0123456789abcde", "üx"}},
		{"exit status", []string{sh, "command = echo out; exit 3"}, []string{"out"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			log, out := newLog(), newRecorder()
			stop := run(t, newSource(t, log, c.settings...), out)
			line := log.await(t, "the command ended")
			if !strings.Contains(line, "restart is false") {
				t.Errorf("the log does not say that this is the end: %s", line)
			}
			if err := stop(); err != nil {
				t.Errorf("Run returned %v", err)
			}
			if diff := cmp.Diff(c.want, out.rest()); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFlood: a flood arrives completely, in order and in batches of the right size.
func TestFlood(t *testing.T) {
	t.Parallel()
	const lines = 100_000
	log, out := newLog(), newRecorder()
	run(t, newSource(t, log, fmt.Sprintf("command = seq 1 %d", lines), "batchSize = 70"), out)
	log.await(t, "the command ended")
	got := out.rest()
	if len(got) != lines {
		t.Fatalf("%d events, want %d", len(got), lines)
	}
	for i, body := range got {
		if body != fmt.Sprint(i+1) {
			t.Fatalf("event %d is %q", i, body)
		}
	}
	if out.largest != 70 {
		t.Errorf("largest batch %d, want 70", out.largest)
	}
}

// TestAtOnce: a line does not wait for the batch to be full, nor for batchTimeout.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	out := newRecorder()
	run(t, newSource(t, newLog(), sh, "command = echo early; exec sleep 600", "batchSize = 50", "batchTimeout = 3600000"), out)
	if diff := cmp.Diff([]string{"early"}, out.next(t, 1)); diff != "" {
		t.Error(diff)
	}
}

// TestKeepsOnFailure: where Flume drops and kills, the command waits.
func TestKeepsOnFailure(t *testing.T) {
	t.Parallel()
	log, out := newLog(), newRecorder()
	out.fail = func(call int) error {
		if call <= 2 {
			return flow.ErrFull
		}
		return nil
	}
	run(t, newSource(t, log, "command = seq 1 3"), out)
	if diff := cmp.Diff([]string{"1", "2", "3"}, out.next(t, 3)); diff != "" {
		t.Error(diff)
	}
	log.await(t, "the command ended")
	for _, text := range []string{"handing on events fails", "handing on events works again"} {
		if n := strings.Count(log.String(), text); n != 1 {
			t.Errorf("%q is logged %d times", text, n)
		}
	}
}

// TestNotCurable: Run returns the error, and the command is gone.
func TestNotCurable(t *testing.T) {
	t.Parallel()
	out := newRecorder()
	reason := errors.New("no good")
	out.fail = func(int) error { return flow.Reject(reason) }
	src := newSource(t, newLog(), sh, "command = echo x; exec sleep 600", "restart = true")
	if err := src.Run(t.Context(), out); !errors.Is(err, reason) || flow.ClassOf(err) != flow.ClassReject {
		t.Errorf("Run returned %v", err)
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	log, out := newLog(), newRecorder()
	src := newSource(t, log, "command = echo again", "restart = true", "restartThrottle = 10")
	run(t, src, out)
	if diff := cmp.Diff([]string{"again", "again", "again"}, out.next(t, 3)); diff != "" {
		t.Error(diff)
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings for the same end, want 1:\n%s", n, log)
	}
	if got := src.starts.Value(); got < 3 {
		t.Errorf("command_starts is %d", got)
	}
}

func TestCannotStart(t *testing.T) {
	t.Parallel()
	err := newSource(t, newLog(), "command = /no/such/program").Run(t.Context(), newRecorder())
	if flow.ClassOf(err) != flow.ClassFatal || !strings.Contains(err.Error(), "/no/such/program") || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Run returned %v", err)
	}
}

func TestCannotStartButRestart(t *testing.T) {
	t.Parallel()
	log := newLog()
	run(t, newSource(t, log, "command = /no/such/program", "restart = true", "restartThrottle = 1"), newRecorder())
	for range 3 {
		log.await(t, "/no/such/program")
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings, want 1", n)
	}
}

func TestLogStdErr(t *testing.T) {
	t.Parallel()
	log := newLog()
	run(t, newSource(t, log, sh, "command = echo complaint >&2; printf rest >&2", "logStdErr = true"), newRecorder())
	log.await(t, "line=complaint")
	log.await(t, "line=rest")
}

// TestDrainsStdErr: a command that complains a lot without being listened to
// does not get stuck.
func TestDrainsStdErr(t *testing.T) {
	t.Parallel()
	out := newRecorder()
	run(t, newSource(t, newLog(), sh, "command = seq 1 100000 >&2; echo done"), out)
	if diff := cmp.Diff([]string{"done"}, out.next(t, 1)); diff != "" {
		t.Error(diff)
	}
}

// TestStopReachesChildren: the processes that the command started are asked to
// end as well, and their last words are still events.
func TestStopReachesChildren(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "gone")
	out := newRecorder()
	stop := run(t, newSource(t, newLog(), sh,
		"command = (trap 'echo > "+file+"; echo bye; exit' TERM; echo ready; while :; do sleep 0.02; done) & wait"), out)
	out.next(t, 1)
	if err := stop(); err != nil {
		t.Errorf("Run returned %v", err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("the child was not asked to end: %v", err)
	}
	if diff := cmp.Diff([]string{"bye"}, out.rest()); diff != "" {
		t.Errorf("last words (-want +got):\n%s", diff)
	}
}

// TestStopIsFinal: a command that does not want to end is made to.
func TestStopIsFinal(t *testing.T) {
	t.Parallel()
	out := newRecorder()
	stop := run(t, newSource(t, newLog(), sh, "command = trap '' TERM; echo ready; while :; do sleep 0.02; done"), out)
	out.next(t, 1)
	begin := time.Now()
	if err := stop(); err != nil {
		t.Errorf("Run returned %v", err)
	}
	if d := time.Since(begin); d < grace || d > limit/2 {
		t.Errorf("the stop took %v, want a little more than %v", d, grace)
	}
}

// TestClosedOutput: a command that closes its output but goes on is ended.
func TestClosedOutput(t *testing.T) {
	t.Parallel()
	log, out := newLog(), newRecorder()
	run(t, newSource(t, log, sh, "command = echo last; exec sleep 600 >&- 2>&-"), out)
	out.next(t, 1)
	if line := log.await(t, "the command ended"); !strings.Contains(line, "signal: terminated") {
		t.Errorf("logged %s", line)
	}
}

func TestBadConfiguration(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{Command: "  ", Charset: "UTF-8"}, "property command"},
		{Config{Command: "date", Charset: "klingon-8"}, "property charset"},
	} {
		_, err := New(c.cfg, component.Env{Metrics: metrics.NewSet(metrics.KindSource, "r1")})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New returned %v, want it to name %s", err, c.want)
		}
	}
}
