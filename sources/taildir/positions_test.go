package taildir

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var compareEntries = cmp.AllowUnexported(entry{})

func TestPositionsFormat(t *testing.T) {
	// As Flume's JSON library writes it.
	entries := []entry{
		{1311768, 4096, "/data/logs/app.log"},
		{1311790, 0, `/data/<a> & 'b' = "c"\d` + "\t\x01é\u2028"},
	}
	const want = `[{"inode":1311768,"pos":4096,"file":"/data/logs/app.log"},` +
		`{"inode":1311790,"pos":0,"file":"/data/\u003ca\u003e \u0026 \u0027b\u0027 \u003d \"c\"\\d\t\u0001é\u2028"}]`
	text := string(appendPositions(nil, entries))
	if text != want {
		t.Errorf("written is\n%s\nwant\n%s", text, want)
	}
	got, err := parsePositions([]byte(text))
	if diff := cmp.Diff(entries, got, compareEntries); diff != "" || err != nil {
		t.Errorf("read back (error %v):\n%s", err, diff)
	}
}

func TestParsePositions(t *testing.T) {
	one := []entry{{7, 42, "/a"}}
	for _, c := range []struct {
		name, text string
		want       []entry
		err        error
	}{
		{"empty", "", nil, nil},
		{"white space", " \n", nil, nil},
		{"no entries", "[]", nil, nil},
		{"any order and white space", ` [ {"file" : "/a", "pos":42 ,"inode":7} ] `, one, nil},
		{"text behind it", `[{"inode":7,"pos":42,"file":"/a"}] and more`, one, nil},
		{"position below 0", `[{"inode":7,"pos":-1,"file":"/a"}]`, []entry{{7, 0, "/a"}}, nil},
		{"breaks off in an entry", `[{"inode":7,"pos":42,"file":"/a"},{"inode":8,"po`, one, errDamaged},
		{"breaks off between entries", `[{"inode":7,"pos":42,"file":"/a"},`, one, errDamaged},
		{"breaks off before the end", `[{"inode":7,"pos":42,"file":"/a"}`, one, errDamaged},
		{"zeros, as after a power cut", `[{"inode":7,"pos":42,"file":"/a"}` + "\x00\x00\x00", one, errDamaged},
		{"not an array", `{"inode":7}`, nil, errForeign},
		{"not JSON", "inode 7", nil, errForeign},
		{"array of others", "[1,2]", nil, errForeign},
		{"unknown member", `[{"inode":7,"pos":42,"file":"/a","x":1}]`, nil, errForeign},
		{"missing member", `[{"inode":7,"pos":42}]`, nil, errForeign},
		{"text for a number", `[{"inode":7,"pos":"x","file":"/a"}]`, nil, errForeign},
		{"fraction", `[{"inode":7,"pos":1.5,"file":"/a"}]`, nil, errForeign},
		{"number for text", `[{"inode":7,"pos":42,"file":1}]`, nil, errForeign},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parsePositions([]byte(c.text))
			if diff := cmp.Diff(c.want, got, compareEntries); diff != "" {
				t.Error(diff)
			}
			if !errors.Is(err, c.err) || (c.err == nil) != (err == nil) {
				t.Errorf("error %v, want %v", err, c.err)
			}
		})
	}
}

func FuzzPositions(f *testing.F) {
	for _, text := range []string{
		"", "[]", `[{"inode":7,"pos":42,"file":"/a"}]`, `[{"inode":7,"pos":42,"file":"/a"},{"ino`, `{"a":1}`, `[[`, "\x00", `[{"inode":-1,"pos":9223372036854775807,"file":"\ud800"}]`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := parsePositions(text)
		if err != nil && !errors.Is(err, errDamaged) && !errors.Is(err, errForeign) {
			t.Fatalf("error of neither kind: %v", err)
		}
		again, err := parsePositions(appendPositions(nil, entries))
		if diff := cmp.Diff(entries, again, compareEntries); diff != "" || err != nil {
			t.Fatalf("what was read is not what is read again (error %v):\n%s", err, diff)
		}
	})
}

