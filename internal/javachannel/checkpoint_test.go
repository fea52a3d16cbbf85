package javachannel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSources damages the checkpoint in all ways that make Flume replay the logs, and checks what is used
// instead. The logs alone have a, b and c; the checkpoint knows that b was delivered, the backup knows of a.
func TestSources(t *testing.T) {
	word := func(n int, v uint64) func(c *channel) {
		return func(c *channel) {
			data := c.read("/c/checkpoint")
			binary.BigEndian.PutUint64(data[8*n:], v)
			c.write("/c/checkpoint", data)
		}
	}
	content := func(name string, data []byte) func(c *channel) {
		return func(c *channel) { c.write("/c/"+name, data) }
	}
	remove := func(names ...string) func(c *channel) {
		return func(c *channel) {
			for _, name := range names {
				if err := c.fs.Remove("/c/" + name); err != nil {
					c.t.Fatal(err)
				}
			}
		}
	}
	tests := []struct {
		name   string
		damage func(c *channel)
		good   bool
	}{
		{"none", func(*channel) {}, true},
		{"inflight files missing", remove("inflightputs", "inflighttakes"), true},
		{"inflight files empty", func(c *channel) { content("inflightputs", nil)(c); content("inflighttakes", nil)(c) }, true},
		{"incomplete", word(4, 1), false},
		{"version 2 with meta", word(0, 2), false},
		{"version 4", word(0, 4), false},
		{"another number", word(1, 7), false},
		{"an empty element", word(ringStart+5, 0), false},
		{"meta missing", remove("checkpoint.meta"), false},
		{"checkpoint missing", remove("checkpoint"), false},
		{"both missing", remove("checkpoint", "checkpoint.meta"), false},
		{"meta empty", content("checkpoint.meta", nil), false},
		{"meta garbage", content("checkpoint.meta", []byte{3, 1, 2, 3}), false},
		{"meta of version 4", func(c *channel) {
			data := c.read("/c/checkpoint.meta")
			data[2] = 4
			c.write("/c/checkpoint.meta", data)
		}, false},
		{"queue larger than the ring", content("checkpoint.meta", checkpointFiles{order: 9, queue: make([]pointer, 21)}.meta()), false},
		{"head outside the ring", content("checkpoint.meta", checkpointFiles{order: 9, head: 20}.meta()), false},
		{"checkpoint empty", content("checkpoint", nil), false},
		{"checkpoint without ring", content("checkpoint", make([]byte, 8*ringStart)), false},
		{"half a word too many", func(c *channel) { content("checkpoint", append(c.read("/c/checkpoint"), 0, 0, 0, 0))(c) }, false},
		{"inflight file too short", content("inflighttakes", []byte("short")), false},
		{"inflight file with another sum", content("inflightputs", make([]byte, 32)), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, kind := range []string{"none", "plain", "packed", "bad"} {
				c := newChannel(t)
				want, source := makeSources(c, kind)
				test.damage(c)
				if test.good {
					want, source = []string{"a", "c", "d"}, FromCheckpoint
				}
				d := c.open()
				if diff := cmp.Diff(want, bodies(t, d)); diff != "" {
					t.Errorf("backup %s: bodies (-want +got):\n%s", kind, diff)
				}
				r := d.Report()
				if r.Source != source || test.good != (len(r.Problems) == 0) {
					t.Errorf("backup %s: used the %s: %v", kind, r.Source, r.Problems)
				}
			}
		})
	}
}

