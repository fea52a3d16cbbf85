package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/flume-go/flume/internal/invariants"
	"github.com/flume-go/flume/internal/vfs"
)

// crashForms are the logs that are put to the test, with the capacity of their disks: in the clear, sealed, and on a disk with
// space for a single segment.
var crashForms = map[string]struct {
	options  func(vfs.FS) Options
	capacity int64 // negative: no limit
}{
	"clear":  {testOptions, -1},
	"sealed": {sealedOptions, -1},
	"narrow": {testOptions, minSegmentSize + testReserve + 4<<10},
}

// oracle knows what recovery may find: each event is absent, maybe there, or present.
type oracle struct {
	present map[int]bool // appended with success, not acknowledged
	maybe   map[int]bool // the append or the acknowledgement was not answered with success, or is not synced
	gone    map[int]bool // of maybe: acknowledged with success, so that it is not there after a kill
	next    int
	mem     *vfs.Mem
	options func(vfs.FS) Options

	log    *Log // of the workload
	rivals int  // so many appends are yet to come while a group is being synced
	rival  sync.WaitGroup
	mu     sync.Mutex // of the maps, while there are rivals
}

// newOracle returns an oracle and the disk that it is about.
func newOracle(form string, seed uint64) *oracle {
	o := &oracle{
		present: make(map[int]bool), maybe: make(map[int]bool), gone: make(map[int]bool),
		mem: vfs.NewMem(seed), options: crashForms[form].options,
	}
	o.mem.SetCapacity(crashForms[form].capacity)
	return o
}

// workload appends, reads, acknowledges, writes checkpoints and reopens, until something fails with a
// crash or the steps are done. All errors that are not a crash are survived.
func (o *oracle) workload(opts Options, rng *rand.Rand, steps int) {
	opts.FS = &rivalDisk{opts.FS, o, rng}
	opts.aheadSize = 1
	l, err := Open(opts)
	if err != nil {
		return
	}
	defer func() { l.Close() }()
	for range steps {
		switch rng.IntN(8) {
		case 0:
			_ = l.Checkpoint() // a failure must not matter
		case 1:
			_ = l.Close() // likewise
			if opts.Cipher != nil {
				opts.Cipher = testCipher([]string{"", "k1", "k2"}[rng.IntN(3)])
			}
			if l, err = Open(opts); err != nil {
				l = &Log{closed: true, opts: opts}
				return
			}
		case 2, 3, 4:
			o.log, o.rivals = l, rng.IntN(4)
			o.append(l, 1+rng.IntN(6), rng.IntN(600))
			o.rival.Wait()
			o.rivals = 0
		default:
			o.consume(l, rng)
		}
	}
}

// run goes through the workload of a seed on fsys.
func (o *oracle) run(t *testing.T, fsys vfs.FS, seed uint64, steps int) {
	synctest.Test(t, func(*testing.T) { o.workload(o.options(fsys), rand.New(rand.NewPCG(seed, 1)), steps) })
}

func (o *oracle) append(l *Log, n, size int) {
	first := o.next
	o.next += n
	err := appendIDs(l, first, n, size)
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := first; i < first+n; i++ {
		if err == nil {
			o.present[i] = true
		} else {
			o.maybe[i] = true
		}
	}
}

// rivalDisk is a file system on which others append while a group is being synced: before the disk begins, or when it is done
// and the leader does not know it yet.
type rivalDisk struct {
	vfs.FS
	o   *oracle
	rng *rand.Rand
}

type rivalFile struct {
	vfs.File
	disk *rivalDisk
}

func (d *rivalDisk) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f, err := d.FS.OpenFile(name, flag, perm)
	if err != nil || !strings.HasSuffix(name, segmentSuffix) {
		return f, err
	}
	return &rivalFile{f, d}, nil
}

func (f *rivalFile) WritevAt(bufs [][]byte, off int64) (int64, error) {
	return vfs.WritevAt(f.File, bufs, off)
}

