//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/flume-go/flume/e2e/harness"
)

// rotateReport is the figures of a run.
type rotateReport struct {
	rotations, kills, early int
	written, lost, halves   int
	fromSource, fromSink    int // lines that came again
	lostBytes, told         int
}

func (r *rotateReport) add(o rotateReport) {
	r.rotations += o.rotations
	r.kills += o.kills
	r.early += o.early
	r.written += o.written
	r.lost += o.lost
	r.halves += o.halves
	r.fromSource += o.fromSource
	r.fromSink += o.fromSink
	r.lostBytes += o.lostBytes
	r.told += o.told
}

func (r rotateReport) String() string {
	return fmt.Sprintf("%d rotations, %d kills (%d while starting), %d lines written, %d of them in no file behind copytruncate "+
		"(%d bytes, of which the source told %d) and %d halves, %d came again from the source and %d from the sink",
		r.rotations, r.kills, r.early, r.written, r.lost, r.lostBytes, r.told, r.halves, r.fromSource, r.fromSink)
}

// receipts reads what sinks write, as they write it.
type receipts struct {
	book    *ledger
	offsets map[string]int64
	lines   []receipt
	times   map[int]int   // how often each line came
	latest  map[uint8]int // the latest line of each log
	halves  []string      // lines of which only the beginning came
	errors  []error
	behind  []error // lines that came behind later ones of their log
}

// receipt is a line that came.
type receipt struct{ id, life int }

func newReceipts(book *ledger) *receipts {
	return &receipts{book: book, offsets: map[string]int64{}, times: map[int]int{}, latest: map[uint8]int{}}
}

// advance reads what has come since.
func (r *receipts) advance(lives []*life) {
	for n, l := range lives {
		for _, dir := range l.sinks {
			names, _ := filepath.Glob(filepath.Join(dir, "*")) // the pattern is good
			for _, name := range names {
				r.read(n, name)
			}
		}
	}
}

// read reads the whole lines that a file has more.
func (r *receipts) read(life int, name string) {
	f, err := os.Open(name)
	if err != nil {
		r.errors = append(r.errors, err)
		return
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, r.offsets[name], 1<<62))
	if err != nil {
		r.errors = append(r.errors, err)
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	r.offsets[name] += int64(len(text))
	for line := range bytes.Lines(text) {
		r.enter(life, bytes.TrimSuffix(line, []byte("\n")))
	}
}

func (r *receipts) enter(life int, line []byte) {
	id, err := r.book.identify(line)
	if err != nil {
		if r.book.began(line) {
			r.halves = append(r.halves, string(line))
		} else {
			r.errors = append(r.errors, err)
		}
		return
	}
	r.book.mu.Lock()
	c := r.book.clients[id]
	r.book.mu.Unlock()
	if before, ok := r.latest[c]; ok && before > id && r.times[id] == 0 {
		r.behind = append(r.behind, fmt.Errorf("line %d of log %d came behind line %d", id, c, before))
	}
	r.latest[c] = max(r.latest[c], id)
	r.times[id]++
	r.lines = append(r.lines, receipt{id, life})
}

// haveAll reports whether the lines before the n-th have come.
func (r *receipts) haveAll(n int) bool {
	for id := range n {
		if r.times[id] == 0 {
			return false
		}
	}
	return true
}

// settle waits until everything that can be delivered was, and compares.
func (w *rotateWorld) settle(v *victim) {
	w.t.Helper()
	want := w.required()
	missing := func() (n int) {
		w.got.advance(w.lives)
		for id := range want {
			if w.got.times[id] == 0 {
				n++
			}
		}
		return n
	}
	if !harness.Poll(drainLimit, func() bool { return missing() == 0 || !v.running() }) || !v.running() {
		w.t.Errorf("%d lines are not delivered", missing())
	}
	w.empty(w.t, v)
	v.stop(w.t)
	w.logs = append(w.logs, v.log.String())
	w.figures.told += unreadBytes(v.log.String())
	w.got.advance(w.lives)
	before := len(w.got.lines)
	w.lookAgain(before)
	if n := missing(); n > 0 {
		w.t.Errorf("%d lines that are in the files are lost", n)
	}
	w.compare()
}

// lookAgain requires that the next agent finds nothing more.
func (w *rotateWorld) lookAgain(before int) {
	v := w.startAgent()
	defer v.kill()
	harness.Eventually(w.t, 30*time.Second, "the source to have looked", func() bool { return v.log.contains("following files") || !v.running() })
	pass(w.t.Context(), 200*time.Millisecond)
	w.empty(w.t, v)
	v.stop(w.t)
	w.got.advance(w.lives)
	if n := len(w.got.lines) - before; n > 0 {
		w.t.Errorf("%d lines, the first of them line %d, were delivered behind an orderly stop:\n%s", n, w.got.lines[before].id, v.log.String())
	}
}

