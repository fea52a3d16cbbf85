package avro

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/flume-go/flume/event"
)

// captures are what real peers have sent, by the ends of their names.
func captures(t testing.TB, pattern string) (all [][]byte) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("no captures %s: %v", pattern, err)
	}
	for _, name := range names {
		p, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p[:min(len(p), 1500)]) // a short one is changed more often
	}
	return all
}

// FuzzRequests gives a server any bytes, whole and one by one: it does the same with
// both, answers as many requests as there are, and takes no more events than bytes.
func FuzzRequests(f *testing.F) {
	for _, p := range captures(f, "*.client.bin") {
		f.Add(p)
	}
	f.Add(cut(1, append(unhex(f, agree), request(batchOf(f, 3, 100, 2))...), 10))
	f.Fuzz(func(t *testing.T, p []byte) {
		var answers [2][]byte
		for i := range answers {
			h := new(store)
			conn := &once{Reader: bytes.NewReader(p)}
			if i == 1 {
				conn.Reader = oneByOne{conn.Reader}
			}
			_ = NewServer(h, false, nil, Limits{Request: 1 << 20}).Serve(t.Context(), t.Context(), conn)
			if n := len(h.events()); n > len(p) {
				t.Errorf("%d events of %d bytes", n, len(p))
			}
			answers[i] = conn.out.Bytes()
		}
		if !bytes.Equal(answers[0], answers[1]) {
			t.Errorf("the answers depend on how requests arrive:\n%x\n%x", answers[0], answers[1])
		}
	})
}

type oneByOne struct {
	from interface{ Read([]byte) (int, error) }
}

func (r oneByOne) Read(p []byte) (int, error) { return r.from.Read(p[:1]) }

// FuzzEvent compares the two ways to decode an event, and encodes it again.
func FuzzEvent(f *testing.F) {
	b := batchOf(f, 1, 20, 3)
	f.Add(encoded(nil, b.At(0)))
	f.Add([]byte{0, 0})
	f.Add([]byte{2, 2, 'k', 2, 'v', 2, 2, 'k', 0, 0, 2, 'x'})
	f.Fuzz(func(t *testing.T, p []byte) {
		fast, slow := event.NewBatch(), event.NewBatch()
		defer fast.Release()
		defer slow.Release()
		size, _ := (&decoder{batch: fast}).decode(p)
		in := newInput(&once{Reader: bytes.NewReader(cut(1, append(p, 0), 3))}, 1<<20, 0, false, func() bool { return false })
		if err := in.next(); err != nil {
			t.Fatal(err)
		}
		d := events{in: in, charge: free, decoder: decoder{batch: slow}}
		err := d.slow()
		if size == 0 {
			return // it may be more than the short way takes
		}
		if err != nil {
			t.Fatalf("one way decodes %x, the other says %v", p, err)
		}
		e := fast.At(0)
		equal(t, fast, []event.Event{slow.At(0).Clone()})
		again := event.NewBatch()
		defer again.Release()
		out := encoded(nil, e)
		if len(out) != sizeOf(e) {
			t.Errorf("encoded to %d bytes, announced were %d", len(out), sizeOf(e))
		}
		if n, _ := (&decoder{batch: again}).decode(out); n != len(out) {
			t.Fatalf("%x is encoded as %x, of which %d bytes are decoded", p, out, n)
		}
		equal(t, fast, []event.Event{again.At(0).Clone()})
	})
}

// FuzzAnswers gives a client any bytes behind a handshake.
func FuzzAnswers(f *testing.F) {
	for _, p := range captures(f, "*.server.bin") {
		f.Add(p)
	}
	f.Add(cut(1, []byte{4, 2, 2, '{', 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 0}, 5))
	f.Fuzz(func(_ *testing.T, p []byte) {
		in := newInput(&once{Reader: bytes.NewReader(p)}, maxAnswer, 0, false, func() bool { return false })
		if in.next() != nil {
			return
		}
		a, err := in.agreement()
		if err != nil || in.end() != nil {
			return
		}
		_ = current.check(a.text) // any text has a verdict
		for in.next() == nil {
			if _, err := in.answer(); err != nil || in.end() != nil {
				return
			}
		}
	})
}

// FuzzProtocol looks at any text of a protocol.
func FuzzProtocol(f *testing.F) {
	f.Add([]byte(text))
	f.Add([]byte(`{"types":[{"name":"a","type":"record","fields":[{"name":"b","type":"a"}]}],"messages":{"append":{"request":[{"type":"a"}]}}}`))
	f.Fuzz(func(_ *testing.T, p []byte) { _ = current.check(p[:min(len(p), maxText)]) })
}