func sampleHistory() (text []byte, want []*saved) {
	a := &saved{no: 1, id: fileID{65024, 77}, path: "/logs/app \"x\".log\n", label: "/logs/app.log",
		place: place{pos: 2000, head: markOf([]byte("head")), anchor: markOf([]byte("tail"))}}
	b := &saved{no: 3, id: fileID{1, 1 << 63}, path: "/logs/\xff", label: "/logs/\xff", state: stateMissing, since: 1234}
	text = append(text, journalTitle+"\n"...)
	text = appendHash(text, "00")
	text = appendFile(text, a)
	text = appendFile(text, &saved{no: 2, path: "/gone", label: "/gone"})
	text = appendFile(text, b)
	text = appendMove(text, 1, 2500, markOf([]byte("new tail")))
	text = appendMove(text, 9, 2500, markOf([]byte("of nobody")))
	text = appendForget(text, 2)
	text = appendHash(text, "01")
	text = appendHash(text, "02")
	moved := *a
	moved.place.pos, moved.place.anchor = 2500, markOf([]byte("new tail"))
	moved.older[0] = place{pos: 2000, anchor: a.place.anchor}
	return text, []*saved{&moved, b}
}

var compareSaved = cmp.AllowUnexported(saved{}, fileID{}, place{}, mark{})

func TestJournal(t *testing.T) {
	text, want := sampleHistory()
	h, err := parseJournal(text)
	if err != nil || h.torn {
		t.Fatalf("error %v, torn %v", err, h.torn)
	}
	if diff := cmp.Diff(want, h.inOrder(), compareSaved); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"01", "02"}, h.hashes); diff != "" {
		t.Errorf("hashes: %s", diff)
	}
}

// TestJournalTorn cuts the journal at every byte: what is read is what the whole
// records say, and a changed byte ends it.
func TestJournalTorn(t *testing.T) {
	text, _ := sampleHistory()
	for n := len(journalTitle) + 1; n < len(text); n++ {
		h, err := parseJournal(text[:n])
		whole, wholeErr := parseJournal(text[:strings.LastIndexByte(string(text[:n]), '\n')+1])
		if err != nil || wholeErr != nil {
			t.Fatalf("cut at %d: %v, %v", n, err, wholeErr)
		}
		if diff := cmp.Diff(whole.inOrder(), h.inOrder(), compareSaved); diff != "" {
			t.Fatalf("cut at %d: %s", n, diff)
		}
		if h.torn != (text[n-1] != '\n') {
			t.Fatalf("cut at %d: torn %v", n, h.torn)
		}
		bad := append([]byte{}, text...)
		bad[n] ^= 1
		if h, err := parseJournal(bad); err == nil && !h.torn {
			t.Fatalf("nobody notices that byte %d has changed", n)
		}
	}
}

func TestJournalForeign(t *testing.T) {
	for _, text := range []string{"", "something else\n", journalTitle} {
		if _, err := parseJournal([]byte(text)); err == nil {
			t.Errorf("%q is taken for a journal", text)
		}
	}
}

func FuzzJournal(f *testing.F) {
	text, _ := sampleHistory()
	f.Add(text)
	f.Add([]byte(journalTitle + "\n00000000 f 1\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, text []byte) {
		h, err := parseJournal(text)
		if err != nil {
			return
		}
		again := []byte(journalTitle + "\n")
		for _, s := range h.inOrder() {
			again = appendFile(again, s)
			if !s.place.sound() {
				t.Fatalf("%+v is not sound", s)
			}
		}
		back, err := parseJournal(again)
		if err != nil || back.torn || len(back.files) != len(h.files) {
			t.Fatalf("%d files are written, %d are read back (error %v)", len(h.files), len(back.files), err)
		}
	})
}

// FuzzJournalRecord tries what checks but makes no sense.
func FuzzJournalRecord(f *testing.F) {
	for _, text := range []string{"p 1 2 0:-", "d x", "h ", "f 1 2 3 4 0:- 0:- 0 0 \"a\" \"b\"", "f 1 2 3 -4 5:00 0:- 9 0 a b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "\n") {
			return
		}
		record := appendRecord([]byte(journalTitle+"\n"), func(b []byte) []byte { return append(b, text...) })
		if h, err := parseJournal(record); err != nil || len(h.files) > 1 {
			t.Fatalf("%d files, error %v", len(h.files), err)
		}
	})
}
