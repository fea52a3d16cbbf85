package javachannel

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// threeEvents is a log with three committed events, and where its records stand: put, commit, put, ….
func threeEvents() (*logWriter, []int64) {
	w := newLog(1)
	var at []int64
	for i, body := range []string{"a", "b", "c"} {
		id := int64(i + 1)
		at = append(at, w.put(id, 2*id, body).offset(), int64(len(w.data)))
		w.commit(id, 2*id+1, kindPut)
	}
	return w, append(at, int64(len(w.data)))
}

func TestDamage(t *testing.T) {
	tests := []struct {
		name    string
		damage  func(w *logWriter, at []int64)
		want    []string
		corrupt int
		torn    int
		noops   int
	}{
		{"none", func(*logWriter, []int64) {}, []string{"a", "b", "c"}, 0, 0, 0},
		{"a body", func(w *logWriter, at []int64) { w.data[at[3]-12] ^= 1 }, []string{"a", "c"}, 1, 0, 0},
		{"a head", func(w *logWriter, at []int64) { w.data[at[2]+5] = 1 }, []string{"a", "c"}, 1, 0, 0},
		{"a commit", func(w *logWriter, at []int64) { w.data[at[3]+31] = 9 }, []string{"a", "c"}, 1, 0, 0},
		{"a length, too small", func(w *logWriter, at []int64) { w.data[at[2]+4]-- }, []string{"a", "c"}, 1, 0, 0},
		{"a length, beyond the end", func(w *logWriter, at []int64) { w.data[at[2]+1] = 0x40 }, []string{"a", "c"}, 1, 0, 0},
		{"a length, negative", func(w *logWriter, at []int64) { w.data[at[2]+1] = 0xFF }, []string{"a", "c"}, 1, 0, 0},
		{"a length of 0", func(w *logWriter, at []int64) { clear(w.data[at[2]+1:][:4]) }, []string{"a", "c"}, 1, 0, 0},
		{"an operation", func(w *logWriter, at []int64) { w.data[at[2]] = 0x42 }, []string{"a", "c"}, 1, 0, 0},
		{"a record never written", func(w *logWriter, at []int64) { clear(w.data[at[2]:at[3]]) }, []string{"a", "c"}, 1, 0, 0},
		{"a record disabled", func(w *logWriter, at []int64) { w.data[at[2]] = opNoop }, []string{"a", "c"}, 0, 0, 1},
		{"an empty record disabled", func(w *logWriter, at []int64) {
			w.data = slices.Insert(w.data, int(at[2]), 0, 0, 0, 0, 0)
		}, []string{"a", "b", "c"}, 0, 0, 1},
		{"the last record torn in its head", func(w *logWriter, at []int64) {
			w.data = append(w.data[:at[5]], opRecord, 0, 0)
		}, []string{"a", "b"}, 0, 1, 0},
		{"the last record torn in its payload", func(w *logWriter, at []int64) {
			w.data = append(w.data[:at[5]+20], bytes.Repeat([]byte{opEnd}, 50)...)
		}, []string{"a", "b"}, 0, 1, 0},
		{"the last record torn, longer than the file", func(w *logWriter, at []int64) {
			w.data = append(w.data[:at[5]], opRecord, 0, 1, 0, 0, 1, 2, 3)
		}, []string{"a", "b"}, 0, 1, 0},
		{"zeros at the end", func(w *logWriter, at []int64) {
			w.data = append(w.data[:at[5]], make([]byte, 3*maxWindow)...)
		}, []string{"a", "b"}, 0, 0, 0},
		{"filler in the middle ends the log", func(w *logWriter, at []int64) { w.data[at[4]] = opEnd }, []string{"a", "b"}, 0, 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newChannel(t)
			w, at := threeEvents()
			test.damage(w, at)
			c.log("/d1", w)
			d := c.open()
			if diff := cmp.Diff(test.want, bodies(t, d)); diff != "" {
				t.Errorf("bodies (-want +got):\n%s", diff)
			}
			r := d.Report()
			if r.CorruptCount != test.corrupt || r.TornCount != test.torn || r.Noops != test.noops {
				t.Errorf("corrupt %v, torn %v, disabled %d", r.Corrupt, r.Torn, r.Noops)
			}
			for _, damage := range slices.Concat(r.Corrupt, r.Torn) {
				if damage.File != "/d1/log-1" || !slices.Contains(at, damage.Offset) || damage.Reason == "" {
					t.Errorf("damage at %v, want it at one of %v", damage, at)
				}
			}
		})
	}
}

