package wal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/flume-go/flume/internal/vfs"
)

// testCipher seals with the key of this alias. Its keys are those of the aliases k1, k2 and k3, each of another length.
func testCipher(active string) *Cipher {
	return &Cipher{Active: active, Key: func(alias string) ([]byte, error) {
		for i, known := range []string{"k1", "k2", "k3"} {
			if alias == known {
				return bytes.Repeat([]byte(alias), 8+4*i), nil
			}
		}
		return nil, fmt.Errorf("the key store has no key %q", alias)
	}}
}

// with changes options.
func with(o Options, change func(*Options)) Options {
	change(&o)
	return o
}

// TestPlaintextStaysOffTheDisk looks for an event's body and header in all files, also after a record was damaged and copied.
func TestPlaintextStaysOffTheDisk(t *testing.T) {
	const marker = "xxxxxxxxxxxxxxxx"
	for form, options := range forms {
		mem := vfs.NewMem(1)
		l := mustOpen(t, options(mem))
		for i := range 30 {
			mustAppend(t, l, 3*i, 3, 200)
		}
		path := l.segments[1].path
		mustClose(t, l)
		flip(t, mem, path, 4000)
		l = mustOpen(t, options(mem))
		if got := readAll(t, l, false); len(got) != 87 || l.Stats().Damaged != 1 {
			t.Errorf("%s: read %d of 90 events, 3 of which are damaged", form, len(got))
		}
		mustClose(t, l)
		quarantined, visible := false, 0
		for name, content := range files(t, mem) {
			quarantined = quarantined || strings.Contains(name, "/quarantine/")
			visible += strings.Count(content, marker)
		}
		if !quarantined || (visible > 0) != (form == "clear") {
			t.Errorf("%s: the body is visible %d times; a copy was made: %v", form, visible, quarantined)
		}
	}
}

func TestKeysThatDoNotFit(t *testing.T) {
	otherKey := &Cipher{Active: "k2", Key: func(string) ([]byte, error) { return make([]byte, 16), nil }}
	for name, c := range map[string]struct {
		cipher *Cipher
		want   []string // in the error while events are stored; none: no error
		empty  bool     // there is an error even when none are
	}{
		"right":          {testCipher("k1"), nil, false},
		"rotated":        {testCipher("k2"), nil, false},
		"switched off":   {testCipher(""), nil, false},
		"not configured": {nil, []string{"k1", "segment-00000001.wal", "not configured"}, false},
		"wrong":          {otherKey, []string{"k1", "segment-00000001.wal", "another key"}, false},
		"gone": {&Cipher{Key: func(string) ([]byte, error) { return nil, os.ErrNotExist }},
			[]string{"k1", "segment-00000001.wal", "make the key available"}, false},
		"of a wrong length": {&Cipher{Active: "short", Key: func(string) ([]byte, error) { return make([]byte, 5), nil }},
			[]string{"short", "5 bytes"}, true},
		"unknown and active": {testCipher("nobody"), []string{"nobody", "active key"}, true},
	} {
		for _, empty := range []bool{false, true} {
			mem := vfs.NewMem(1)
			l := mustOpen(t, sealedOptions(mem))
			mustAppend(t, l, 0, 3, 10)
			if empty {
				readAll(t, l, true)
			}
			mustClose(t, l)
			opts := with(testOptions(mem), func(o *Options) { o.Cipher = c.cipher })
			l, err := Open(opts)
			if c.want == nil || empty && !c.empty {
				if err != nil {
					t.Errorf("%s, empty %v: %v", name, empty, err)
					continue
				}
				want := seq(0, 3)
				if empty {
					want = nil
				}
				mustAppend(t, l, 3, 2, 10)
				if got := readAll(t, l, true); !slices.Equal(got, append(want, 3, 4)) {
					t.Errorf("%s, empty %v: read %v", name, empty, got)
				}
				mustClose(t, l)
				continue
			}
			if !errors.Is(err, ErrKey) {
				t.Errorf("%s, empty %v: opened with error %v", name, empty, err)
				continue
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%s: %q does not name %s", name, err, w)
				}
			}
		}
	}
}

