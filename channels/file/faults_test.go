package file_test

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	_ "github.com/flume-go/flume/channels/file"
	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/faulttest"
	"github.com/flume-go/flume/internal/invariants"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
	"github.com/flume-go/flume/property"
)

// forms are the channels that are put to the test, each on a disk of its own.
var forms = map[string]map[string]string{
	"one directory": {"dataDirs": "/data"},
	"three directories, encrypted": merged(faulttest.KeySettings, map[string]string{
		"dataDirs": "/data1,/data2,/data3", "capacity": "50", "transactionCapacity": "20",
	}),
}

func merged(all ...map[string]string) map[string]string {
	m := make(map[string]string)
	for _, settings := range all {
		maps.Copy(m, settings)
	}
	return m
}

// newChannel makes a channel of a form, as an agent does.
func newChannel(form string) func(vfs.FS) (flow.Channel, error) {
	settings := property.Settings{}
	for key, text := range merged(map[string]string{
		"checkpointDir": "/checkpoint", "maxFileSize": "65536", "minimumRequiredSpace": "1048576",
		"checkpointInterval": "1000", "keep-alive": "1",
	}, forms[form]) {
		settings[key] = property.Value{Text: text, Raw: text}
	}
	return func(fsys vfs.FS) (flow.Channel, error) {
		entry, ok := component.Lookup(component.KindChannel, "file")
		if !ok {
			return nil, errors.New("the channel is not registered")
		}
		d := component.Decode(entry, settings, component.Scope{Prefix: "a1.channels.c1."})
		if d.Failed() {
			return nil, fmt.Errorf("decoding the settings: %v", d.Problems)
		}
		return component.New[flow.Channel](d, component.Env{
			Agent: "a1", Name: "c1", Log: slog.New(slog.DiscardHandler), Metrics: metrics.NewSet(metrics.KindChannel, "c1"), FS: fsys,
		}, nil)
	}
}

// fault is a way for operations to fail, from operation k on.
type fault func(k int64, crash func()) vfs.Injector

var mixed = vfs.CrashPolicy{Data: vfs.Mixed, Entries: vfs.Mixed}

func isWrite(op vfs.Op) bool { return op.Kind == vfs.OpWrite }
func isSync(op vfs.Op) bool  { return op.Kind == vfs.OpSync || op.Kind == vfs.OpSyncDir }

// between fails the matching operations from k to k+n with err.
func between(match func(vfs.Op) bool, n int64, err error) fault {
	return func(k int64, _ func()) vfs.Injector {
		return vfs.Only(match, func(op vfs.Op) vfs.Action {
			if op.N < k || op.N >= k+n {
				return vfs.Action{}
			}
			return vfs.Action{Err: err}
		})
	}
}

// always says that every operation is meant.
func always(vfs.Op) bool { return true }

// cutShort cuts write k short.
func cutShort(k int64, _ func()) vfs.Injector {
	return vfs.Only(isWrite, func(op vfs.Op) vfs.Action {
		if op.N != k {
			return vfs.Action{}
		}
		return vfs.Action{Err: syscall.ENOSPC, Keep: op.Len * (k % 5) / 5}
	})
}

// thenCut fails sync k, and cuts the power a few operations later: while the log is getting over it.
func thenCut(k int64, crash func()) vfs.Injector {
	var syncs, later int64
	return func(op vfs.Op) vfs.Action {
		if syncs > k && op.Mutates() {
			if later++; later > k%9 {
				return vfs.Action{Crash: crash}
			}
		}
		if !isSync(op) {
			return vfs.Action{}
		}
		if syncs++; syncs-1 != k {
			return vfs.Action{}
		}
		return vfs.Action{Err: syscall.EIO}
	}
}

// faults are what is tried at each operation: once; for a time; until the faults end. The power is cut at operations that
// change something, as the others make no difference.
var faults = map[string]fault{
	"power cut":                     func(k int64, crash func()) vfs.Injector { return vfs.Only(vfs.Op.Mutates, vfs.CrashAt(k, crash)) },
	"EIO":                           between(always, 1, syscall.EIO),
	"EIO for a while":               between(vfs.Op.Mutates, 6, syscall.EIO),
	"ENOSPC":                        between(vfs.Op.Mutates, 1, syscall.ENOSPC),
	"ENOSPC for a while":            between(vfs.Op.Mutates, 12, syscall.ENOSPC),
	"EROFS from then on":            between(vfs.Op.Mutates, 1<<40, syscall.EROFS),
	"short write":                   cutShort,
	"failed sync":                   between(isSync, 1, syscall.EIO),
	"failed syncs in a row":         between(isSync, 3, syscall.EIO),
	"failed sync, then a power cut": thenCut,
}

