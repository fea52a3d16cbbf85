package spooldir

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// javaTracker is a position file that Apache Flume 1.11 has written; see testdata/README.md.
func javaTracker(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/java.meta")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

var equalSaved = cmp.AllowUnexported(saved{}, mark{})

func TestTrackerOfJava(t *testing.T) {
	data := javaTracker(t)
	want := &saved{target: "/var/spool/in/a.log", at: mark{offset: 1000000}, length: -1}
	got, err := parseTracker(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, equalSaved); diff != "" {
		t.Error(diff)
	}
	var sync [syncSize]byte
	copy(sync[:], data[len(data)-syncSize:])
	var ours []byte
	for i, offset := range []int64{10, 2048, 1000000} {
		if m := (mark{offset: offset}); i == 0 {
			ours = appendTracker(nil, &saved{target: want.target, at: m, length: -1}, sync)
		} else {
			ours = appendPosition(ours, m, sync)
		}
	}
	if !bytes.Equal(ours, data) {
		t.Errorf("ours is\n%q\nJava's\n%q", ours, data)
	}
}

func TestTrackerComesBack(t *testing.T) {
	sync := [syncSize]byte{1, 2, 3}
	for _, s := range []saved{
		{target: "in/a", at: mark{offset: 5}, length: 10, modified: 77},
		{target: "/in/ä b", at: mark{offset: 1 << 40, skip: 3}, length: 0},
	} {
		data := appendTracker(nil, &s, sync)
		got, err := parseTracker(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&s, got, equalSaved); diff != "" {
			t.Error(diff)
		}
		// What a power cut may leave of the next position never counts.
		more := appendPosition(bytes.Clone(data), mark{offset: 9, skip: 1}, sync)
		for n := len(data); n < len(more); n++ {
			for _, tail := range [][]byte{more[:n], append(bytes.Clone(more[:n]), make([]byte, len(more)-n)...)} {
				if bytes.Equal(tail, more) {
					continue
				}
				if got, err = parseTracker(tail); err != nil || got.at != s.at {
					t.Errorf("cut at %d: %+v, %v", n, got, err)
				}
			}
		}
		if got, err = parseTracker(more); err != nil || got.at != (mark{offset: 9, skip: 1}) {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

func TestTrackerThatIsNone(t *testing.T) {
	data := javaTracker(t)
	for n := range bytes.LastIndex(data[:len(data)-syncSize], data[len(data)-syncSize:]) {
		if n < 200 {
			if got, err := parseTracker(data[:n]); err == nil && got.at != (mark{}) {
				t.Errorf("cut at %d: %+v", n, got)
			}
		}
	}
	file, _ := containerOf(t, "null", 1, 100)
	if _, err := parseTracker(file); !errors.Is(err, errForeign) {
		t.Errorf("another container file: %v", err)
	}
	if _, err := parseTracker([]byte("text")); err == nil {
		t.Error("text is a position file")
	}
}

func FuzzTracker(f *testing.F) {
	data := javaTracker(f)
	f.Add(data)
	f.Add(data[:100])
	f.Add(appendTracker(nil, &saved{target: "x", at: mark{1, 2}, length: 3}, [syncSize]byte{}))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseTracker(data)
		if err != nil {
			return
		}
		if s.at.offset < 0 || s.at.skip < 0 || s.target == "" {
			t.Fatalf("%+v", s)
		}
		again, err := parseTracker(appendTracker(nil, s, [syncSize]byte{9}))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s, again, equalSaved); diff != "" {
			t.Fatal(diff)
		}
	})
}
