package taildir

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
)

// TestModel lets the source follow logs to which random things happen and compares
// what comes out with what was written: every line once. What is allowed besides is
// named where it is done (allow…). TAILDIR_MODEL sets the number of schedules,
// TAILDIR_SEED the first of them; with TAILDIR_RACES things happen while the source
// is starting, too, at moments that no seed can repeat.
func TestModel(t *testing.T) {
	schedules, first := 50, uint64(1)
	if s := os.Getenv("TAILDIR_MODEL"); s != "" {
		schedules, _ = strconv.Atoi(s)
	}
	if s := os.Getenv("TAILDIR_SEED"); s != "" {
		first, _ = strconv.ParseUint(s, 10, 64)
	}
	total := 0
	for i := range schedules {
		seed := first + uint64(i)
		if !t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { total += runModel(t, seed) }) {
			return
		}
	}
	t.Logf("%d schedules, %d lines", schedules, total)
}

// model is the world of one schedule.
type model struct {
	*rig
	dice   *rand.Rand
	logs   []string
	racing bool                // things happen while the source starts, too: not repeatable
	wide   bool                // rotated files match, too, and all that is packed is read
	disk   map[string]*written // what is in each file
	ids    int
	steps  []string

	losable    map[string]bool
	repeatable map[string]int
	killing    bool // the next batch is stored and then the process ends
	snapshot   map[string][]byte
}

// written is the content of a file.
type written struct {
	lines  []string
	open   string // the beginning of a line without end
	packed bool
	seen   bool // the source has had time to find it
}

const stateFile = "/state/positions.json"

func runModel(t *testing.T, seed uint64) int {
	m := &model{
		dice: rand.New(rand.NewPCG(seed, 17)), disk: map[string]*written{},
		losable: map[string]bool{}, repeatable: map[string]int{}, racing: os.Getenv("TAILDIR_RACES") != "",
	}
	m.rig = newRig(t, "unterminatedLine = wait", "byteOffsetHeader = true", "fileHeader = true",
		"batchSize = "+strconv.Itoa(1+m.dice.IntN(12)), "maxOpenFiles = 8",
		"idleTimeout = "+strconv.Itoa([]int{1500, 10_000, 120_000}[m.dice.IntN(3)]))
	m.logs = []string{"app.log", "web.log", "db.out"}[:1+m.dice.IntN(3)]
	if m.wide = m.dice.IntN(2) == 0; m.wide {
		m.set1("compressedFiles = read", `filegroups = g1 g2`, `filegroups.g1 = $DIR/(app|web)\..*`, `filegroups.g2 = $DIR/db\..*`)
	} else {
		m.set1(`filegroups = g1`, `filegroups.g1 = $DIR/(app\.log|web\.log|db\.out)`)
	}
	m.out.fail = m.emitted
	synctest.Test(t, func(*testing.T) {
		defer m.close()
		m.start()
		synctest.Wait()
		for range 10 + m.dice.IntN(40) {
			m.step()
		}
		if m.stop == nil {
			m.start()
		}
		m.complete()
		m.look()
		m.look()
		m.stop()
		m.check(seed)
	})
	return m.ids
}

// did notes a step for the report of a failure.
func (m *model) did(format string, args ...any) {
	m.steps = append(m.steps, fmt.Sprintf("%s %s", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...)))
}

// step does one thing.
func (m *model) step() {
	log := m.logs[m.dice.IntN(len(m.logs))]
	switch n := m.dice.IntN(100); {
	case n < 40:
		m.append(log, 1+m.dice.IntN(30))
	case n < 48:
		m.appendPart(log)
	case n < 60:
		m.look()
	case n < 67:
		m.rotate(log, m.moveAway)
	case n < 74:
		m.rotate(log, m.copyTruncate)
	case n < 82:
		m.compress(log)
	case n < 85:
		m.recreate(log)
	case n < 92:
		m.restart(false)
	case n < 98:
		m.restart(true)
	default:
		m.did("pass a minute")
		pass(time.Minute)
	}
}

// look gives the source time to find everything that there is.
func (m *model) look() {
	m.did("look")
	pass(looked)
	if m.stop == nil {
		return
	}
	for _, w := range m.disk {
		w.seen = true
	}
}

func (m *model) content(name string) *written {
	if m.disk[name] == nil {
		m.disk[name] = &written{}
	}
	return m.disk[name]
}

