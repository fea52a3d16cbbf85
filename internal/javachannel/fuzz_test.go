package javachannel

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/flume-go/flume/event"
)

// FuzzScan reads and repairs a log of any content, as version 3, encrypted and of version 2. What Repair leaves
// holds no damage but at its end.
func FuzzScan(f *testing.F) {
	w, at := threeEvents()
	f.Add(w.data, uint8(0))
	f.Add(append(bytes.Clone(w.data[:at[3]]), w.data[at[2]+3:]...), uint8(1))
	f.Add(w.data[:at[5]+9], uint8(0))
	old := logV2(1)
	old.put(1, 1, "a")
	old.add(kindCommit, 1, 2, 0, 1)
	f.Add(old.data, uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, form uint8) {
		if len(data) > 1<<16 {
			return
		}
		c := newChannel(t)
		l := newLog(1)
		l.data = data
		key := bytes.Repeat([]byte{7}, 16)
		switch form % 3 {
		case 1:
			l.encrypt("k", key)
		case 2:
			l.version = version2
		}
		c.log("/d1", l)
		options := c.options()
		options.Key = func(string) ([]byte, error) { return key, nil }
		d, err := Open(context.Background(), options)
		if err != nil {
			return // a head that is none
		}
		events := 0
		err = d.Read(context.Background(), func(b *event.Batch) error {
			events += b.Len()
			return nil
		})
		if r := d.Report(); err != nil || events != r.Delivered || events+r.Lost+r.Noops < r.Events || r.LogBytes < int64(events*5) {
			t.Errorf("%d events, %v: %+v", events, err, r)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if form%3 == 2 {
			return
		}
		repaired, err := Repair(context.Background(), options, nil)
		if err != nil {
			return // too little room for a frame, or a key that fits nothing
		}
		if repaired.Corrupt > 0 && len(repaired.Backups) != 1 {
			t.Errorf("changed without a backup: %+v", repaired)
		}
		// A disabled record without content beside another looks like bytes that were never written, which
		// the second run makes one disabled record. The third finds nothing.
		for run := 2; run <= 3; run++ {
			again, err := Repair(context.Background(), options, nil)
			if err != nil || run == 3 && again.Corrupt > 0 {
				t.Errorf("repair %d: %+v, %v", run, again, err)
			}
		}
	})
}

// FuzzMeta decodes what .meta files and checkpoint.meta could hold.
func FuzzMeta(f *testing.F) {
	w := newLog(1)
	f.Add(w.metaBytes())
	w.encrypt("k", nil)
	f.Add(w.metaBytes())
	f.Add(checkpointFiles{order: 1, queue: make([]pointer, 3)}.meta())
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := parseLogMeta(data); err == nil {
			l := logWriter{id: m.id, meta: m}
			if again, err := parseLogMeta(l.metaBytes()); err != nil || again.position != m.position || again.backupOrder != m.backupOrder {
				t.Errorf("%+v became %+v, %v", m, again, err)
			}
		}
		if m, err := parseCheckpointMeta(data); err == nil && len(data) < 20 {
			t.Errorf("%d bytes pass for %+v", len(data), m)
		}
	})
}

// FuzzCheckpoint loads a checkpoint of any content, with and without its meta file.
func FuzzCheckpoint(f *testing.F) {
	good := checkpointFiles{order: 1, queue: []pointer{1 << 32}, capacity: 2}
	f.Add(good.table()[:40], good.meta(), uint16(2))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 2}, []byte(nil), uint16(1))
	f.Fuzz(func(t *testing.T, head, meta []byte, capacity uint16) {
		c := newChannel(t)
		table := make([]byte, 8*(ringStart+int(capacity%100)))
		copy(table, head)
		for i := 8 * ringStart; i < len(table); i += 8 {
			binary.BigEndian.PutUint64(table[i:], 1<<32)
		}
		c.write("/c/checkpoint", table)
		if len(meta) > 0 {
			c.write("/c/checkpoint.meta", meta)
		}
		got, err := loadCheckpoint(c.fs, "/c")
		var unusable *badCheckpointError
		if err != nil && !errors.As(err, &unusable) {
			t.Error(err)
		}
		if err == nil && got.queue.size > int(capacity%100) {
			t.Errorf("%d events in a ring of %d", got.queue.size, capacity%100)
		}
	})
}

// FuzzInflight decodes inflight files whose checksum is right.
func FuzzInflight(f *testing.F) {
	f.Add(inflightBytes(nil)[16:])
	f.Add(inflightBytes(map[int64][]pointer{1: {1 << 32, 2 << 32}, 2: {3 << 32}})[16:])
	f.Fuzz(func(t *testing.T, words []byte) {
		sum := md5.Sum(words)
		open, err := parseInflight(append(sum[:], words...))
		if err != nil {
			return
		}
		n := 0
		for _, pointers := range open {
			n += len(pointers)
		}
		if 8*n > len(words) {
			t.Errorf("%d pointers in %d bytes", n, len(words))
		}
	})
}

// FuzzSnappy decompresses any stream.
func FuzzSnappy(f *testing.F) {
	f.Add(snappyBytes(bytes.Repeat([]byte("abc"), 1000)))
	f.Add(snappyBytes(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := io.Copy(io.Discard, &snappyReader{src: bytes.NewReader(data)})
		if err != nil && !errors.Is(err, errSnappy) {
			t.Error(err)
		}
		if n > 0 && len(data) < 16 {
			t.Errorf("%d bytes from %d", n, len(data))
		}
	})
}
