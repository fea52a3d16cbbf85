package taildir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/filewatch"
	"github.com/flume-go/flume/internal/vfs"
)

// TestRotation lets programs write logs and logrotate rotate them, in the ways that people configure, step by step:
// before each answer of the system to the source any number of steps may happen, and the source may be killed at any
// of its own steps. Every line must come, and once: only what was handed on and not yet entered in the journal may come again.
// Each history can be repeated. TAILDIR_ROTATION sets their number for each way, TAILDIR_SEED the first, and
// TAILDIR_WAY names a single way.
func TestRotation(t *testing.T) {
	histories, first := environment(t, "TAILDIR_ROTATION", 2), uint64(environment(t, "TAILDIR_SEED", 1))
	for _, way := range rotationWays {
		if only := os.Getenv("TAILDIR_WAY"); only != "" && way.name != only {
			continue
		}
		t.Run(way.name, func(t *testing.T) {
			var sum figures
			for i := range histories {
				seed := first + uint64(i)
				if !t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { sum.add(runRotation(t, way, seed)) }) {
					return
				}
			}
			t.Logf("%d histories from seed %d: %s", histories, first, sum)
		})
	}
}

// environment returns what a variable of the environment says.
func environment(t *testing.T, key string, otherwise int) int {
	t.Helper()
	text := os.Getenv(key)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return n
}

// figures are what histories had.
type figures struct{ rotations, kills, stops, lines, again int }

func (f *figures) add(o figures) {
	f.rotations += o.rotations
	f.kills += o.kills
	f.stops += o.stops
	f.lines += o.lines
	f.again += o.again
}

func (f figures) String() string {
	return fmt.Sprintf("%d rotations, %d kills, %d stops, %d lines, %d of them came again", f.rotations, f.kills, f.stops, f.lines, f.again)
}

// rotating is some logs, their writers, logrotate, and the source that follows them. It is the source's system, the
// file system of its positions and where its events go, so that it can do things whenever the source does.
type rotating struct {
	*rig
	way  rotationWay
	dice *rand.Rand
	logs []*rotatedLog

	haste  int // of so many moments of the source there are steps in one
	danger int // of so many moments of the source one may be its last
	left   int // rotations to come
	mortal int // kills and stops to come
	steps  []func() bool
	over   bool // nothing happens any more
	done   bool // and the source has had time to find everything

	cancel  context.CancelFunc // ends the source; nil while none runs
	dead    bool               // it was killed: what it does in its last throes has no effect
	handles []*os.File         // that the source has opened
	deaf    bool               // there are no notifications
	notices []filewatch.Change
	latest  time.Time // when something happened

	came      map[string]int
	order     []string
	loose     []string       // handed on and not in the journal
	mayRepeat map[string]int // how often a line may come again
	windows   []window
	figures   figures
	trace     []string
}

// window is what happened between the copying of a log and its cutting.
type window struct {
	copied []string // lines of the copy
	gone   []string // lines written behind it, which are in no file any more
}

// excuse lets the lines of a copy come again where the log was read beyond the copy's end
// before it was known that there is one. The log is gone, and of what was read of it
// only hashes are kept: nothing proves then that a file which is shorter is its beginning
// and no other log's.
func (r *rotating) excuse() {
	for _, w := range r.windows {
		if slices.ContainsFunc(w.gone, func(line string) bool { return r.came[line] > 0 }) {
			for _, line := range w.copied {
				r.mayRepeat[line]++
			}
		}
	}
}

// killed is what a source that is killed panics with.
type killed struct{}

// errDead is what a killed source gets of the file system of its positions.
var errDead = errors.New("the process was killed")