func (m *model) append(log string, n int) {
	w := m.content(log)
	var b strings.Builder
	for range n {
		m.ids++
		line := fmt.Sprintf("%s %06d %s", log, m.ids, strings.Repeat("x", m.dice.IntN(60)))
		if w.open != "" {
			b.WriteString(" end\n")
			w.lines = append(w.lines, w.open+" end")
			w.open = ""
		}
		b.WriteString(line + "\n")
		w.lines = append(w.lines, line)
	}
	m.did("append %d lines to %s, the last is %d", n, log, m.ids)
	m.write(log, b.String())
}

// appendPart writes the beginning of a line.
func (m *model) appendPart(log string) {
	w := m.content(log)
	m.ids++
	part := ""
	if w.open == "" {
		part = fmt.Sprintf("%s %06d", log, m.ids)
	} else {
		part = " and more"
	}
	w.open += part
	m.did("append %q to %s", part, log)
	m.write(log, part)
}

// complete ends all lines.
func (m *model) complete() {
	for name, w := range m.disk {
		m.end(name, w)
	}
}

func (m *model) end(name string, w *written) {
	if w.open != "" {
		m.write(name, " end\n")
		w.lines = append(w.lines, w.open+" end")
		w.open = ""
	}
}

// rotate shifts the older files of a log and lets how move the present one to ".1".
func (m *model) rotate(log string, how func(log string)) {
	w := m.disk[log]
	if w == nil {
		return
	}
	if !m.wide && (!w.seen || len(w.lines) == 0 || m.undelivered(w) == len(w.lines)) {
		return // nobody could know the content under another name
	}
	m.end(log, w)
	const most = 4
	for i := most; i >= 1; i-- {
		for _, suffix := range []string{"", ".gz", ".zst"} {
			name := fmt.Sprintf("%s.%d%s", log, i, suffix)
			if m.disk[name] == nil {
				continue
			}
			if i == most {
				m.delete(name)
				continue
			}
			to := fmt.Sprintf("%s.%d%s", log, i+1, suffix)
			m.did("rename %s to %s", name, to)
			m.rename(name, to)
			m.disk[to] = m.disk[name]
			delete(m.disk, name)
		}
	}
	how(log)
}

func (m *model) moveAway(log string) {
	m.did("rename %s to %s.1", log, log)
	m.rename(log, log+".1")
	m.disk[log+".1"] = m.disk[log]
	delete(m.disk, log)
	if m.dice.IntN(2) == 0 {
		m.append(log, 1+m.dice.IntN(5))
	}
}

func (m *model) copyTruncate(log string) {
	w := m.disk[log]
	m.did("copy %s to %s.1", log, log)
	m.copy(log, log+".1")
	if w.seen && m.undelivered(w) < len(w.lines) && m.dice.IntN(3) == 0 {
		m.look() // the copying takes a while
		if m.dice.IntN(2) == 0 {
			// allowLoss: what is written between copying and truncating is lost
			// unless it is read in time.
			before := len(w.lines)
			m.append(log, 3)
			for _, line := range w.lines[before:] {
				m.losable[line] = true
			}
			if m.dice.IntN(2) == 0 {
				m.look()
			}
			w.lines = w.lines[:before]
		}
	}
	m.did("truncate %s", log)
	m.truncate(log)
	m.disk[log+".1"] = w
	m.disk[log] = &written{seen: w.seen && m.stop != nil}
}

// compress packs the youngest plain file that was rotated.
func (m *model) compress(log string) {
	for i := 1; i <= 4; i++ {
		name := fmt.Sprintf("%s.%d", log, i)
		w := m.disk[name]
		if w == nil {
			continue
		}
		to := name + ".gz"
		if m.dice.IntN(3) == 0 {
			to = name + ".zst"
		}
		m.did("compress %s to %s", name, to)
		m.pack(name, to)
		if m.dice.IntN(2) == 0 {
			m.look()
		}
		m.must(os.Remove(m.path(name)))
		delete(m.disk, name)
		w.packed = true
		m.disk[to] = w
		return
	}
}

// recreate deletes a log and begins another of its name.
func (m *model) recreate(log string) {
	if m.disk[log] == nil {
		return
	}
	m.delete(log)
	m.append(log, 1+m.dice.IntN(10))
}

// delete removes a file. allowLoss: nobody can read on what nobody holds open.
func (m *model) delete(name string) {
	m.did("delete %s", name)
	m.must(os.Remove(m.path(name)))
	have := m.delivered()
	for _, line := range m.disk[name].lines {
		if have[line] == 0 {
			m.losable[line] = true
		}
	}
	delete(m.disk, name)
}

