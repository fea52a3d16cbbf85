//go:build linux

package roles

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/wal"
)

// play runs a role in this process: it is told to go and its input stays open until it returns. The
// result is what it said when it was done.
func play(t *testing.T, role func(context.Context, []string, Streams) error, result any, args ...string) error {
	t.Helper()
	in, say := io.Pipe()
	defer say.Close()
	go io.WriteString(say, "go\n")
	var out bytes.Buffer
	if err := role(t.Context(), args, Streams{In: bufio.NewReader(in), Out: &out}); err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	text, ok := strings.CutPrefix(lines[len(lines)-1], "done ")
	if !ok {
		t.Fatalf("the role said %q, want that it is done", lines)
	}
	if err := json.Unmarshal([]byte(text), result); err != nil {
		t.Fatalf("the role said %q: %v", text, err)
	}
	return nil
}

func TestPuts(t *testing.T) {
	for _, tt := range []struct {
		name     string
		args     []string
		together bool // syncs are shared
	}{
		{"bare, alone", []string{"-bare"}, false},
		{"bare, together", []string{"-bare", "-producers", "8"}, true},
		{"log, alone", nil, false},
		{"log, together", []string{"-producers", "8"}, true},
		{"log, encrypted", []string{"-encrypted"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var p Puts
			args := append([]string{"-dir", t.TempDir(), "-batch", "10", "-warm", "50ms", "-for", "150ms"}, tt.args...)
			if err := play(t, puts, &p, args...); err != nil {
				t.Fatal(err)
			}
			if p.Took < 150*time.Millisecond || p.Peak == 0 {
				t.Errorf("%+v, want a peak, measured for 150 ms", p)
			}
			// Syncs and batches are not counted at the same moment, and a disk that others use may stall: the
			// bounds are wide.
			if !tt.together && p.Syncs < p.Batches/2 {
				t.Errorf("%d syncs for %d batches of one producer, want one for each", p.Syncs, p.Batches)
			}
			if tt.together && p.Batches > 100 && p.Syncs > p.Batches*3/4 {
				t.Errorf("%d syncs for %d batches of 8 producers, want that they share them", p.Syncs, p.Batches)
			}
		})
	}
}

func TestPutsRefusesNonsense(t *testing.T) {
	for _, args := range [][]string{{"-producers", "0"}, {"-batch", "0"}, {"-for", "0s"}, {"-nonsense"}} {
		if err := play(t, puts, nil, args...); err == nil {
			t.Errorf("puts %q did not fail", args)
		}
	}
}

func TestStageDrainScan(t *testing.T) {
	dir := t.TempDir()
	var staged uint64
	// Twice: the second goes on where the first ended.
	for _, want := range []uint64{300, 600} {
		if err := play(t, stage, &staged, "-dir", dir, "-bytes", "30000", "-body", "100", "-batch", "30"); err != nil {
			t.Fatal(err)
		}
		if staged != want {
			t.Fatalf("staged %d events, want %d", staged, want)
		}
	}
	// Twice: reading takes nothing away.
	for range 2 {
		var d Drained
		if err := play(t, drain, &d, "-dir", dir); err != nil {
			t.Fatal(err)
		}
		if d.Staged != 600 || d.Events != 600 || d.Bytes != 60000 || d.Open <= 0 || d.Took <= 0 || d.OpenRSS == 0 || d.LateRSS == 0 {
			t.Errorf("drained %+v, want 600 events of 60000 bytes", d)
		}
	}
	var d Drained
	if err := play(t, drain, &d, "-dir", dir, "-open-only"); err != nil || d.Staged != 600 || d.Events != 0 {
		t.Errorf("opened %+v, %v, want 600 events that were not read", d, err)
	}
	var s Scanned
	if err := play(t, scan, &s, "-dir", dir); err != nil || s.Bytes < 60000 || s.Took <= 0 {
		t.Errorf("scanned %+v, %v, want the files of 60000 bytes of events", s, err)
	}
}

// TestDrainFindsWhatIsMissing reads events of which one is not the one it should be.
func TestDrainFindsWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	var staged uint64
	for range 2 {
		if err := play(t, stage, &staged, "-dir", dir, "-bytes", "3000", "-body", "100", "-batch", "10"); err != nil {
			t.Fatal(err)
		}
	}
	log := openStaged(t, dir)
	entry, ok, err := log.TryRead(5)
	if err != nil || !ok {
		t.Fatalf("reading = %t, %v", ok, err)
	}
	entry.Batch.Release()
	if err := errors.Join(log.Ack(entry.Events), log.Close()); err != nil {
		t.Fatal(err)
	}
	var d Drained
	if err := play(t, drain, &d, "-dir", dir); err == nil || !strings.Contains(err.Error(), "event 0 of the log") {
		t.Errorf("draining a log without its first events = %v, want that event 0 is another", err)
	}
}

// TestGroup has many goroutines commit blocks of different content and looks for all in the file.
func TestGroup(t *testing.T) {
	const members, each, size = 8, 50, 512
	fsys := new(countedFS)
	path := filepath.Join(t.TempDir(), "ring")
	r, err := newRing(fsys, path, members*each*size)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	before := fsys.calls.syncs.Load()
	g := newGroup(r)
	var all sync.WaitGroup
	for m := range members {
		all.Go(func() {
			ticket := newTicket()
			for i := range each {
				block := bytes.Repeat([]byte{byte(1 + m), byte(i)}, size/2)
				if err := g.commit(ticket, block); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	g.Close()
	content := make([]byte, members*each*size)
	if _, err := r.file.ReadAt(content, 0); err != nil {
		t.Fatal(err)
	}
	next := make(map[byte]byte)
	for block := range slices.Chunk(content, size) {
		m, i := block[0], block[1]
		if m < 1 || m > members || i != next[m] || !bytes.Equal(block, bytes.Repeat([]byte{m, i}, size/2)) {
			t.Fatalf("a block of member %d with number %d is not number %d of it, whole", m, i, next[m])
		}
		next[m]++
	}
	if syncs := fsys.calls.syncs.Load() - before; syncs >= members*each {
		t.Errorf("%d syncs for %d blocks, want that they share them", syncs, members*each)
	}
}

// TestGroupFails has everybody hear that the disk failed.
func TestGroupFails(t *testing.T) {
	gone := errors.New("disk is gone")
	failing := vfs.NewFailing(vfs.NewMem(1), nil)
	r, err := newRing(failing, "ring", 4096)
	if err != nil {
		t.Fatal(err)
	}
	failing.SetInjector(vfs.FailFrom(0, gone))
	g := newGroup(r)
	defer g.Close()
	if err := g.commit(newTicket(), []byte("x")); !errors.Is(err, gone) {
		t.Errorf("committing = %v, want %v", err, gone)
	}
}

func openStaged(t *testing.T, dir string) *wal.Log {
	t.Helper()
	log, err := wal.Open(backlogOptions(dir))
	if err != nil {
		t.Fatal(err)
	}
	return log
}