// TestStagedDamage has pointers of a good checkpoint that lead to nothing good.
func TestStagedDamage(t *testing.T) {
	c := newChannel(t)
	w, at := threeEvents()
	w.mark(10)
	w.data[at[3]-12] ^= 1
	w.data[at[4]] = opNoop
	c.log("/d1", w)
	queue := []pointer{pointerTo(1, at[0]), pointerTo(1, at[2]), pointerTo(1, at[4]), pointerTo(1, at[1]), pointerTo(1, 1<<20), pointerTo(9, 0)}
	c.checkpoint("/c", checkpointFiles{order: 10, queue: queue})
	d := c.open()
	if diff := cmp.Diff([]string{"a"}, bodies(t, d)); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
	r := d.Report()
	if r.Events != 6 || r.Delivered != 1 || r.Lost != 4 || r.CorruptCount != 4 || r.Noops != 1 {
		t.Errorf("report: %+v", r)
	}
}

// TestLongSearch looks for the next record behind damage that is longer than a window and full of what looks
// like the beginning of one.
func TestLongSearch(t *testing.T) {
	c := newChannel(t)
	w := newLog(1)
	w.put(1, 1, strings.Repeat("\x7f", 3*maxWindow))
	w.commit(1, 2, kindPut)
	w.put(2, 3, "b")
	w.commit(2, 4, kindPut)
	w.data[2] = 0xFF
	c.log("/d1", w)
	d := c.open()
	if diff := cmp.Diff([]string{"b"}, bodies(t, d)); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
}

func TestEncrypted(t *testing.T) {
	key1, key2 := bytes.Repeat([]byte{1}, 16), bytes.Repeat([]byte{2}, 32)
	c := newChannel(t)
	w, v, clear := newLog(1), newLog(2), newLog(3)
	w.encrypt("one", key1)
	v.encrypt("two", key2)
	for i, l := range []*logWriter{w, v, clear} {
		id := int64(10 * i)
		l.put(id, id+1, strings.Repeat("x", i))
		l.put(id, id+2, "spoilt")
		l.put(id, id+3, "y")
		l.commit(id, id+4, kindPut)
		c.log("/d1", l)
	}
	second := 5 + binary.BigEndian.Uint32(w.data[1:])
	w.data[second+40] ^= 1
	length := 5 + binary.BigEndian.Uint32(v.data[1:])
	v.data[length+1] ^= 1
	c.log("/d1", w)
	c.log("/d1", v)

	keys := map[string][]byte{"one": key1, "two": key2}
	options := c.options()
	options.Key = func(alias string) ([]byte, error) {
		if key, ok := keys[alias]; ok {
			return key, nil
		}
		return nil, fs.ErrNotExist
	}
	d, err := Open(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"", "y", "x", "y", "xx", "spoilt", "y"}, bodies(t, d)); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
	if r := d.Report(); !cmp.Equal(r.Aliases, []string{"one", "two"}) || r.CorruptCount != 2 {
		t.Errorf("report: %+v", r)
	}

	wrong := map[string]struct {
		key  []byte
		want error
	}{"the other key": {key2, errWrongKey}, "no key": {nil, fs.ErrNotExist}, "a key of 5 bytes": {[]byte("12345"), nil}}
	for name, test := range wrong {
		if keys["one"] = test.key; test.key == nil {
			delete(keys, "one")
		}
		_, err := Open(context.Background(), options)
		if err == nil || !strings.Contains(err.Error(), `"one"`) || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	options.Key = nil
	if _, err := Open(context.Background(), options); err == nil || !strings.Contains(err.Error(), "no key provider") {
		t.Errorf("without keys: %v", err)
	}
}

