package javachannel

import (
	"bytes"
	"context"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/event"
)

// walkAsFlume follows a log as Flume does and returns the offsets of the records it reads. It fails where Flume
// would not start.
func walkAsFlume(t *testing.T, data []byte) (offsets []int64) {
	t.Helper()
	for off := int64(0); off < int64(len(data)); {
		op := data[off]
		if op != opRecord && op != opNoop {
			return offsets
		}
		if off+frameSize > int64(len(data)) {
			return offsets
		}
		size := int64(int32(binary.BigEndian.Uint32(data[off+1:])))
		end := off + frameSize + size
		if op == opNoop {
			off = max(end, off+frameSize)
			continue
		}
		if size < 0 || end > int64(len(data)) {
			t.Fatalf("Flume stops at %d: length %d", off, size)
		}
		if _, err := parseRecord(data[off+frameSize : end]); err != nil {
			t.Fatalf("Flume stops at %d: %v", off, err)
		}
		offsets = append(offsets, off)
		off = end
	}
	return offsets
}

func TestRepair(t *testing.T) {
	tests := []struct {
		name   string
		damage func(w *logWriter, at []int64)
		want   RepairReport // without Disabled and Backups
		lost   []int        // indexes of records that Flume does not read any more
	}{
		{"nothing to do", func(*logWriter, []int64) {}, RepairReport{Logs: 1, Records: 6, Puts: 3, Valid: 3}, nil},
		{"a body", func(w *logWriter, at []int64) { w.data[at[3]-12] ^= 1 }, RepairReport{Logs: 1, Records: 6, Puts: 2, Valid: 2, Corrupt: 1}, []int{2}},
		{"the first record", func(w *logWriter, at []int64) { w.data[5] = 0 }, RepairReport{Logs: 1, Records: 6, Puts: 2, Valid: 2, Corrupt: 1}, []int{0}},
		{"a length", func(w *logWriter, at []int64) { w.data[at[2]+4]-- }, RepairReport{Logs: 1, Records: 6, Puts: 2, Valid: 2, Corrupt: 1}, []int{2}},
		{"a length that takes a byte of the next record", func(w *logWriter, at []int64) { w.data[at[2]+4]++ },
			RepairReport{Logs: 1, Records: 6, Puts: 3, Valid: 3, Corrupt: 1}, []int{3}},
		{"a negative length", func(w *logWriter, at []int64) { w.data[at[2]+1] = 0x80 }, RepairReport{Logs: 1, Records: 6, Puts: 2, Valid: 2, Corrupt: 1}, []int{2}},
		{"an operation", func(w *logWriter, at []int64) { w.data[at[2]] = 1 }, RepairReport{Logs: 1, Records: 6, Puts: 2, Valid: 2, Corrupt: 1}, []int{2}},
		{"two in a row", func(w *logWriter, at []int64) { w.data[at[2]+5], w.data[at[3]+5] = 0, 0 },
			RepairReport{Logs: 1, Records: 5, Puts: 2, Valid: 2, Corrupt: 1}, []int{2, 3}},
		{"a record never written", func(w *logWriter, at []int64) { clear(w.data[at[2]:at[3]]) }, RepairReport{Logs: 1, Records: 6, Puts: 2, Valid: 2, Corrupt: 1}, []int{2}},
		{"a torn end", func(w *logWriter, at []int64) { w.data = w.data[:at[5]+20] }, RepairReport{Logs: 1, Records: 6, Puts: 3, Valid: 3, Corrupt: 1}, []int{5}},
		{"a torn end beyond the file", func(w *logWriter, at []int64) { w.data[at[5]+1] = 1 }, RepairReport{Logs: 1, Records: 6, Puts: 3, Valid: 3, Corrupt: 1}, []int{5}},
		{"garbage at the end", func(w *logWriter, at []int64) { w.data = append(w.data, 1, 2, 3) }, RepairReport{Logs: 1, Records: 6, Puts: 3, Valid: 3}, nil},
		{"disabled before", func(w *logWriter, at []int64) { w.data[at[2]] = opNoop }, RepairReport{Logs: 1, Records: 5, Puts: 2, Valid: 2}, []int{2}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newChannel(t)
			w, at := threeEvents()
			test.damage(w, at)
			c.log("/d1", w)
			before := c.read("/d1/log-1")
			got, err := Repair(context.Background(), c.options(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Disabled) != test.want.Corrupt || len(got.Backups) != min(1, test.want.Corrupt) {
				t.Errorf("disabled %v, backups %v", got.Disabled, got.Backups)
			}
			for _, backup := range got.Backups {
				if !bytes.Equal(c.read(backup), before) {
					t.Error("the backup is not what the log was")
				}
			}
			got.Disabled, got.Backups = nil, nil
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			var want []int64
			for i, off := range at[:6] {
				lost := false
				for _, l := range test.lost {
					lost = lost || l == i
				}
				if !lost {
					want = append(want, off)
				}
			}
			if diff := cmp.Diff(want, walkAsFlume(t, c.read("/d1/log-1"))); diff != "" {
				t.Errorf("records that Flume reads (-want +got):\n%s", diff)
			}
			again, err := Repair(context.Background(), c.options(), nil)
			if err != nil || again.Corrupt != 0 || len(again.Backups) != 0 {
				t.Errorf("a second run: %+v, %v", again, err)
			}
		})
	}
}

func TestRepairValidates(t *testing.T) {
	c := newChannel(t)
	w, at := threeEvents()
	c.log("/d1", w)
	c.write("/d1/log-1.bak", []byte("of an earlier run"))
	var seen []string
	report, err := Repair(context.Background(), c.options(), func(e *event.Event) bool {
		seen = append(seen, string(e.Body))
		return string(e.Body) != "b"
	})
	if err != nil {
		t.Fatal(err)
	}
	want := RepairReport{Logs: 1, Records: 6, Puts: 3, Valid: 2, Invalid: 1, Backups: []string{"/d1/log-1.bak.2"}, Disabled: []Damage{
		{File: "/d1/log-1", Offset: at[2], Length: at[3] - at[2], Reason: "the validator rejected the event"},
	}}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a", "b", "c"}, seen); diff != "" {
		t.Errorf("events examined (-want +got):\n%s", diff)
	}
	if got := string(c.read("/d1/log-1.bak")); got != "of an earlier run" {
		t.Errorf("the earlier backup is now %q", got)
	}
	d := c.open()
	if diff := cmp.Diff([]string{"a", "c"}, bodies(t, d)); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
}

func TestRepairRefuses(t *testing.T) {
	encrypted := newLogWithEvent("a")
	encrypted.encrypt("one", bytes.Repeat([]byte{1}, 16))
	tests := map[string]struct {
		make func(c *channel)
		dirs []string
		want string
	}{
		"a missing directory": {func(*channel) {}, []string{"/d1", "/missing"}, "/missing"},
		"an encrypted log":    {func(c *channel) { c.log("/d1", encrypted) }, []string{"/d1"}, "no key provider"},
		"version 2": {func(c *channel) {
			c.log("/d1", newLogWithEvent("a"))
			c.write("/d1/log-2", logV2(2).data)
		}, []string{"/d1"}, "version 2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newChannel(t)
			test.make(c)
			options := c.options()
			options.DataDirs = test.dirs
			if _, err := Repair(context.Background(), options, nil); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Repair: %v, want %q", err, test.want)
			}
		})
	}
}