// required returns the lines that must be delivered: all, or those that are in a file.
func (w *rotateWorld) required() map[int]bool {
	written := map[int]bool{}
	for id, ok := range w.book.acked {
		if !ok {
			w.t.Errorf("line %d was not written", id)
		}
		written[id] = true
	}
	if w.gone {
		return written
	}
	kept := w.keptLines()
	if !w.lossy && !maps.Equal(written, kept) {
		w.t.Errorf("%d lines were written, and %d are in the files: what was tested is not what was meant", len(written), len(kept))
	}
	return kept
}

// keptLines returns the lines that are in the logs and in what logrotate made of them.
func (w *rotateWorld) keptLines() map[int]bool {
	kept := map[int]bool{}
	for _, dir := range []string{"logs", "old"} {
		entries, err := os.ReadDir(filepath.Join(w.root, dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.t.Fatal(err)
		}
		for _, e := range entries {
			for line := range bytes.Lines(unpackFile(w.t, filepath.Join(w.root, dir, e.Name()))) {
				if id, err := w.book.identify(bytes.TrimSuffix(line, []byte("\n"))); err == nil {
					kept[id] = true
				} else if !w.lossy {
					w.t.Errorf("in %s: %v", e.Name(), err)
				}
			}
		}
	}
	return kept
}

// unpackFile returns what is in a file, unpacked if its name says that it is packed.
func unpackFile(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var in io.Reader = f
	switch filepath.Ext(name) {
	case ".gz":
		in, err = gzip.NewReader(f)
	case ".xz":
		in, err = xz.NewReader(f)
	case ".zst":
		var z *zstd.Decoder
		if z, err = zstd.NewReader(f); err == nil {
			defer z.Close()
			in = z
		}
	}
	var text []byte
	if err == nil {
		text, err = io.ReadAll(in)
	}
	if err != nil {
		t.Fatalf("reading %s: %v", name, err)
	}
	return text
}

// compare holds what was delivered against what was written.
func (w *rotateWorld) compare() {
	w.t.Helper()
	for _, err := range w.got.errors {
		w.t.Error(err)
	}
	w.figures.written, w.figures.halves = len(w.book.acked), len(w.got.halves)
	if w.figures.halves > 0 && !w.lossy {
		w.t.Errorf("halves of lines were delivered, the first of them %.80q", w.got.halves[0])
	}
	var lost []int
	for id := range w.book.acked {
		if w.got.times[id] == 0 {
			lost = append(lost, id)
			w.figures.lostBytes += len(w.book.appendLine(nil, id)) + 1
		}
	}
	// That they are in no file was found before.
	if w.figures.lost = len(lost); len(lost) > 0 && !w.lossy {
		w.t.Errorf("%d of %d lines are lost, the first of them line %d", len(lost), w.figures.written, lost[0])
	}
	if w.figures.told > w.figures.lostBytes {
		w.t.Errorf("the source told of %d lost bytes; lost are %d", w.figures.told, w.figures.lostBytes)
	}
	w.compareAgain()
	if w.figures.kills == 0 && !w.lossy && len(w.got.behind) > 0 {
		w.t.Errorf("%d lines came out of order; %v", len(w.got.behind), w.got.behind[0])
	}
}

// compareAgain requires that only lines of the batches in flight at a kill came again: the batch that the sink had
// written and not acknowledged, which is the end of what it wrote, and that of the source.
func (w *rotateWorld) compareAgain() {
	inFlight := map[int]bool{} // places in lines
	for n, l := range w.lives {
		last := slices.IndexFunc(w.got.lines, func(r receipt) bool { return r.life > n })
		if last < 0 {
			last = len(w.got.lines)
		}
		for i := last - 1; i >= 0 && i >= last-l.batch && w.got.lines[i].life == n && !l.killed.IsZero(); i-- {
			inFlight[i] = true
		}
	}
	var again []int
	spare := map[int]int{}
	for i, r := range w.got.lines {
		if inFlight[i] {
			spare[r.id]++
		}
	}
	for id, n := range w.got.times {
		more := n - 1
		sink := min(more, spare[id])
		w.figures.fromSink += sink
		if more > sink {
			w.figures.fromSource += more - sink
			again = append(again, id)
		}
	}
	slices.Sort(again)
	if w.figures.fromSource > w.figures.kills*w.batch {
		w.t.Errorf("with %d kills and batches of %d, %d lines came again from the source, the first of them line %d",
			w.figures.kills, w.batch, w.figures.fromSource, again[0])
	}
}

var unreadShape = regexp.MustCompile(`vanished or was truncated before.* unread=(\d+)`)

// unreadBytes adds up what the source of an agent told to be lost.
func unreadBytes(log string) (n int) {
	for line := range strings.Lines(log) {
		if m := unreadShape.FindStringSubmatch(line); m != nil {
			k, _ := strconv.Atoi(m[1])
			n += k
		}
	}
	return n
}
