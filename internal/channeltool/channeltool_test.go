package channeltool

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/avro/ocf"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/wal"
)

// hashes returns the content of all files below a directory.
func hashes(t *testing.T, root string) map[string]string {
	t.Helper()
	out := make(map[string]string)
	if err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		out[path] = fmt.Sprintf("%x", sha256.Sum256(data))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func events(bodies ...string) *event.Batch {
	b := event.NewBatch()
	for i, body := range bodies {
		b.SetHeader(b.AppendCopy([]byte(body)), "n", fmt.Sprint(i))
	}
	return b
}

// makeLog makes a log with two batches of three events each, and returns its place.
func makeLog(t *testing.T, c *wal.Cipher) Place {
	t.Helper()
	root := t.TempDir()
	p := Place{Data: []string{filepath.Join(root, "data")}, Checkpoint: filepath.Join(root, "checkpoint")}
	log, err := wal.Open(wal.Options{Dirs: p.Data, CheckpointDir: p.Checkpoint, SegmentSize: 16 << 10, Cipher: c})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []*event.Batch{events("one", "two", "three"), events("four", "\xff\xfe", "")} {
		if err := log.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		b.Release()
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	return p
}

// flip damages the first place in the files of a directory that has text.
func flip(t *testing.T, dir, text string) (path string, at int64) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range names {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // a directory
		}
		if i := bytes.Index(data, []byte(text)); i >= 0 {
			data[i] ^= 0x20
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			return path, int64(i)
		}
	}
	t.Fatalf("no file in %s has %q", dir, text)
	return "", 0
}