func runRotation(t *testing.T, way rotationWay, seed uint64) figures {
	r := &rotating{way: way, dice: rand.New(rand.NewPCG(seed, 5)), came: map[string]int{}, mayRepeat: map[string]int{}}
	pick := func(n ...int) int { return n[r.dice.IntN(len(n))] }
	idle := pick(1000, 120_000)
	if way.seen {
		idle = 120_000 // what a program still writes to a file whose name matches no more is read for so long
	}
	r.rig = newRig(t, "unterminatedLine = wait", "changeNotifications = true", "batchSize = "+strconv.Itoa(pick(1, 1, 10, 100)),
		"idleTimeout = "+strconv.Itoa(idle), "maxOpenFiles = "+strconv.Itoa(pick(8, 1000)))
	r.set1(way.follow...)
	r.log.also = func(line string) { r.trace = append(r.trace, "  "+strings.ReplaceAll(line, r.dir+"/", "")) }
	r.must(os.Mkdir(r.path("logs"), 0o700))
	r.must(os.Mkdir(r.path("old"), 0o700))
	r.set1("filegroups = g1 g2", "filegroups.g1 = $DIR/logs/"+way.pattern, "filegroups.g2 = $DIR/old/"+way.pattern)
	r.haste, r.danger, r.left, r.deaf = pick(1, 3, 10, 50), pick(30, 150, 500), 1+r.dice.IntN(8), r.dice.IntN(4) == 0
	if r.mortal = r.dice.IntN(5); way.immortal {
		r.mortal = 0
	}
	for i := range 1 + r.dice.IntN(3) {
		r.logs = append(r.logs, &rotatedLog{r: r, name: string(rune('a'+i)) + ".log", bursts: pick(1, 5, 30), long: pick(10, 60, 400)})
	}
	synctest.Test(t, func(*testing.T) { r.run(seed) })
	return r.figures
}

// run lets everything happen, and compares.
func (r *rotating) run(seed uint64) {
	defer func() {
		for _, l := range r.logs {
			l.close()
		}
		if r.t.Failed() {
			r.t.Logf("seed %d: what happened:\n%s\n%s\njournal:\n%s", seed, r.settings, strings.Join(r.trace, "\n"), r.journal())
		}
	}()
	for _, l := range r.logs {
		l.reopen()
	}
	for !r.live() {
		for range r.dice.IntN(60) {
			r.advance()
		}
	}
	before := len(r.order)
	for !r.live() { // the next finds nothing more
	}
	if n := len(r.order); n > before {
		r.t.Errorf("%d lines came behind an orderly end, the first of them %.60q", n-before, r.order[before])
	}
	r.check()
}

// live is one life of the source. It reports whether that ended since nothing happened any more.
func (r *rotating) live() (done bool) {
	defer func() {
		r.cancel, r.dead = nil, false
		for _, h := range r.handles {
			h.Close() // some are closed already
		}
		r.handles = r.handles[:0]
		if v := recover(); v != nil {
			if _, ok := v.(killed); !ok {
				panic(v)
			}
			r.figures.kills++
			for _, line := range r.loose {
				r.mayRepeat[line]++
			}
			r.did("killed with %d lines that are not in the journal", len(r.loose))
		}
		r.loose = nil
	}()
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(context.Background())
	defer r.cancel()
	r.did("start")
	r.must(r.make())
	r.src.sys, r.src.fs = r, journaling{FS: r.files, r: r}
	r.notices, r.latest, r.done = nil, time.Now(), false
	if err := r.src.Run(ctx, r); err != nil {
		r.t.Fatalf("the source ended with %v", err)
	}
	r.did("ended")
	if !r.done {
		r.figures.stops++
	}
	return r.done
}

// moment is a moment of the source: what happens may happen.
func (r *rotating) moment() {
	if r.cancel == nil || r.dead {
		return
	}
	if !r.over && r.dice.IntN(r.haste) == 0 {
		for range 1 + r.dice.IntN(3) {
			r.advance()
		}
	}
	const quiet = 40 * time.Second
	if idle := time.Since(r.latest); r.over && idle > quiet {
		r.done = true
		r.cancel()
	} else if idle > 2*quiet {
		r.t.Errorf("the source does not read what was written behind the latest rotation")
		r.over = true
	}
	flow.Sleep(context.Background(), time.Duration(r.dice.IntN(3))*time.Millisecond)
	if r.mortal > 0 && r.dice.IntN(r.danger) == 0 {
		r.mortal--
		if r.dice.IntN(4) == 0 {
			r.did("stop")
			r.cancel()
			return
		}
		r.dead = true
		panic(killed{})
	}
}