// TestKeyRotation changes the active key between starts: each start goes on in a segment with its own.
func TestKeyRotation(t *testing.T) {
	mem := vfs.NewMem(1)
	aliases := []string{"", "k1", "k1", "k2", "", "", "k3"}
	var want []string
	for i, alias := range aliases {
		opts := with(testOptions(mem), func(o *Options) { o.Cipher = testCipher(alias) })
		l := mustOpen(t, opts)
		mustAppend(t, l, 2*i, 2, 10)
		if got := readAll(t, l, false); !slices.Equal(got, seq(0, 2*i+2)) {
			t.Errorf("after the change to %q, read %v", alias, got)
		}
		mustClose(t, l)
		if len(want) == 0 || want[len(want)-1] != alias {
			want = append(want, alias)
		}
	}
	report, err := Inspect(testOptions(mem))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range report.Segments {
		got = append(got, s.KeyAlias)
		if (s.KeyProblem != "") != (s.KeyAlias != "") {
			t.Errorf("without keys, the problem of %+v is not told", s)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("segments have keys %q, want %q", got, want)
	}
}

// TestForgedRecord changes sealed bytes and makes the checksums right again: only the tag can tell.
func TestForgedRecord(t *testing.T) {
	for name, forge := range map[string]func(h *header, payload []byte){
		"events":       func(_ *header, p []byte) { p[putFixed+20] ^= 1 },
		"tag":          func(_ *header, p []byte) { p[len(p)-1] ^= 1 },
		"time":         func(_ *header, p []byte) { p[3] ^= 1 },
		"lengths":      func(_ *header, p []byte) { p[8] ^= 1 },
		"numbers":      func(h *header, _ []byte) { h.first++ },
		"synced mark":  func(h *header, _ []byte) { h.synced -= 8 },
		"short record": func(h *header, _ []byte) { h.length = putFixed + sealOverhead - 1 },
	} {
		mem := vfs.NewMem(1)
		l := mustOpen(t, with(sealedOptions(mem), func(o *Options) { o.CacheBytes = -1 }))
		mustAppend(t, l, 0, 2, 10)
		seg := l.segments[0]
		pos := seg.written
		mustAppend(t, l, 2, 2, 10)
		end := seg.written
		mustAppend(t, l, 4, 2, 10)
		f, err := mem.OpenFile(seg.path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		rec := make([]byte, end-pos)
		if _, err := f.ReadAt(rec, pos); err != nil {
			t.Fatal(err)
		}
		h, ok := parseHeader(rec, seg.at(pos))
		if !ok {
			t.Fatal("the record has no good header")
		}
		payload := rec[recordHeader : recordHeader+h.length]
		forge(&h, payload)
		h.payloadCRC = checksum(payload[:h.length])
		h.put(rec, seg.at(pos))
		if _, err := f.WriteAt(rec, pos); err != nil {
			t.Fatal(err)
		}
		f.Close()
		want := []int{0, 1, 4, 5}
		if got := readAll(t, l, false); !slices.Equal(got, want) || l.Stats().Damaged == 0 {
			t.Errorf("forged %s: read %v, want %v and damage", name, got, want)
		}
		mustClose(t, l)
	}
}

// TestEachLifeHasItsOwnSalt compares the headers of one file's lives.
func TestEachLifeHasItsOwnSalt(t *testing.T) {
	mem := vfs.NewMem(1)
	l := mustOpen(t, sealedOptions(mem))
	defer l.Close()
	seen := make(map[[saltSize]byte]uint64)
	for i := range 200 {
		mustAppend(t, l, i, 1, 500)
		readAll(t, l, true)
		s := &segment{path: l.writer.active.path, slot: l.writer.active.slot}
		if state, err := readHead(mem, s); err != nil || state != headGood || s.sealing != l.writer.active.sealing {
			t.Fatalf("the header of %s is read as %+v, state %d, %v", s.path, s.sealing, state, err)
		}
		if gen, ok := seen[s.sealing.salt]; ok && gen != s.gen {
			t.Fatalf("generations %d and %d have the same salt", gen, s.gen)
		}
		seen[s.sealing.salt] = s.gen
	}
	if len(seen) < 10 {
		t.Errorf("only %d lives were looked at", len(seen))
	}
}

func TestUnknownCipherIsRefused(t *testing.T) {
	mem := vfs.NewMem(1)
	l := mustOpen(t, sealedOptions(mem))
	mustAppend(t, l, 0, 1, 10)
	seg := l.segments[0]
	mustClose(t, l)
	seg.sealing.cipher = 9
	f, err := mem.OpenFile(seg.path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(encodeSegmentHeader(seg), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(sealedOptions(mem)); err == nil || !strings.Contains(err.Error(), "cipher 9") {
		t.Errorf("opening a segment of an unknown cipher: %v", err)
	}
}