// restart stops or starts the source; a kill takes it back to what was stored.
func (m *model) restart(kill bool) {
	if m.stop == nil {
		m.did("start")
		m.start()
		if !m.racing {
			synctest.Wait()
		}
		if m.dice.IntN(2) == 0 {
			m.look()
		}
		return
	}
	if !kill {
		m.did("stop")
		m.stop()
		return
	}
	m.did("kill")
	m.out.mu.Lock()
	m.killing, m.snapshot = true, nil
	m.out.mu.Unlock()
	if m.dice.IntN(3) > 0 {
		pass(time.Second) // a batch may come
	}
	synctest.Wait()
	m.out.mu.Lock()
	m.killing = false
	if m.snapshot == nil {
		m.snapshot = m.state()
	}
	m.out.mu.Unlock()
	m.stop()
	for name, text := range m.snapshot {
		if text == nil {
			m.files.Remove(name)
			continue
		}
		m.must(vfs.ReplaceFile(m.files, name, text, 0o600))
	}
}

var errKilled = errors.New("the process was killed")

// emitted stores a batch, and then perhaps ends the process. allowRepetition: of
// that batch, and of no other.
func (m *model) emitted(b *event.Batch) error {
	if !m.killing {
		return nil
	}
	if m.snapshot == nil {
		m.out.keep(b)
		for i := range b.Len() {
			m.repeatable[string(b.At(i).Body)]++
		}
		m.snapshot = m.state()
	}
	return flow.Fatal(errKilled)
}

// state is what a killed process leaves behind.
func (m *model) state() map[string][]byte {
	s := map[string][]byte{}
	for _, name := range []string{stateFile, stateFile + journalSuffix} {
		text, err := vfs.ReadFile(m.files, name)
		if err != nil {
			text = nil
		}
		s[name] = text
	}
	return s
}

// pack compresses a file into another.
func (m *model) pack(from, to string) {
	text, err := os.ReadFile(m.path(from))
	m.must(err)
	m.must(os.WriteFile(m.path(to), packText(text, strings.HasSuffix(to, ".gz")), 0o600))
}

func packText(text []byte, gz bool) []byte {
	if gz {
		var b strings.Builder
		w := gzip.NewWriter(&b)
		w.Write(text)
		w.Close()
		return []byte(b.String())
	}
	w, _ := zstd.NewWriter(nil)
	defer w.Close()
	return w.EncodeAll(text, nil)
}

func (m *model) delivered() map[string]int {
	have := map[string]int{}
	for _, b := range m.out.bodies() {
		have[b]++
	}
	return have
}

// origins tells where the source found a line each time.
func (m *model) origins(line string) string {
	var all []string
	for i := range m.out.events {
		if e := &m.out.events[i]; string(e.Body) == line {
			file, _ := e.Header("file")
			offset, _ := e.Header("byteoffset")
			all = append(all, fmt.Sprintf("%s@%s as event %d", filepath.Base(file), offset, i))
		}
	}
	return strings.Join(all, " and ")
}

func (m *model) undelivered(w *written) int {
	have, n := m.delivered(), 0
	for _, line := range w.lines {
		if have[line] == 0 {
			n++
		}
	}
	return n
}

// check compares what has come with what was written.
func (m *model) check(seed uint64) {
	have := m.delivered()
	var faults []string
	known := map[string]bool{}
	for name, w := range m.disk {
		for _, line := range w.lines {
			known[line] = true
			if have[line] == 0 && !m.losable[line] {
				faults = append(faults, fmt.Sprintf("lost: %q of %s", line, name))
			}
		}
	}
	for line, n := range have {
		if n > 1+m.repeatable[line] {
			faults = append(faults, fmt.Sprintf("%d times: %q, from %s", n, line, m.origins(line)))
		}
		if !known[line] && !strings.Contains(line, " ") {
			faults = append(faults, fmt.Sprintf("nobody wrote %q", line))
		}
	}
	if len(faults) > 0 {
		slices.Sort(faults)
		m.t.Fatalf("seed %d (wide=%v): %d faults: %q\nsteps:\n%s\nlog:\n%s\nstate:\n%s", seed, m.wide, len(faults), faults[:min(5, len(faults))],
			strings.Join(m.steps, "\n"), m.log, m.state()[stateFile+journalSuffix])
	}
}