// makeSources makes logs, a checkpoint and a backup, and returns what comes of it without the checkpoint.
func makeSources(c *channel, backup string) (want []string, source Source) {
	w := newLog(1)
	a := w.put(1, 1, "a")
	w.put(1, 2, "b")
	w.commit(1, 3, kindPut)
	w.mark(4)
	third := w.put(2, 5, "c")
	w.commit(2, 6, kindPut)
	w.mark(9)
	w.put(3, 10, "d")
	w.commit(3, 11, kindPut)
	c.log("/d1", w)
	c.checkpoint("/c", checkpointFiles{order: 9, queue: []pointer{a, third}, head: 5})
	if backup == "none" {
		return []string{"a", "b", "c", "d"}, FromLogs
	}
	first := checkpointFiles{order: 4, queue: []pointer{a}, head: 19, capacity: 20}
	c.checkpoint("/b", first)
	c.write("/b/backupComplete", nil)
	switch backup {
	case "packed":
		c.write("/b/checkpoint.snappy", snappyBytes(first.table()))
		if err := c.fs.Remove("/b/checkpoint"); err != nil {
			c.t.Fatal(err)
		}
	case "bad":
		c.write("/b/checkpoint.meta", nil)
		return []string{"a", "b", "c", "d"}, FromLogs
	}
	return []string{"a", "c", "d"}, FromBackup
}

// TestRing reads queues at all places of a ring, in clear and compressed.
func TestRing(t *testing.T) {
	const capacity = 5
	for head := range capacity {
		for size := range capacity + 1 {
			f := checkpointFiles{order: 1, head: head, capacity: capacity}
			for i := range size {
				f.queue = append(f.queue, pointerTo(1, int64(i)))
			}
			for _, packed := range []bool{false, true} {
				c := newChannel(t)
				c.checkpoint("/c", f)
				if packed {
					c.write("/c/checkpoint.snappy", snappyBytes(f.table()))
					if err := c.fs.Remove("/c/checkpoint"); err != nil {
						t.Fatal(err)
					}
				}
				got, err := loadCheckpoint(c.fs, "/c")
				if err != nil {
					t.Fatal(err)
				}
				var queue []pointer
				for p := range got.queue.all() {
					queue = append(queue, p)
				}
				if diff := cmp.Diff(f.queue, queue); diff != "" || got.queue.size != size {
					t.Errorf("head %d, size %d (-want +got):\n%s", head, size, diff)
				}
			}
		}
	}
}

func TestSnappy(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 20_000)
	packed := snappyBytes(data)
	got, err := io.ReadAll(&snappyReader{src: bytes.NewReader(packed)})
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("read %d bytes, want %d (%v)", len(got), len(data), err)
	}
	for _, n := range []int{0, 7, 15, 18, 30, len(packed) - 1} {
		if _, err := io.ReadAll(&snappyReader{src: bytes.NewReader(packed[:n])}); !errors.Is(err, errSnappy) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
	for _, at := range []int{0, 8 + 7, 16, 20} {
		spoilt := bytes.Clone(packed)
		spoilt[at] ^= 0x80
		if at == 8+7 {
			spoilt[at] = 2
		}
		if _, err := io.ReadAll(&snappyReader{src: bytes.NewReader(spoilt)}); !errors.Is(err, errSnappy) {
			t.Errorf("byte %d spoilt: %v", at, err)
		}
	}
}

// TestCheckpointV2 reads a checkpoint of version 2, whose head has what is in a file of its own later on.
func TestCheckpointV2(t *testing.T) {
	c := newChannel(t)
	f := checkpointFiles{order: 9, queue: []pointer{pointerTo(1, 30), pointerTo(1, 60)}, head: 3, capacity: 4}
	data := f.table()
	binary.BigEndian.PutUint64(data, version2)
	binary.BigEndian.PutUint64(data[16:], 2)
	binary.BigEndian.PutUint64(data[24:], 3)
	c.write("/c/checkpoint", data)
	got, err := loadCheckpoint(c.fs, "/c")
	if err != nil || got.version != version2 || got.order != 9 || got.queue.size != 2 || got.queue.head() != f.queue[0] {
		t.Errorf("checkpoint %+v, %v", got, err)
	}
	binary.BigEndian.PutUint64(data[16:], 5)
	c.write("/c/checkpoint", data)
	var unusable *badCheckpointError
	if _, err := loadCheckpoint(c.fs, "/c"); !errors.As(err, &unusable) || !strings.Contains(err.Error(), "capacity of 4") {
		t.Errorf("with a queue too large: %v", err)
	}
}