// java unpacks what Apache Flume left behind, and returns its place.
func java(t *testing.T, name string) Place {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "javachannel", "testdata", "flume", name+".tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for archive := tar.NewReader(zip); ; {
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
		path := filepath.Join(root, filepath.FromSlash(entry.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	data, err := filepath.Glob(filepath.Join(root, "channel", "data*"))
	if err != nil {
		t.Fatal(err)
	}
	p := Place{Data: data}
	if text, err := os.ReadFile(filepath.Join(root, "keys")); err == nil && len(text) > 0 {
		p.Key = func(alias string) ([]byte, error) {
			for line := range strings.Lines(string(text)) {
				if a, key, _ := strings.Cut(strings.TrimSpace(line), " "); a == alias {
					return hex.DecodeString(key)
				}
			}
			return nil, fs.ErrNotExist
		}
	}
	return p
}

// find returns the only queue of a place.
func find(t *testing.T, p Place) Queue {
	t.Helper()
	queues, err := Find(p)
	if err != nil || len(queues) != 1 {
		t.Fatalf("found %d queues: %v", len(queues), err)
	}
	return queues[0]
}

// export returns the lines of JSON of a queue, and the damage that was told.
func export(t *testing.T, q Queue, limit int) (lines []string, damage []Damage) {
	t.Helper()
	var out bytes.Buffer
	enc, err := NewEncoder("json", &out)
	if err != nil {
		t.Fatal(err)
	}
	n, err := ExportTo(t.Context(), []Queue{q}, enc, limit, func(d Damage) { damage = append(damage, d) })
	if err := errors.Join(err, enc.Close()); err != nil {
		t.Fatal(err)
	}
	lines = strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if n != len(lines) {
		t.Errorf("%d events were exported to %d lines", n, len(lines))
	}
	return lines, damage
}

var want = []string{
	`{"headers":{"n":"0"},"body":"one"}`, `{"headers":{"n":"1"},"body":"two"}`, `{"headers":{"n":"2"},"body":"three"}`,
	`{"headers":{"n":"0"},"body":"four"}`, `{"headers":{"n":"1"},"bodyBase64":"//4="}`, `{"headers":{"n":"2"},"body":""}`,
}

func keyOf(key string) func(string) ([]byte, error) {
	return func(string) ([]byte, error) { return []byte(key), nil }
}

// TestOwnLog looks at a log in all ways, in the clear and encrypted, and finds every file as it was.
func TestOwnLog(t *testing.T) {
	for name, cipher := range map[string]*wal.Cipher{"clear": nil, "encrypted": {Active: "k", Key: keyOf("0123456789abcdef")}} {
		t.Run(name, func(t *testing.T) {
			p := makeLog(t, cipher)
			root := filepath.Dir(p.Checkpoint)
			before := hashes(t, root)
			if cipher != nil {
				p.Key = cipher.Key
			}
			for _, checkpoint := range []string{p.Checkpoint, ""} { // it is found, too
				p.Checkpoint = checkpoint
				q := find(t, p)
				r, err := q.Inspect(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if r.Events != 6 || r.Bytes != 17 || r.Estimated || r.Oldest == nil || r.LastWrite == nil || !r.NotInUse || r.DamageCount != 0 || len(r.Files) == 0 ||
					len(r.Keys) > 0 != (cipher != nil) || !strings.HasPrefix(r.CheckpointFile.State, "good; the channel was closed") {
					t.Errorf("inspected %+v", r)
				}
				v, err := q.Verify(t.Context())
				if err != nil || !v.Clean() || v.Events != 6 || v.Unopened > 0 || len(v.Notes) > 0 {
					t.Errorf("verified %+v, %v", v, err)
				}
				lines, damage := export(t, q, 0)
				if diff := cmp.Diff(want, lines); diff != "" || len(damage) > 0 {
					t.Errorf("exported, with %v (-want +got):\n%s", damage, diff)
				}
				if lines, _ := export(t, q, 4); !cmp.Equal(lines, want[:4]) {
					t.Errorf("exported with a limit: %v", lines)
				}
			}
			if !maps.Equal(before, hashes(t, root)) {
				t.Error("looking has changed files")
			}
		})
	}
}

// TestKeys looks at an encrypted log without a key and with another one.
func TestKeys(t *testing.T) {
	p := makeLog(t, &wal.Cipher{Active: "k", Key: keyOf("0123456789abcdef")})
	q := find(t, p)
	if r, err := q.Inspect(t.Context()); err != nil || r.Events != 6 || r.Keys[0].Problem != "" || !strings.Contains(fmt.Sprint(r.Notes), "--key-store") {
		t.Errorf("inspected without a key: %+v, %v", r, err)
	}
	if v, err := q.Verify(t.Context()); err != nil || !v.Clean() || v.Unopened == 0 || !strings.Contains(fmt.Sprint(v.Notes), "were not decrypted") {
		t.Errorf("verified without a key: %+v, %v", v, err)
	}
	nothing := func(*event.Batch) error { t.Error("an event was exported"); return nil }
	if err := q.Export(t.Context(), func(Damage) {}, nothing); !errors.Is(err, ErrNoKey) {
		t.Errorf("exported without a key: %v", err)
	}
	if _, err := q.Repair(t.Context(), nil); !errors.Is(err, ErrNoKey) {
		t.Errorf("repaired without a key: %v", err)
	}
	p.Key = keyOf("another key 1234")
	q = find(t, p)
	if r, err := q.Inspect(t.Context()); err != nil || !strings.Contains(r.Keys[0].Problem, "another key") {
		t.Errorf("inspected with the wrong key: %+v, %v", r, err)
	}
	if v, err := q.Verify(t.Context()); err != nil || v.Clean() || !strings.Contains(fmt.Sprint(v.Problems), "another key") {
		t.Errorf("verified with the wrong key: %+v, %v", v, err)
	}
	if err := q.Export(t.Context(), func(Damage) {}, nothing); !errors.Is(err, wal.ErrKey) {
		t.Errorf("exported with the wrong key: %v", err)
	}
}

// TestDamage damages a record: it is told with its place, passed over, and out of the way after a repair, which also
// moves what the validator rejects.
func TestDamage(t *testing.T) {
	p := makeLog(t, nil)
	path, at := flip(t, p.Data[0], "onetwothree")
	q := find(t, p)
	before := hashes(t, filepath.Dir(p.Checkpoint))
	v, err := q.Verify(t.Context())
	if err != nil || v.DamageCount != 1 || v.Events != 3 {
		t.Fatalf("verified %+v, %v", v, err)
	}
	if d := v.Damage[0]; d.File != path || d.Offset > at || d.Offset+d.Length < at {
		t.Errorf("damage at %d of %s is told as %v", at, path, d)
	}
	lines, damage := export(t, q, 0)
	if !cmp.Equal(lines, want[3:]) || len(damage) != 1 || damage[0].File != path {
		t.Errorf("exported %v and told %v", lines, damage)
	}
	if !maps.Equal(before, hashes(t, filepath.Dir(p.Checkpoint))) {
		t.Error("looking has changed files")
	}
	valid, err := NewValidator("utf8", nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := q.Repair(t.Context(), valid)
	if err != nil || r.Records != 4 || r.Puts != 3 || r.Valid != 2 || r.Invalid != 1 || r.Corrupt != 1 || len(r.Details) != 2 {
		t.Fatalf("repaired %+v, %v", r, err)
	}
	rejected, err := filepath.Glob(filepath.Join(p.Data[0], "quarantine", "rejected-*.jsonl"))
	if err != nil || len(rejected) != 1 {
		t.Fatalf("files of rejected events: %v, %v", rejected, err)
	}
	if text, err := os.ReadFile(rejected[0]); err != nil || string(text) != want[4]+"\n" {
		t.Errorf("rejected %q, %v", text, err)
	}
	if lines, _ := export(t, q, 0); !cmp.Equal(lines, []string{want[3], want[5]}) {
		t.Errorf("after the repair %v are exported", lines)
	}
	if r, err := q.Inspect(t.Context()); err != nil || r.Events != 2 || len(r.Quarantine) != 2 {
		t.Errorf("inspected after the repair: %+v, %v", r, err)
	}
	if v, err := q.Verify(t.Context()); err != nil || v.DamageCount != 1 || !strings.Contains(v.Damage[0].What, "known and passed over") {
		t.Errorf("verified after the repair: %+v, %v", v, err)
	}
}

// TestOpenLog looks at a log that is open, and refuses to repair it.
func TestOpenLog(t *testing.T) {
	p := makeLog(t, nil)
	log, err := wal.Open(wal.Options{Dirs: p.Data, CheckpointDir: p.Checkpoint, SegmentSize: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for log.Stats().Free == 0 { // it makes a file ahead
		<-time.After(time.Millisecond)
	}
	q := find(t, p)
	before := hashes(t, filepath.Dir(p.Checkpoint))
	r, err := q.Inspect(t.Context())
	if err != nil || r.InUse == "" || r.NotInUse || r.Events != 6 {
		t.Errorf("inspected %+v, %v", r, err)
	}
	if v, err := q.Verify(t.Context()); err != nil || !v.Clean() || v.InUse == "" {
		t.Errorf("verified %+v, %v", v, err)
	}
	if lines, _ := export(t, q, 0); !cmp.Equal(lines, want) {
		t.Errorf("exported %v", lines)
	}
	if _, err := q.Repair(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "locking") {
		t.Errorf("repaired an open log: %v", err)
	}
	if !maps.Equal(before, hashes(t, filepath.Dir(p.Checkpoint))) {
		t.Error("looking has changed files")
	}
}

// TestJava looks at what Apache Flume left behind.
func TestJava(t *testing.T) {
	for name, n := range map[string]int{"clean": 0, "open-transactions": 75, "several-directories": 140, "rotated-keys": 0, "dual-broken": 80} {
		t.Run(name, func(t *testing.T) {
			p := java(t, name)
			root := filepath.Dir(p.Data[0])
			if name == "dual-broken" {
				p.Backup = filepath.Join(root, "backup")
			}
			before := hashes(t, root)
			q := find(t, p)
			r, err := q.Inspect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if q.Layout() != LayoutJava || n > 0 && r.Events != n || r.Events == 0 || r.Bytes == 0 || r.Java == nil || r.Java.Lost > 0 ||
				len(r.Files) < len(p.Data) || (len(r.Keys) == 2) != (name == "rotated-keys") || (r.CheckpointFile.State == "good") == (name == "dual-broken") {
				t.Errorf("inspected %+v", r)
			}
			v, err := q.Verify(t.Context())
			if err != nil || v.DamageCount > 0 || v.Events != r.Events || v.Clean() == (name == "dual-broken") {
				t.Errorf("verified %+v, %v", v, err)
			}
			if lines, damage := export(t, q, 0); len(lines) != r.Events || len(damage) != len(v.Problems) {
				t.Errorf("exported %d events and told %v", len(lines), damage)
			}
			if !maps.Equal(before, hashes(t, root)) {
				t.Error("looking has changed files")
			}
			var text bytes.Buffer
			if err := r.WriteText(&text, time.Now(), false); err != nil || !strings.Contains(text.String(), "written by  Apache Flume\n") {
				t.Errorf("%v, written:\n%s", err, text.String())
			}
		})
	}
}

// TestJavaDamage damages a log of Apache Flume's and repairs it.
func TestJavaDamage(t *testing.T) {
	p := java(t, "no-checkpoint-on-close")
	q := find(t, p)
	staged, _ := export(t, q, 0)
	text, err := longestBody(staged)
	if err != nil || len(text) < 20 {
		t.Fatalf("the longest body is %q, %v", text, err)
	}
	path, at := flip(t, p.Data[0], text)
	v, err := q.Verify(t.Context())
	if err != nil || v.DamageCount != 1 || v.Damage[0].File != path || v.Damage[0].Offset > at {
		t.Fatalf("verified %+v, %v", v, err)
	}
	lines, damage := export(t, q, 0)
	if len(lines) != len(staged)-1 || len(damage) != 1 {
		t.Errorf("%d of %d events were exported, told %v", len(lines), len(staged), damage)
	}
	valid, err := NewValidator("", nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := q.Repair(t.Context(), valid)
	if err != nil || r.Corrupt != 1 || r.Invalid != 0 || r.Valid != r.Puts || len(r.Details) != 2 {
		t.Fatalf("repaired %+v, %v", r, err)
	}
	if _, err := os.Stat(path + ".bak"); err != nil {
		t.Errorf("the log was not copied: %v", err)
	}
	if v, err := q.Verify(t.Context()); err != nil || !v.Clean() {
		t.Errorf("verified after the repair: %+v, %v", v, err)
	}
	if again, damage := export(t, q, 0); !cmp.Equal(again, lines) || len(damage) > 0 {
		t.Errorf("after the repair %d events were exported, told %v", len(again), damage)
	}
}

// longestBody returns the longest body among those that are not text.
func longestBody(lines []string) (longest string, err error) {
	for _, l := range lines {
		var e struct{ BodyBase64 []byte }
		if err := json.Unmarshal([]byte(l), &e); err != nil {
			return "", err
		}
		if len(e.BodyBase64) > len(longest) {
			longest = string(e.BodyBase64)
		}
	}
	return longest, nil
}

// TestBoth finds the logs of both programs in one directory.
func TestBoth(t *testing.T) {
	p, own := java(t, "clean"), makeLog(t, nil)
	segments, err := filepath.Glob(filepath.Join(own.Data[0], "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range segments {
		if err := os.Rename(s, filepath.Join(p.Data[0], filepath.Base(s))); err != nil {
			t.Fatal(err)
		}
	}
	queues, err := Find(p)
	if err != nil || len(queues) != 2 || queues[0].Layout() != LayoutJava || queues[1].Layout() != LayoutWAL {
		t.Fatalf("found %v, %v", queues, err)
	}
	for _, l := range Layouts {
		p.Layout = l
		if q := find(t, p); q.Layout() != l {
			t.Errorf("looked for %s and found %s", l, q.Layout())
		}
	}
}

// TestAvro reads an export back with a library.
func TestAvro(t *testing.T) {
	var out bytes.Buffer
	enc, err := NewEncoder("avro", &out)
	if err != nil {
		t.Fatal(err)
	}
	n, err := ExportTo(t.Context(), []Queue{find(t, makeLog(t, nil))}, enc, 5, func(d Damage) { t.Error(d) })
	if err := errors.Join(err, enc.Close()); err != nil || n != 5 {
		t.Fatalf("%d events, %v", n, err)
	}
	in, err := ocf.NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	var bodies []string
	for {
		var e struct {
			Headers map[string]string `avro:"headers"`
			Body    []byte            `avro:"body"`
		}
		if err := in.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, e.Headers["n"]+string(e.Body))
	}
	if diff := cmp.Diff([]string{"0one", "1two", "2three", "0four", "1\xff\xfe"}, bodies); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestExportEnds when the context or the output does.
func TestExportEnds(t *testing.T) {
	q := find(t, makeLog(t, nil))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.Export(ctx, func(Damage) {}, func(*event.Batch) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("exported in spite of the end: %v", err)
	}
	full := errors.New("full")
	enc := newJSONEncoder(writer(func([]byte) (int, error) { return 0, full }))
	_, err := ExportTo(t.Context(), []Queue{q}, enc, 0, func(Damage) {})
	if err := errors.Join(err, enc.Close()); !errors.Is(err, full) {
		t.Errorf("exported to a full disk: %v", err)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func TestJSONOfOddHeaders(t *testing.T) {
	b := event.NewBatch()
	defer b.Release()
	e := b.AppendCopy([]byte("<&>"))
	b.SetHeader(e, "k", "\xff")
	b.SetHeader(e, "ü", "ß")
	var out bytes.Buffer
	enc := newJSONEncoder(&out)
	if err := errors.Join(enc.Encode(b), enc.Flush()); err != nil {
		t.Fatal(err)
	}
	if want := `{"headers":{"ü":"ß"},"headersBase64":{"aw==":"/w=="},"body":"<&>"}` + "\n"; out.String() != want {
		t.Errorf("got %s, want %s", out.String(), want)
	}
	if _, err := NewEncoder("xml", &out); err == nil {
		t.Error("there is a format xml")
	}
}

func TestValidators(t *testing.T) {
	for _, tt := range []struct {
		name, key, value string
		valid, invalid   string
	}{
		{"", "", "", "", ""},
		{"noop", "", "", "\xff", ""},
		{"org.apache.flume.tools.NoopValidator", "", "", "\xff", ""},
		{"org.apache.flume.tools.EventValidator$NOOP_VALIDATOR", "", "", "\xff", ""},
		{"NonEmpty", "", "", "x", ""},
		{"utf8", "", "", "ü", "\xff"},
		{"maxsize", "maxSize", "3", "abc", "abcd"},
		{"regex", "regex", `^(?!b)\w+`, "abc", "bcd"},
	} {
		props := map[string]string{}
		if tt.key != "" {
			props[tt.key] = tt.value
		}
		v, err := NewValidator(tt.name, props)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		accepts := func(body string) bool {
			b := events(body)
			defer b.Release()
			return v(b.At(0))
		}
		if !accepts(tt.valid) || tt.invalid != "" && accepts(tt.invalid) || tt.name == "NonEmpty" && accepts("") {
			t.Errorf("%s accepts %q: %v, %q: %v", tt.name, tt.valid, accepts(tt.valid), tt.invalid, accepts(tt.invalid))
		}
	}
	for name, want := range map[string]string{
		"com.example.MyValidator$Builder": "Java classes cannot be run; use one of noop, nonempty, utf8, maxsize, regex",
		"com.example.Regex":               "Java classes cannot be run",
		"regx":                            `did you mean "regex"?`,
		"whatever":                        "use one of noop",
		"regex":                           "needs -Dregex=…",
	} {
		if _, err := NewValidator(name, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}
	for _, tt := range []struct{ name, key, value, want string }{
		{"utf8", "maxSize", "3", `event validator utf8 has no property "maxSize"`},
		{"maxsize", "maxsize", "3", "it has -DmaxSize=…"},
		{"maxsize", "maxSize", "-1", "is not a number of bytes"},
		{"regex", "regex", "(", "is not a usable regular expression"},
	} {
		if _, err := NewValidator(tt.name, map[string]string{tt.key: tt.value}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: error %v", tt, err)
		}
	}
}

func TestUnits(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for got, want := range map[string]string{
		Count(0): "0", Count(999): "999", Count(1000): "1,000", Count(-1234567): "-1,234,567",
		Size(int64(1023)): "1023 B", Size(int64(1536)): "1.5 KiB", Size(int64(64 << 20)): "64.0 MiB", Size(uint64(1) << 63): "8.0 EiB",
		exact(5): "5 bytes", exact(2048): "2.0 KiB (2,048 bytes)",
		Age(now, now): "just now", Age(now, now.Add(time.Hour)): "just now", Age(now, now.Add(-59*time.Second)): "59s ago",
		Age(now, now.Add(-192*time.Second)): "3m12s ago", Age(now, now.Add(-25*time.Hour-time.Minute)): "1d01h ago", Age(now, now.Add(-61*time.Minute)): "1h01m ago",
		plural(1, "file"): "1 file", plural(2000, "file"): "2,000 files",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
