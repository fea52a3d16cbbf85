package wal

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/vfs"
)

// payloadOf returns the payload of an encoded put in one piece.
func payloadOf(e *encodedPut) []byte {
	return slices.Concat(e.appendTo(nil)...)[recordHeader : recordHeader+e.payload]
}

// appendLines adds an event for each line of text, as a source of lines does.
func appendLines(b *event.Batch, text string) {
	copy(b.Reserve(len(text)), text)
	for rest := b.Commit(len(text)); len(rest) > 0; {
		n := bytes.IndexByte(rest, '\n') + 1
		b.AppendLine(rest[:n])
		rest = rest[n:]
	}
}

// same reports whether two batches have equal events.
func same(a, b *event.Batch) bool {
	return slices.EqualFunc(a.Events(), b.Events(), func(x, y event.Event) bool {
		return bytes.Equal(x.Body, y.Body) && slices.Equal(x.Headers, y.Headers)
	})
}

func TestPutRoundTrip(t *testing.T) {
	for name, build := range map[string]func(*event.Batch){
		"empty body":   func(b *event.Batch) { b.AppendCopy(nil) },
		"empty header": func(b *event.Batch) { b.SetHeader(b.AppendCopy([]byte("x")), "", "") },
		"no events":    func(*event.Batch) {},
		"large":        func(b *event.Batch) { b.AppendCopy(make([]byte, 16<<20)) },
		"large ones": func(b *event.Batch) {
			for i := range 5 {
				b.SetHeader(b.AppendCopy(bytes.Repeat([]byte{byte(i)}, 1000*i)), "k", "v")
			}
		},
		"lines":       func(b *event.Batch) { appendLines(b, strings.Repeat("a line\n\nand\n", 300)) },
		"a few lines": func(b *event.Batch) { appendLines(b, "\nx\n") },
		"lines, but one": func(b *event.Batch) {
			appendLines(b, strings.Repeat("a line\n", 300))
			b.AppendCopy([]byte("x"))
		},
		"long header": func(b *event.Batch) {
			b.SetHeader(b.AppendCopy([]byte("x")), strings.Repeat("k", 300), strings.Repeat("\x00ü", 70000))
		},
		"many": func(b *event.Batch) {
			for i := range 1000 {
				e := b.AppendCopy(bytes.Repeat([]byte{byte(i)}, i%300))
				for h := range i % 5 {
					b.SetHeader(e, strings.Repeat("h", h), strings.Repeat("v", i))
				}
			}
		},
	} {
		b := event.NewBatch()
		build(b)
		var put encodedPut
		if err := put.encode(b, 42, 0, nil); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		payload := payloadOf(&put)
		if put.crc != checksum(payload) {
			t.Errorf("%s: the checksum is not that of the payload", name)
		}
		got, at, err := decodePut(payload, b.Len())
		if err != nil || at != 42 || !same(b, got) {
			t.Errorf("%s: decoded %d events of time %d, %v", name, got.Len(), at, err)
		}
		if _, bodies := putSummary(payload, b.Len(), 0); bodies != int64(b.Bytes()) {
			t.Errorf("%s: summary says %d bytes of bodies, want %d", name, bodies, b.Bytes())
		}
		if _, _, err := decodePut(payload, b.Len()+1); err == nil {
			t.Errorf("%s: decoded with one event more than there are", name)
		}
		got.Release()
		b.Release()
	}
}

