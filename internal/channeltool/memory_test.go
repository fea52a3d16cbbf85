package channeltool

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/channels/spillable"
	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/metrics"
)

// spill stops a spillable channel that had events 0 to 2 and 5 in memory and 3 and 4 on the disk, and returns its place
// and itself.
func spill(t *testing.T) (Place, flow.Channel) {
	t.Helper()
	root := t.TempDir()
	p := Place{Data: []string{filepath.Join(root, "data1"), filepath.Join(root, "data2")}, Checkpoint: filepath.Join(root, "checkpoint")}
	cfg := spillable.Config{MemoryCapacity: 4, OverflowCapacity: 100, AvgEventSize: 500, ByteCapacity: new(int64)}
	cfg.CheckpointDir, cfg.DataDirs = p.Checkpoint, p.Data
	cfg.TransactionCapacity, cfg.MaxFileSize, cfg.CheckpointInterval = 10, 64<<10, time.Hour
	cfg.FsyncPerTransaction = true
	ch, err := spillable.New(cfg, component.Env{
		Name: "c1", Log: slog.New(slog.DiscardHandler), Metrics: metrics.NewSet(metrics.KindChannel, "c1"), FS: vfs.OS{},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	next := 0
	for _, n := range []int{3, 2, 1} {
		b := event.NewBatch()
		for range n {
			b.AppendCopy(fmt.Appendf(nil, "event %d", next))
			next++
		}
		if err := ch.Put(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		b.Release()
	}
	if err := ch.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p, ch
}

// spilled are the lines of these events.
func spilled(numbers ...int) []string {
	var lines []string
	for _, n := range numbers {
		lines = append(lines, fmt.Sprintf(`{"headers":{},"body":"event %d"}`, n))
	}
	return lines
}

// TestSpillable looks at both logs of a spillable channel as one.
func TestSpillable(t *testing.T) {
	p, _ := spill(t)
	root := filepath.Dir(p.Checkpoint)
	before := hashes(t, root)
	q := find(t, p)
	r, err := q.Inspect(t.Context())
	if err != nil || r.Events != 6 || r.AtStop != 4 || r.Bytes != 6*7 || r.Oldest == nil || r.LastWrite == nil || r.DamageCount != 0 || r.MissingFiles != 0 || len(r.Notes) > 0 {
		t.Errorf("inspected %+v, %v", r, err)
	}
	if !slices.ContainsFunc(r.Files, func(f File) bool { return strings.Contains(f.Path, memoryDir) && f.Staged == 4 }) {
		t.Errorf("files %+v", r.Files)
	}
	var text bytes.Buffer
	if err := r.WriteText(&text, time.Now(), false); err != nil || !strings.Contains(text.String(), "4 events of these were in memory at an orderly stop\n") {
		t.Errorf("%v, written:\n%s", err, text.String())
	}
	if v, err := q.Verify(t.Context()); err != nil || !v.Clean() || v.Events != 6 || v.Files != len(r.Files)-len(unused(r.Files)) {
		t.Errorf("verified %+v, %v", v, err)
	}
	for limit, want := range map[int][]string{0: spilled(0, 1, 2, 3, 4, 5), 4: spilled(0, 1, 2, 3)} {
		lines, damage := export(t, q, limit)
		if diff := cmp.Diff(want, lines); diff != "" || len(damage) > 0 {
			t.Errorf("exported, limit %d, told %v (-want +got):\n%s", limit, damage, diff)
		}
	}
	if notes, err := Notes(t.Context(), []Queue{q}); err != nil || len(notes) > 0 {
		t.Errorf("notes %v, %v", notes, err)
	}
	if !maps.Equal(before, hashes(t, root)) {
		t.Error("looking has changed files")
	}
}

// unused are the files that never had anything in them.
func unused(all []File) []File {
	return slices.DeleteFunc(slices.Clone(all), func(f File) bool { return f.Generation > 0 })
}

// TestSpillableWithoutOrder exports what was in memory first, and says so.
func TestSpillableWithoutOrder(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, order string, ch flow.Channel) error{
		"open":    func(t *testing.T, _ string, ch flow.Channel) error { return ch.Open(t.Context()) },
		"damaged": func(_ *testing.T, order string, _ flow.Channel) error { return os.WriteFile(order, []byte("{"), 0o600) },
		"of other": func(_ *testing.T, order string, _ flow.Channel) error {
			return os.WriteFile(order, []byte(`{"runs":[5,-1]}`), 0o600)
		},
		"huge": func(_ *testing.T, order string, _ flow.Channel) error {
			return os.WriteFile(order, []byte(`{"runs":[9223372036854775807,9223372036854775807,6,-2]}`), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, ch := spill(t)
			if err := spoil(t, filepath.Join(p.Checkpoint, memoryDir, orderFile), ch); err != nil {
				t.Fatal(err)
			}
			defer ch.Close(t.Context()) //nolint:errcheck // of one that may not be open
			q := find(t, p)
			lines, damage := export(t, q, 0)
			if diff := cmp.Diff(spilled(0, 1, 2, 5, 3, 4), lines); diff != "" || len(damage) > 0 {
				t.Errorf("exported, told %v (-want +got):\n%s", damage, diff)
			}
			if notes, err := Notes(t.Context(), []Queue{q}); err != nil || !slices.Equal(notes, []string{memoryFirst}) {
				t.Errorf("notes %v, %v", notes, err)
			}
			if r, err := q.Inspect(t.Context()); err != nil || !slices.Contains(r.Notes, memoryFirst) || (r.InUse != "") != (name == "open") {
				t.Errorf("inspected %+v, %v", r, err)
			}
		})
	}
}

// inMemoryLog returns the file of the second log that has this text.
func inMemoryLog(t *testing.T, p Place, text string) string {
	t.Helper()
	for _, dir := range p.Data {
		found, err := filepath.Glob(filepath.Join(dir, memoryDir, "segment-*.wal"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range found {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(data, []byte(text)) {
				return name
			}
		}
	}
	t.Fatalf("no file of the log of the memory has %q", text)
	return ""
}

// TestSpillableDamage finds damage in the second log, where one record has all events, and goes past it.
func TestSpillableDamage(t *testing.T) {
	p, _ := spill(t)
	path, _ := flip(t, filepath.Dir(inMemoryLog(t, p, "event 0")), "event 0")
	q := find(t, p)
	if v, err := q.Verify(t.Context()); err != nil || v.DamageCount != 1 || v.Damage[0].File != path || v.Clean() {
		t.Errorf("verified %+v, %v", v, err)
	}
	lines, damage := export(t, q, 0)
	if diff := cmp.Diff(spilled(3, 4), lines); diff != "" || len(damage) != 1 {
		t.Errorf("exported, told %v (-want +got):\n%s", damage, diff)
	}
	valid, err := NewValidator("", nil)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := q.Repair(t.Context(), valid); err != nil || r.Corrupt != 1 || r.Puts != 2 {
		t.Errorf("repaired %+v, %v", r, err)
	}
}

// TestSpillableMissingFile counts a file of the second log that is not there.
func TestSpillableMissingFile(t *testing.T) {
	p, _ := spill(t)
	path := inMemoryLog(t, p, "event 5")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	r, err := find(t, p).Inspect(t.Context())
	if err != nil || r.Events != 2 || r.MissingFiles != 1 || r.DamageCount != 1 || !slices.Contains(r.Notes, missingRemedy) {
		t.Errorf("inspected %+v, %v", r, err)
	}
}
