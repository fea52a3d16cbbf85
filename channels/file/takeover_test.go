package file

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/internal/javachannel/javachanneltest"
	"github.com/flume-go/flume/internal/vfs"
)

const javaFixtures = "../../internal/javachannel/testdata/flume/"

// javaQueue is what Apache Flume left behind, and what it read from it itself.
type javaQueue struct {
	disk     *vfs.Mem
	settings map[string]string
	want     []string
	returned int // of want, those in no particular order
}

// leftByJava unpacks a fixture.
func leftByJava(t *testing.T, name string) javaQueue {
	t.Helper()
	f, err := os.Open(filepath.Join(javaFixtures, name+".tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	plain, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	q := javaQueue{disk: vfs.NewMem(1)}
	for archive := tar.NewReader(plain); ; {
		entry, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case entry.Name == "want":
			q.want = strings.FieldsFunc(string(content), func(r rune) bool { return r == '\n' })
		case entry.Name != "keys" && !strings.HasSuffix(entry.Name, "/"):
			write(t, q.disk, "/"+entry.Name, content)
		}
	}
	o, err := javachanneltest.Options(q.disk, "/channel")
	if err != nil {
		t.Fatal(err)
	}
	q.settings = map[string]string{"checkpointDir": o.CheckpointDir, "dataDirs": strings.Join(o.DataDirs, ",")}
	if o.BackupDir != "" {
		q.settings["useDualCheckpoints"], q.settings["backupCheckpointDir"] = "true", o.BackupDir
	}
	for _, dir := range slices.Concat(o.DataDirs, []string{o.CheckpointDir, "/channel", "/"}) {
		if err := q.disk.SyncDir(dir); err != nil {
			t.Fatal(err)
		}
	}
	return q
}

// expect takes all that is in r and compares it with what Apache Flume read.
func (q *javaQueue) expect(t *testing.T, r *rig) {
	t.Helper()
	want, got := javachanneltest.Comparable(q.want, q.returned), javachanneltest.Comparable(r.takeLines(), q.returned)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("events (-java +ours):\n%.1000s", diff)
	}
}

// takeLines takes and acknowledges what is there.
func (r *rig) takeLines() []string {
	r.t.Helper()
	lines := []string{}
	for r.Stats().Events > 0 {
		lines = append(lines, r.takeSome(100)...)
	}
	return lines
}

func (r *rig) takeSome(limit int) (lines []string) {
	r.t.Helper()
	d, err := r.Take(context.Background(), limit)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := range d.Batch().Len() {
		lines = append(lines, javachanneltest.Line(d.Batch().At(i)))
	}
	if err := d.Ack(); err != nil {
		r.t.Fatal(err)
	}
	return lines
}

// javaLogs returns Apache Flume's logs that are in a data directory still.
func javaLogs(t *testing.T, fsys vfs.FS, settings map[string]string) (logs []string) {
	t.Helper()
	for dir := range strings.SplitSeq(settings["dataDirs"], ",") {
		entries, err := fsys.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), "log-") {
				logs = append(logs, e.Name())
			}
		}
	}
	return logs
}

// TestTakesOverWhatApacheFlumeLeft: each event once, in order; then the files are moved aside, and the channel is
// one like any other.
func TestTakesOverWhatApacheFlumeLeft(t *testing.T) {
	for name, returned := range map[string]int{
		"clean": 0, "rolled": 0, "several-directories": 0, "dual-broken": 0, "open-transactions": 11,
		"flume-1.9-killed": 0, "flume-1.2-then-1.11": 0, "empty": 0,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := leftByJava(t, name)
				q.returned = returned
				r := newRig(t, q.disk, q.settings).open()
				if got := r.Stats().Events; got != len(q.want) {
					t.Errorf("the channel holds %d events, want %d", got, len(q.want))
				}
				if len(q.want) > 0 && len(javaLogs(t, q.disk, q.settings)) == 0 {
					t.Error("Apache Flume's logs are gone before their events were delivered")
				}
				q.expect(t, r)
				r.put("new")
				time.Sleep(time.Minute) //nolint:forbidigo // the bubble's clock
				if logs := javaLogs(t, q.disk, q.settings); len(logs) > 0 {
					t.Errorf("%v are still there after all events were delivered", logs)
				}
				r.close()
				if got := newRig(t, q.disk, q.settings).open().take(); !slices.Equal(got, []string{"new"}) {
					t.Errorf("after another start the channel holds %q", got)
				}
			})
		})
	}
}