// TestLargeBodiesLieInTheFileAsInMemory puts bodies at every place of a cache line.
func TestLargeBodiesLieInTheFileAsInMemory(t *testing.T) {
	memory := make([]byte, 2*alignFrom)
	for i := range memory {
		memory[i] = byte(i)
	}
	for from := range 2 * recordAlign {
		for _, headers := range []int{0, 1, from} {
			b := event.NewBatch()
			e := b.Append(memory[from : from+alignFrom : from+alignFrom])
			for h := range headers {
				b.SetHeader(e, fmt.Sprint("key ", h), "v")
			}
			var put encodedPut
			if err := put.encode(b, 42, 0, nil); err != nil {
				t.Fatal(err)
			}
			if len(put.bodies) != 1 || &put.bodies[0][0] != &memory[from] {
				t.Fatalf("body at %d: it was copied", from)
			}
			if got := uintptr(len(put.head)) % recordAlign; got != address(put.bodies[0])%recordAlign {
				t.Errorf("body at %d, %d headers: it lies at %d of a cache line in the record, and at %d in memory", from, headers, got, address(put.bodies[0])%recordAlign)
			}
			got, _, err := decodePut(payloadOf(&put), 1)
			if err != nil || !same(b, got) {
				t.Errorf("body at %d, %d headers: decoded %v", from, headers, err)
			}
			if _, bodies := putSummary(payloadOf(&put), 1, 0); bodies != alignFrom {
				t.Errorf("body at %d, %d headers: summary says %d bytes of bodies, want %d", from, headers, bodies, alignFrom)
			}
			got.Release()
			b.Release()
		}
	}
}

func TestRecordIsBoundToItsPlace(t *testing.T) {
	at := place{logID{1}, 7, 4096}
	var b [recordHeader]byte
	want := header{length: 12, payloadCRC: 34, kind: recordPut, synced: 56, first: 78, count: 9}
	want.put(b[:], at)
	if bound := at.bind(b[:]); at.checksum(b[:]) != checksum(bound[:]) {
		t.Error("the checksum is not that of the place and the header")
	}
	if got, ok := parseHeader(b[:], at); !ok || got != want {
		t.Errorf("parsed %+v, %v", got, ok)
	}
	for _, other := range []place{{logID{2}, 7, 4096}, {logID{1}, 8, 4096}, {logID{1}, 7, 4104}} {
		if _, ok := parseHeader(b[:], other); ok {
			t.Errorf("the record of %v passes at %v", at, other)
		}
	}
}

func TestRangeSet(t *testing.T) {
	var s rangeSet
	in := make(map[uint64]bool)
	for i := range uint64(500) {
		r := Range{i * 7919 % 300, i*7919%300 + i%9}
		var want uint64
		for n := r.From; n < r.To; n++ {
			want += uint64(count(!in[n]))
			in[n] = true
		}
		if got := s.add(r); got != want {
			t.Fatalf("adding %v added %d, want %d", r, got, want)
		}
	}
	if got := s.count(Range{0, 400}); got != uint64(len(in)) {
		t.Errorf("the set has %d numbers, want %d", got, len(in))
	}
	g := rangeSet{{0, 3}, {5, 8}}
	for r, want := range map[Range]Range{{0, 3}: {3, 3}, {1, 10}: {3, 5}, {6, 9}: {8, 9}, {9, 12}: {9, 12}, {4, 5}: {4, 5}, {2, 4}: {3, 4}} {
		if got := g.gap(r); got != want {
			t.Errorf("the first gap of %v is %v, want %v", r, got, want)
		}
	}
}