func (f *rivalFile) Sync() error {
	if before := f.disk.rng.IntN(2) == 0; before {
		f.disk.o.compete(f.disk.rng)
		return vfs.SyncData(f.File)
	}
	defer f.disk.o.compete(f.disk.rng)
	return vfs.SyncData(f.File)
}

// compete appends, in the goroutine of another, as far as that goes while the disk works for somebody else.
func (o *oracle) compete(rng *rand.Rand) {
	for o.rivals > 0 && o.log.writer.ahead {
		o.rivals--
		n, size := 1+rng.IntN(6), rng.IntN(600)
		if rng.IntN(4) == 0 {
			o.rival.Go(func() { _ = o.log.Checkpoint() }) // a failure must not matter
		} else {
			o.rival.Go(func() { o.append(o.log, n, size) })
		}
		synctest.Wait()
	}
}

func (o *oracle) consume(l *Log, rng *rand.Rand) {
	type taken struct {
		events Range
		ids    []int
	}
	var open []taken
	for range rng.IntN(5) {
		e, ok, err := l.TryRead(1 + rng.IntN(4))
		if !ok || err != nil {
			break
		}
		if rng.IntN(3) > 0 {
			got := idsOf(&recorder{}, e.Batch)
			open = append(open, taken{e.Events, got})
			for _, id := range got {
				delete(o.present, id)
				o.maybe[id] = true
			}
		}
		e.Batch.Release()
	}
	rng.Shuffle(len(open), func(i, j int) { open[i], open[j] = open[j], open[i] })
	for _, entry := range open {
		if err := l.Ack(entry.events); err != nil {
			continue // unanswered, the events are maybe there
		}
		for _, id := range entry.ids {
			o.gone[id] = true
		}
	}
}

// check opens the log and compares. It also proves that the log works on. A process that was only killed has left
// everything that it wrote.
func (o *oracle) check(fsys vfs.FS, wasKilled bool) error {
	l, err := Open(o.options(fsys))
	if err != nil {
		return err
	}
	defer l.Close()
	rec := &recorder{}
	got := readAll(rec, l, true)
	if len(rec.complaints) > 0 {
		return fmt.Errorf("reading: %s", rec.complaints[0])
	}
	if s := l.Stats(); s.Damaged > 0 {
		return fmt.Errorf("%d records are called damaged though only the power failed", s.Damaged)
	}
	if !slices.IsSorted(got) {
		return fmt.Errorf("not in order: %v", got)
	}
	found := make(map[int]bool)
	for _, id := range got {
		if found[id] {
			return fmt.Errorf("event %d was read twice", id)
		}
		found[id] = true
		if !o.present[id] && !o.maybe[id] {
			return fmt.Errorf("event %d was invented", id)
		}
		if wasKilled && o.gone[id] {
			return fmt.Errorf("event %d was acknowledged before the process was killed", id)
		}
	}
	for id := range o.present {
		if !found[id] {
			return fmt.Errorf("event %d is lost", id)
		}
	}
	// More than a segment holds.
	for i := range 10 {
		first := 1<<20 + 2*i
		if err := appendIDs(l, first, 2, 400); err != nil {
			return fmt.Errorf("appending after recovery: %w", err)
		}
		if got := readAll(rec, l, true); !slices.Equal(got, seq(first, 2)) {
			return fmt.Errorf("a fresh event after recovery was read as %v", got)
		}
	}
	return l.Close()
}