// TestTakingOverGoesOnWhereItWas: half is delivered before the next start.
func TestTakingOverGoesOnWhereItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := leftByJava(t, "clean")
		r := newRig(t, q.disk, q.settings).open()
		first := r.takeSome(len(q.want) / 2)
		r.close()
		if len(javaLogs(t, q.disk, q.settings)) == 0 {
			t.Error("Apache Flume's logs are gone before their events were delivered")
		}
		r = newRig(t, q.disk, q.settings).open()
		if got := append(first, r.takeLines()...); !slices.Equal(got, q.want) {
			t.Errorf("delivered %d events, want %d in order", len(got), len(q.want))
		}
		r.close()
		newRig(t, q.disk, q.settings).open().logged("its files are kept aside", 1)
		if logs := javaLogs(t, q.disk, q.settings); len(logs) > 0 {
			t.Errorf("%v are still there", logs)
		}
	})
}

// TestTakingOverSurvivesAPowerCut at each of its file operations, and one more while the files are moved.
func TestTakingOverSurvivesAPowerCut(t *testing.T) {
	for k := 1; ; k++ {
		q := leftByJava(t, "clean")
		q.settings["maxFileSize"] = "65536" // few operations for each file of the log
		done := false
		synctest.Test(t, func(t *testing.T) {
			var ops atomic.Int64 // also by the log's background
			disk := vfs.NewFailing(q.disk, func(vfs.Op) vfs.Action {
				if ops.Add(1) != int64(k) {
					return vfs.Action{}
				}
				left := vfs.CrashPolicy{} // of what was not synced
				if k%2 == 0 {
					left = vfs.CrashPolicy{Data: vfs.Mixed, Entries: vfs.Mixed}
				}
				return vfs.Action{Crash: func() { q.disk = q.disk.Crash(left) }}
			})
			r := newRig(t, disk, q.settings)
			if err := r.Open(context.Background()); err != nil && !errors.Is(err, vfs.ErrCrashed) {
				t.Fatalf("operation %d: %v", k, err)
			}
			done = ops.Load() < int64(k)
			if err := r.Close(context.Background()); err != nil && !errors.Is(err, vfs.ErrCrashed) {
				t.Fatalf("operation %d: %v", k, err)
			}
		})
		if done {
			t.Logf("%d operations", k)
			return
		}
		synctest.Test(t, func(t *testing.T) {
			q.expect(t, newRig(t, q.disk, q.settings).open())
		})
	}
}

// TestWayBackAndForth: Apache Flume runs on its files again after they were taken over.
func TestWayBackAndForth(t *testing.T) {
	for _, drained := range []bool{false, true} {
		t.Run(fmt.Sprintf("drained %v", drained), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := leftByJava(t, "clean")
				r := newRig(t, q.disk, q.settings).open()
				if drained {
					q.expect(t, r)
				}
				r.close()
				// Each start of Apache Flume makes a new log.
				write(t, q.disk, "/channel/data/log-77", nil)
				r = newRig(t, q.disk, q.settings)
				err := r.Open(t.Context())
				if drained {
					if err != nil {
						t.Fatal(err)
					}
					q.expect(t, r) // nothing of ours has told Apache Flume that they are delivered
					return
				}
				if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("still holds %d events", len(q.want))) {
					t.Errorf("error %v", err)
				}
			})
		})
	}
}