// history is one run: a life without faults, one with the fault at operation k, another one, and the settlement. Odd runs
// cut the power after the life with the fault, and at any operation of the recovery that follows. In some the disk is full, or
// nearly so, during the fault, or during the life after it.
func history(t testing.TB, form, name string, k int64, seed uint64) (injected bool) {
	h := faulttest.NewHistory(seed, newChannel(form))
	if err := h.AddKeys(); err != nil {
		t.Fatal(err)
	}
	h.Producers, h.Takers, h.Puts = 1+int(seed%5), 1+int(seed%3), 3+int(seed%4)
	h.Live(faulttest.Life{Crash: mixed, Cut: seed%4 == 0})
	odd, room := seed%2 == 1, [...]int64{1, 70_000, 1_200_000}[k%3]
	injected = h.Live(faulttest.Life{
		Faults: func(crash func()) vfs.Injector { return faults[name](k, crash) },
		Crash:  mixed, Cut: odd, Closing: seed%3 == 0, Room: when(seed%5 == 2, room),
	})
	if odd {
		h.Live(faulttest.Life{Faults: func(crash func()) vfs.Injector {
			return faults["power cut"](int64(rand.New(rand.NewPCG(seed, 3)).IntN(40)), crash)
		}, Crash: mixed})
	}
	h.Live(faulttest.Life{Closing: seed%3 == 1, Room: when(seed%5 == 3, room)})
	h.Settle()
	if err := h.Err(); err != nil {
		t.Errorf("%s, %s at operation %d; for more of the same FILE_FAULT='%[1]s/%[2]s/%[3]d/%[4]d':\n%[5]v", form, name, k, seed, err)
	}
	return injected
}

// when returns n if that is the case, else 0.
func when(is bool, n int64) int64 {
	if is {
		return n
	}
	return 0
}

// TestFaultAtEveryOperation fails each operation of a life with several producers and takers in each of the ways above.
// By default it takes samples; FILE_FAULTS=1 leaves none out, a larger number does so for as many seeds, which are
// counted up from FILE_FAULT_SEED.
func TestFaultAtEveryOperation(t *testing.T) {
	seeds, stride, short := uint64(1), int64(17), 2
	if invariants.Enabled {
		stride = 97 // race detection makes everything ten times as slow
	}
	if n, ok := environment(t, "FILE_FAULTS"); ok {
		seeds, stride, short = n, 1, 6
	}
	base, ok := environment(t, "FILE_FAULT_SEED")
	if !ok {
		base = rand.Uint64N(1 << 32)
	}
	runs, hits := 0, 0
	for seed := range seeds {
		for _, form := range slices.Sorted(maps.Keys(forms)) {
			for _, name := range slices.Sorted(maps.Keys(faults)) {
				// Lives differ in length: only when some in a row had no operation k is there none.
				misses := 0
				for k := int64(base) % stride; misses < short; k += stride {
					injected := false
					synctest.Test(t, func(t *testing.T) { injected = history(t, form, name, k, base+seed+uint64(k)) })
					if t.Failed() {
						t.FailNow()
					}
					runs++
					if misses++; injected {
						misses = 0
						hits++
					}
				}
			}
		}
	}
	t.Logf("FILE_FAULT_SEED=%d: %d histories, %d with a fault", base, runs, hits)
}

// TestFaultAgain repeats one history, as the variable FILE_FAULT names it. What goroutines do first differs each time, so
// that it takes more than one. By default it is one that has it all.
func TestFaultAgain(t *testing.T) {
	text, times := "one directory/failed sync/20/5", 3
	if v := os.Getenv("FILE_FAULT"); v != "" {
		text, times = v, 300
	}
	part := strings.Split(text, "/")
	if len(part) != 4 || forms[part[0]] == nil || faults[part[1]] == nil {
		t.Fatalf("FILE_FAULT=%s is not form/fault/operation/seed", text)
	}
	k, errK := strconv.ParseInt(part[2], 10, 64)
	seed, errSeed := strconv.ParseUint(part[3], 10, 64)
	if err := errors.Join(errK, errSeed); err != nil {
		t.Fatalf("FILE_FAULT=%s: %v", text, err)
	}
	for range times {
		synctest.Test(t, func(t *testing.T) { history(t, part[0], part[1], k, seed) })
		if t.Failed() {
			return
		}
	}
}

// environment returns a number from the environment.
func environment(t *testing.T, name string) (n uint64, ok bool) {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return 0, false
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		t.Fatalf("%s=%s is not a number", name, v)
	}
	return n, true
}