// FuzzRecord decodes arbitrary payloads; what decodes survives another round.
func FuzzRecord(f *testing.F) {
	b := ids(1, 3, 5)
	var put encodedPut
	if err := put.encode(b, 1, 0, nil); err != nil {
		f.Fatal(err)
	}
	f.Add(payloadOf(&put), 3)
	b = event.NewBatch()
	appendLines(b, strings.Repeat("a line\n", 50))
	if err := put.encode(b, 1, 0, nil); err != nil || len(put.bodies) != 1 {
		f.Fatal(len(put.bodies), err)
	}
	f.Add(payloadOf(&put), 50)
	ack, n := encodeAck(nil, []Range{{1, 2}, {4, 9}})
	f.Add(ack[recordHeader:recordHeader+n], 0)
	sealed := &segment{gen: 7}
	aead, err := newKeyring(testCipher("k1")).begin(sealed)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, p []byte, count int) {
		h := header{length: len(p), kind: recordPut, first: 1, count: count}
		if _, err := openPut(aead, nil, sealed.at(segmentStart), &h, p, new(sealedWith)); err == nil {
			t.Errorf("%x was opened though nobody has sealed it", p)
		}
		if ranges, err := decodeAck(p); err == nil {
			rec, n := encodeAck(nil, ranges)
			if !bytes.Equal(rec[recordHeader:recordHeader+n], p) {
				t.Errorf("acknowledgement %x came back as %x", p, rec)
			}
		}
		if count < 0 {
			return
		}
		b, at, err := decodePut(p, count)
		if err != nil {
			return
		}
		defer b.Release()
		var put encodedPut
		if err := put.encode(b, at, 0, nil); err != nil {
			t.Fatal(err)
		}
		again, _, err := decodePut(payloadOf(&put), count)
		if err != nil || !same(b, again) {
			t.Errorf("a put of %d events changed in another round: %v", count, err)
		}
	})
}

// FuzzCheckpoint opens a log with an arbitrary checkpoint: it is used or not, but nothing is lost.
func FuzzCheckpoint(f *testing.F) {
	s := &snapshot{gen: 3, pos: 2048, next: 9, gone: rangeSet{{0, 4}}, extents: []extent{{slot: 1, gen: 2, events: Range{1, 4}, end: 4096}}}
	f.Add(s.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := decodeSnapshot(data)
		if err == nil {
			if !bytes.Equal(s.encode(), data) {
				t.Error("a snapshot changed in another round")
			}
			return // a good one of another log is refused, which is tested elsewhere
		}
		mem := vfs.NewMem(1)
		l := mustOpen(t, testOptions(mem))
		mustAppend(t, l, 0, 4, 10)
		mustClose(t, l)
		if err := vfs.ReplaceFile(mem, "/ckpt/wal.checkpoint", data, 0o644); err != nil {
			t.Fatal(err)
		}
		l = mustOpen(t, testOptions(mem))
		defer l.Close()
		if got := readAll(t, l, true); !slices.Equal(got, seq(0, 4)) {
			t.Errorf("read %v", got)
		}
	})
}

// FuzzSegment overwrites a piece of a segment: the log opens, invents nothing and works on.
func FuzzSegment(f *testing.F) {
	f.Add(uint16(1024), []byte("damage"))
	f.Add(uint16(0), bytes.Repeat([]byte{0}, 1024))
	f.Add(uint16(1300), bytes.Repeat([]byte{0xff}, 40))
	f.Fuzz(func(t *testing.T, off uint16, data []byte) {
		for _, options := range forms {
			overwrite(t, options, off, data)
		}
	})
}

func overwrite(t *testing.T, options func(vfs.FS) Options, off uint16, data []byte) {
	mem := vfs.NewMem(1)
	l := mustOpen(t, options(mem))
	for i := range 30 {
		mustAppend(t, l, i*2, 2, 150)
	}
	path := l.segments[0].path
	mustClose(t, l)
	whole, err := vfs.ReadFile(mem, path)
	if err != nil {
		t.Fatal(err)
	}
	copy(whole[min(int(off), len(whole)):], data)
	if err := vfs.ReplaceFile(mem, path, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, options(mem))
	defer l.Close()
	got := readAll(t, l, true)
	if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Errorf("read %v", got)
	}
	mustAppend(t, l, 100, 1, 1)
	if got := readAll(t, l, true); !slices.Equal(got, []int{100}) {
		t.Errorf("a fresh event was read as %v", got)
	}
}

// BenchmarkEncode measures what a producer does before it queues.
func BenchmarkEncode(b *testing.B) {
	for _, events := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint("events=", events), func(b *testing.B) {
			batch := ids(0, events, benchBody-4)
			defer batch.Release()
			l := newLog(Options{})
			r := new(request)
			if err := l.encode(r, batch); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(r.put.size)
			for b.Loop() {
				if err := l.encode(r, batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