// advance lets one thing happen.
func (r *rotating) advance() {
	switch n := r.dice.IntN(8); {
	case r.over:
	case len(r.steps) > 0 && n < 6:
		r.rotateOn()
	case len(r.steps) == 0 && r.left > 0 && n == 0 && r.mayRotate():
		r.left--
		r.figures.rotations++
		r.did("rotation %d", r.figures.rotations)
		r.steps = append(r.rotation(), func() bool {
			r.did("end of the rotation")
			for _, l := range r.logs {
				l.first = len(l.lines)
			}
			return true
		})
	case len(r.steps) == 0 && r.left == 0 && n == 1:
		for _, l := range r.logs {
			l.flush(0)
		}
		r.over = true
		r.did("over")
	default:
		const most = 80 // lines between two rotations: the source must be able to keep up
		if l := r.logs[r.dice.IntN(len(r.logs))]; len(l.lines)-l.first < most {
			l.append(1 + r.dice.IntN(l.bursts))
		} else {
			l.flush(0)
		}
	}
}

// rotateOn does the next step of the rotation that is something.
func (r *rotating) rotateOn() {
	for len(r.steps) > 0 {
		step := r.steps[0]
		r.steps = r.steps[1:]
		if step() {
			return
		}
	}
}

// mayRotate reports whether enough was seen: where a content gets a name that does not match, the source must have
// seen it before; where it is removed, it must have read what was removed with the latest rotation.
func (r *rotating) mayRotate() bool {
	for _, l := range r.logs {
		if r.way.hold == byName && l.lostName() {
			return false // it would write to what is packed already
		}
		if r.way.seen && !slices.ContainsFunc(l.lines[l.first:], func(line string) bool { return r.came[line] > 0 }) {
			return false
		}
		if r.way.gone && slices.ContainsFunc(l.lines[:l.first], func(line string) bool { return r.came[line] == 0 }) {
			return false
		}
	}
	return true
}

// stamp gives a file that was written the time of the history.
func (r *rotating) stamp(path string) { r.must(os.Chtimes(path, time.Now(), time.Now())) }

// did notes what happened.
func (r *rotating) did(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.trace = append(r.trace, time.Now().Format("15:04:05.000")+" "+text)
	r.latest = time.Now()
}

// told takes in the events of the system for names, as inotify tells them.
func (r *rotating) told(names ...string) {
	for _, name := range names {
		c := filewatch.Change{Path: r.path(name)}
		if n := len(r.notices); !r.deaf && (n == 0 || r.notices[n-1] != c) {
			r.notices = append(r.notices, c)
		}
	}
}

// The source's system.

func (r *rotating) stat(path string) (fs.FileInfo, error) {
	r.moment()
	return os.Stat(path)
}

func (r *rotating) lstat(path string) (fs.FileInfo, error) {
	r.moment()
	return os.Lstat(path)
}

func (r *rotating) open(path string) (*os.File, error) {
	r.moment()
	h, err := os.OpenFile(path, openFlags, 0)
	if err == nil {
		r.handles = append(r.handles, h)
	}
	r.moment()
	return h, err
}

func (r *rotating) watch() (watcher, error) { return watching{r}, nil }

// watching is what the source gets its notifications from.
type watching struct{ r *rotating }

func (watching) Add(string) error { return nil }
func (watching) Remove(string)    {}
func (watching) Close() error     { return nil }

func (w watching) Wait(ctx context.Context, d time.Duration) bool {
	w.r.moment()
	if len(w.r.notices) > 0 || ctx.Err() != nil {
		return len(w.r.notices) > 0
	}
	if !w.r.over {
		d = min(d, time.Duration(w.r.dice.IntN(40))*time.Millisecond)
		w.r.advance()
	}
	flow.Sleep(ctx, d)
	return len(w.r.notices) > 0
}

func (w watching) Drain(each func(filewatch.Change)) (lost bool) {
	notices := w.r.notices
	w.r.notices = nil
	for _, c := range notices {
		each(c)
	}
	return false
}