// TestWhatCannotBeTakenOver is told, and left as it is.
func TestWhatCannotBeTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := leftByJava(t, "rotated-keys")
		err := newRig(t, q.disk, q.settings).Open(t.Context())
		if err == nil || !strings.Contains(err.Error(), "key") {
			t.Errorf("without keys: error %v", err)
		}
		if len(javaLogs(t, q.disk, q.settings)) == 0 {
			t.Error("the logs are gone")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		q := leftByJava(t, "clean")
		// A channel that has events of its own takes nothing over until they are gone.
		empty := vfs.NewMem(1)
		own := newRig(t, empty, q.settings).open()
		own.put("own")
		own.close()
		copyTree(t, q.disk, empty, "/channel")
		r := newRig(t, empty, q.settings).open()
		r.logged("at the first start that finds this channel empty", 1)
		if got := r.take(); !slices.Equal(got, []string{"own"}) {
			t.Errorf("the channel holds %q", got)
		}
		r.close()
		q.expect(t, newRig(t, empty, q.settings).open())
	})
}

// TestTakingOverTellsDamage with its place, as far as there is not too much of it, and passes over it.
func TestTakingOverTellsDamage(t *testing.T) {
	for name, tt := range map[string]struct{ damaged, listed int }{"none": {}, "one": {1, 1}, "many": {25, 20}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := leftByJava(t, "clean")
				all := len(q.want)
				places := q.damage(t, tt.damaged)
				r := newRig(t, q.disk, q.settings).open()
				if got := r.Stats().Events; got != all-tt.damaged {
					t.Errorf("%d of %d events were taken over, %d are damaged", got, all, tt.damaged)
				}
				q.expect(t, r)
				r.logged(`level=WARN msg="a damaged record of Apache Flume's file channel is skipped"`, tt.listed)
				r.logged("its files keep them", min(tt.damaged, 1))
				if tt.damaged == 0 {
					return
				}
				r.logged(fmt.Sprintf(" records=%d listed=%d lost_events=%d subdirectory=apache-flume-2000", tt.damaged, tt.listed, tt.damaged), 1)
				told := regexp.MustCompile(`file=/channel/data/log-1 offset=(\d+)`).FindAllStringSubmatch(r.log.String(), -1)
				for i, body := range places[:tt.listed] {
					at, err := strconv.Atoi(told[i][1])
					if err != nil || at > body || at < body-200 {
						t.Errorf("damage at %d is told to be in the record at %d, %v", body, at, err)
					}
				}
			})
		})
	}
}

// damage changes a byte of the bodies of the first n events that have long ones, takes them from want, and returns where
// in the log they are.
func (q *javaQueue) damage(t *testing.T, n int) (places []int) {
	t.Helper()
	logs := make(map[string][]byte)
	for dir := range strings.SplitSeq(q.settings["dataDirs"], ",") {
		for _, name := range javaLogs(t, q.disk, q.settings) {
			path := filepath.Join(dir, name)
			data, err := vfs.ReadFile(q.disk, path)
			if err != nil {
				t.Fatal(err)
			}
			logs[path] = data
		}
	}
	q.want = slices.DeleteFunc(q.want, func(line string) bool {
		body, err := hex.DecodeString(line[strings.LastIndexByte(line, ' ')+1:])
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 || len(body) < 16 || len(body) > 127 {
			return false
		}
		field := append([]byte{0x12, byte(len(body))}, body...) // of the protocol buffer
		for _, data := range logs {
			i := bytes.Index(data, field)
			if i < 0 {
				continue
			}
			data[i+2] ^= 1
			places = append(places, i+2)
			n--
			return true
		}
		return false
	})
	if n > 0 {
		t.Fatalf("%d events fewer than are to be damaged have long bodies", n)
	}
	for path, data := range logs {
		write(t, q.disk, path, data)
	}
	return places
}

func copyTree(t *testing.T, from, to vfs.FS, dir string) {
	t.Helper()
	entries, err := from.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.IsDir() {
			copyTree(t, from, to, path)
			continue
		}
		data, err := vfs.ReadFile(from, path)
		if err != nil {
			t.Fatal(err)
		}
		write(t, to, path, data)
	}
}