// recorder keeps complaints where a testing.TB is wanted.
type recorder struct {
	testing.TB
	complaints []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.complaints = append(r.complaints, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatal(args ...any) { r.complaints = append(r.complaints, fmt.Sprint(args...)) }

var policies = map[string]vfs.CrashPolicy{
	"none":  {},
	"all":   killed,
	"mixed": {Data: vfs.Mixed, Entries: vfs.Mixed},
}

// crashRun crashes the workload of a seed at mutating operation k and checks what is left; it
// reports whether there was an operation k.
func crashRun(t *testing.T, form string, seed uint64, k int64, policy vfs.CrashPolicy, steps int) (crashed bool, err error) {
	o := newOracle(form, seed)
	var left *vfs.Mem
	fsys := vfs.NewFailing(o.mem, vfs.Only(vfs.Op.Mutates, vfs.CrashAt(k, func() { left = o.mem.Crash(policy) })))
	o.run(t, fsys, seed, steps)
	if left == nil {
		return false, o.check(o.mem, true)
	}
	return true, o.check(left, policy == killed)
}

// stride is 1, so that every operation and every byte has its turn; race detection, which makes
// everything ten times as slow, takes samples.
func stride() int64 {
	if invariants.Enabled {
		return 13
	}
	return 1
}

func TestCrashAtEveryOperation(t *testing.T) {
	states := 0
	for form := range crashForms {
		for name, policy := range policies {
			for seed := range uint64(2) {
				for k := int64(0); ; k += stride() {
					crashed, err := crashRun(t, form, seed, k, policy, 25)
					if err != nil {
						t.Fatalf("%s, seed %d, crash at operation %d, unsynced data kept: %s: %v", form, seed, k, name, err)
					}
					states++
					if !crashed {
						break
					}
				}
			}
		}
	}
	t.Logf("%d states", states)
}

// errorRun fails operation k of the workload; then the power fails too, or the process is killed.
func errorRun(t *testing.T, form string, seed uint64, k int64, fault error, policy vfs.CrashPolicy, steps int) (injected bool, err error) {
	o := newOracle(form, seed)
	fsys := vfs.NewFailing(o.mem, vfs.FailAt(k, fault))
	o.run(t, fsys, seed, steps)
	return fsys.Injected() > 0, o.check(o.mem.Crash(policy), policy == killed)
}

func TestErrorAtEveryOperation(t *testing.T) {
	states := 0
	for form := range crashForms {
		for i, fault := range []error{syscall.EIO, syscall.ENOSPC} {
			for k := int64(0); ; k += stride() {
				policy := []string{"mixed", "all"}[(k+int64(i))%2]
				injected, err := errorRun(t, form, 5, k, fault, policies[policy], 25)
				if err != nil {
					t.Fatalf("%s, seed 5, %v at operation %d, unsynced data kept: %s: %v", form, fault, k, policy, err)
				}
				states++
				if !injected {
					break
				}
			}
		}
	}
	t.Logf("%d states", states)
}

// TestCrashLong runs as many random states as the environment variable WAL_CRASH_STATES says, by default a
// few. WAL_CRASH_SEED repeats a run.
func TestCrashLong(t *testing.T) {
	states, seed := 30, rand.Uint64N(1<<32)
	if v := os.Getenv("WAL_CRASH_STATES"); v != "" {
		states = number(t, v)
	}
	if v := os.Getenv("WAL_CRASH_SEED"); v != "" {
		seed = uint64(number(t, v))
	}
	rng := rand.New(rand.NewPCG(seed, 2))
	crashes, faults := 0, 0
	for i := range states {
		run, k, steps := rng.Uint64(), rng.Int64N(400), 20+rng.IntN(80)
		form := []string{"clear", "sealed", "narrow"}[run%3]
		policy := []string{"mixed", "mixed", "all"}[run/3%3]
		var err error
		var hit bool
		if i%3 == 0 {
			hit, err = errorRun(t, form, run, 2*k, []error{syscall.EIO, syscall.ENOSPC}[i/3%2], policies[policy], steps)
			faults += count(hit)
		} else {
			hit, err = crashRun(t, form, run, k, policies[policy], steps)
			crashes += count(hit)
		}
		if err != nil {
			t.Fatalf("WAL_CRASH_SEED=%d, state %d (%s, seed %d, operation %d, unsynced data kept: %s, %d steps): %v", seed, i, form, run, k, policy, steps, err)
		}
	}
	t.Logf("WAL_CRASH_SEED=%d: %d states, %d after a crash, %d after a fault", seed, states, crashes, faults)
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

func number(t *testing.T, s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(errors.New("not a number: " + s))
	}
	return n
}