// Emit implements flow.Emitter.
func (r *rotating) Emit(_ context.Context, b *event.Batch) error {
	r.moment()
	for i := range b.Len() {
		line := string(b.At(i).Body)
		r.came[line]++
		r.order = append(r.order, line)
		r.loose = append(r.loose, line)
	}
	r.did("handed on %d lines, %.11q to %.11q", b.Len(), b.At(0).Body, b.At(b.Len()-1).Body)
	r.moment()
	return nil
}

// journaling is the file system of the positions.
type journaling struct {
	vfs.FS
	r *rotating
}

func (j journaling) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

func (j journaling) Rename(from, to string) error {
	j.r.moment()
	if j.r.dead {
		return errDead
	}
	err := j.FS.Rename(from, to)
	j.r.moment()
	return err
}

func (j journaling) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	if j.r.dead {
		return nil, errDead
	}
	f, err := j.FS.OpenFile(name, flag, perm)
	if err != nil || flag&os.O_APPEND == 0 {
		return f, err
	}
	return journaled{f, j.r}, nil
}

// journaled is the journal.
type journaled struct {
	vfs.File
	r *rotating
}

func (j journaled) Write(p []byte) (int, error) {
	j.r.moment()
	if j.r.dead {
		return 0, errDead
	}
	n, err := j.File.Write(p)
	j.r.loose = nil
	j.r.moment()
	return n, err
}

func (r *rotating) journal() string {
	text, err := vfs.ReadFile(r.files, stateFile+journalSuffix)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// check compares what came with what was written.
func (r *rotating) check() {
	r.excuse()
	lost, again := []string{}, []string{}
	known := map[string]bool{}
	for _, l := range r.logs {
		for _, line := range l.lines {
			known[line] = true
		}
	}
	r.figures.lines = len(known)
	required := known
	if r.way.lossy {
		required = r.kept()
	}
	for line := range required {
		if r.came[line] == 0 {
			lost = append(lost, fmt.Sprintf("%.20s", line))
		}
	}
	for line, n := range r.came {
		if !known[line] && !r.way.lossy {
			r.t.Errorf("nobody wrote %.60q", line)
		}
		r.figures.again += n - 1
		if n-1 > r.mayRepeat[line] {
			again = append(again, fmt.Sprintf("%.20s", line))
		}
	}
	slices.Sort(lost)
	slices.Sort(again)
	r.checkOrder()
	if len(lost) > 0 {
		r.t.Errorf("%d of %d lines are lost: %.20q", len(lost), len(required), lost)
	}
	if len(again) > 0 {
		r.t.Errorf("%d lines came again that were in the journal: %.20q", len(again), again)
	}
}

// checkOrder requires that the lines of a log have come in their order, when they came first. Copies that are made
// while the source is down have a time that says nothing of when their lines were written.
func (r *rotating) checkOrder() {
	if r.way.lossy || r.deaf || r.way.tmp && r.figures.kills+r.figures.stops > 0 {
		return
	}
	for _, l := range r.logs {
		place := make(map[string]int, len(l.lines))
		for i, line := range l.lines {
			place[line] = i
		}
		seen := make([]bool, len(l.lines))
		latest := -1
		for _, line := range r.order {
			i, ok := place[line]
			if !ok || seen[i] {
				continue
			}
			seen[i] = true
			if i < latest {
				r.t.Errorf("line %d of %s came behind line %d", i, l.name, latest)
				break
			}
			latest = i
		}
	}
}

// kept returns the lines that are in a file.
func (r *rotating) kept() map[string]bool {
	all := map[string]bool{}
	r.must(filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		h, err := os.Open(path)
		if err != nil {
			return err
		}
		defer h.Close()
		head, err := readUpTo(h, make([]byte, 4), 0)
		if err != nil {
			return err
		}
		var text content = h
		if p := packingOf(head); p != plain {
			u := newUnpacker(h, p)
			defer u.close()
			text = u
		}
		data, err := io.ReadAll(io.NewSectionReader(text, 0, 1<<40))
		for line := range strings.Lines(string(data)) {
			all[strings.TrimSuffix(line, "\n")] = true
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return err
	}))
	return all
}