// TestWrongKeyWhenRead has a good checkpoint, so that the logs are read only for their events.
func TestWrongKeyWhenRead(t *testing.T) {
	c := newChannel(t)
	w := newLog(1)
	w.encrypt("one", bytes.Repeat([]byte{1}, 16))
	a := w.put(1, 1, "a")
	w.commit(1, 2, kindPut)
	w.mark(3)
	c.log("/d1", w)
	c.checkpoint("/c", checkpointFiles{order: 3, queue: []pointer{a}})
	options := c.options()
	options.Key = func(string) ([]byte, error) { return bytes.Repeat([]byte{2}, 16), nil }
	d, err := Open(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Check(context.Background()); !errors.Is(err, errWrongKey) {
		t.Errorf("reading with the wrong key: %v", err)
	}
}

func TestForeignCipher(t *testing.T) {
	c := newChannel(t)
	w := newLog(1)
	w.encrypt("one", bytes.Repeat([]byte{1}, 16))
	w.meta.encryption.provider = "com.example.Rot13"
	w.put(1, 1, "a")
	c.log("/d1", w)
	if _, err := Open(context.Background(), c.options()); err == nil || !strings.Contains(err.Error(), "com.example.Rot13") {
		t.Errorf("opening: %v", err)
	}
}

func TestLogFiles(t *testing.T) {
	tests := []struct {
		name string
		make func(c *channel)
		want string // in the error; empty for the event "a"
	}{
		{"meta.tmp", func(c *channel) {
			if err := c.fs.Rename("/d1/log-1.meta", "/d1/log-1.meta.tmp"); err != nil {
				c.t.Fatal(err)
			}
		}, ""},
		{"an empty log and other files", func(c *channel) {
			c.write("/d1/log-2", nil)
			c.write("/d1/log-1.bak", []byte("x"))
			c.write("/d1/log-x", []byte("x"))
		}, ""},
		{"no meta", func(c *channel) {
			if err := c.fs.Remove("/d1/log-1.meta"); err != nil {
				c.t.Fatal(err)
			}
		}, "/d1/log-1 has no .meta file"},
		{"empty meta", func(c *channel) { c.write("/d1/log-1.meta", nil) }, "/d1/log-1.meta: malformed"},
		{"huge meta", func(c *channel) { c.write("/d1/log-1.meta", make([]byte, maxMeta+1)) }, "more than 65536 bytes"},
		{"another's meta", func(c *channel) { c.write("/d1/log-1.meta", newLog(5).metaBytes()) }, "its number is 5"},
		{"unknown version", func(c *channel) {
			w := newLog(1)
			w.meta.version = 4
			c.write("/d1/log-1.meta", w.metaBytes())
		}, "version 4"},
		{"the same number twice", func(c *channel) { c.log("/d2", newLogWithEvent("b")) }, "same number"},
		{"number 0", func(c *channel) { c.write("/d1/log-0", []byte("x")) }, "a number that Flume never gives"},
		{"a huge number", func(c *channel) { c.write("/d1/log-99999999999", []byte("x")) }, "a number that Flume never gives"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newChannel(t)
			c.log("/d1", newLogWithEvent("a"))
			test.make(c)
			d, err := Open(context.Background(), c.options())
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("opening: %v, want %q", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"a"}, bodies(t, d)); diff != "" {
				t.Errorf("bodies (-want +got):\n%s", diff)
			}
		})
	}
}

func newLogWithEvent(body string) *logWriter {
	w := newLog(1)
	w.put(1, 1, body)
	w.commit(1, 2, kindPut)
	return w
}

func TestPresent(t *testing.T) {
	c := newChannel(t)
	c.write("/d2/segment-00000001.wal", []byte("x"))
	check := func(want bool, dirs ...string) {
		t.Helper()
		if got, err := Present(c.fs, dirs); got != want || err != nil {
			t.Errorf("Present(%v) is %v, %v", dirs, got, err)
		}
	}
	check(false, "/d1", "/d2", "/missing")
	c.log("/d1", newLog(1))
	check(true, "/missing", "/d2", "/d1")
	if _, err := Present(c.fs, []string{"/d1/log-1"}); err == nil {
		t.Error("a file passes for a directory")
	}
}
