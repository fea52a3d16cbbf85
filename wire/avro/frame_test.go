package avro

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/flume-go/flume/event"
)

// writes keeps what is written, and fails from a certain write on.
type writes struct {
	all    []byte
	count  int
	failAt int // 0: never
}

var errWrite = errors.New("broken pipe")

func (w *writes) Write(p []byte) (int, error) {
	if w.count++; w.count == w.failAt {
		return 0, errWrite
	}
	w.all = append(w.all, p...)
	return len(p), nil
}

// sized is a batch of events with bodies of these lengths, of which each third has other
// headers than the one before.
func sized(t testing.TB, lengths ...int) *event.Batch {
	b := event.NewBatch()
	t.Cleanup(b.Release)
	for i, n := range lengths {
		e := b.AppendCopy(bytes.Repeat([]byte{byte(i)}, n))
		for h := range i / 3 % 4 {
			b.SetHeader(e, string(rune('a'+h)), "value")
		}
	}
	return b
}

func times(n, length int) []int {
	lengths := make([]int, n)
	for i := range lengths {
		lengths[i] = length
	}
	return lengths
}

// TestFrames: whatever the sizes of events, a frame says how many buffers it has and how
// long they are, and no buffer is longer than it must be.
func TestFrames(t *testing.T) {
	for name, c := range map[string]struct {
		lengths []int
		writes  int
	}{
		"no event":                      {nil, 1},
		"an empty event":                {[]int{0}, 1},
		"some":                          {times(7, 500), 1},
		"a buffer exactly":              {[]int{chunk - 3 - 2 - len(messageBatch), 9}, 1},
		"many buffers":                  {times(1000, 512), 1},
		"each event a buffer":           {times(10, chunk), 1},
		"more than one write":           {times(600, 4096), 3},
		"a large one":                   {[]int{writeAt}, 3},
		"a large one among others":      {[]int{3, 100, 2 * writeAt, 5, 3 * writeAt, 0}, 5},
		"a medium one beside the limit": {[]int{writeAt - chunk, chunk + 1, 1}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			b, out := sized(t, c.lengths...), new(writes)
			w := &frameWriter{to: out}
			for serial := range uint32(3) { // one after the other, with the same writer
				*out = writes{}
				if err := written(w, w.batch(serial, head(messageBatch), b.Events())); err != nil {
					t.Fatal(err)
				}
				if out.count != c.writes {
					t.Errorf("the frame has %d writes, want %d", out.count, c.writes)
				}
				checkFrame(t, out.all, serial, request(b))
			}
			if n := cap(w.buf); n > 2*writeAt {
				t.Errorf("the writer keeps %d bytes", n)
			}
			for i := range b.Len() {
				*out = writes{}
				if err := written(w, w.one(7, head(messageAppend), b.At(i))); err != nil {
					t.Fatal(err)
				}
				checkFrame(t, out.all, 7, encoded(head(messageAppend), b.At(i)))
			}
		})
	}
}

// written writes what waits in w, to which a frame was added with err.
func written(w *frameWriter, err error) error { return cmp.Or(w.flush(), err) }

// head is what stands before the events of a request.
func head(message string) []byte { return appendString([]byte{0}, message) }

func checkFrame(t *testing.T, frame []byte, serial uint32, payload []byte) {
	t.Helper()
	if n := binary.BigEndian.Uint32(frame[4:]); int(n) > 1+len(payload)/chunk {
		t.Errorf("a payload of %d bytes is cut into %d buffers", len(payload), n)
	}
	got, p, rest := join(t, frame)
	if got != serial || !bytes.Equal(p, payload) || len(rest) > 0 {
		t.Errorf("frame %d has %d bytes and %d behind it, want frame %d and %d bytes", got, len(p), len(rest), serial, len(payload))
	}
}

// TestFramesTogether: frames that wait for one another are one write, and with a large body
// behind them what is in front of it goes first.
func TestFramesTogether(t *testing.T) {
	small, large := sized(t, times(100, 512)...), sized(t, 3, writeAt, 5)
	out := new(writes)
	w := &frameWriter{to: out}
	for serial, b := range []*event.Batch{small, small, large, small} {
		if err := w.batch(uint32(serial), head(messageBatch), b.Events()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.flush(); err != nil {
		t.Fatal(err)
	}
	if out.count != 3 {
		t.Errorf("%d writes, want what is in front of the large body, it, and the rest", out.count)
	}
	rest := out.all
	for serial, b := range []*event.Batch{small, small, large, small} {
		var got uint32
		var p []byte
		if got, p, rest = join(t, rest); got != uint32(serial) || !bytes.Equal(p, request(b)) {
			t.Errorf("frame %d has %d bytes, want frame %d", got, len(p), serial)
		}
	}
	if len(rest) > 0 {
		t.Errorf("%d bytes too many", len(rest))
	}
}

// TestFrameFails: nothing is written behind an error, and the next frame is whole.
func TestFrameFails(t *testing.T) {
	b := sized(t, times(600, 4096)...)
	for failAt := 1; failAt <= 3; failAt++ {
		out := &writes{failAt: failAt}
		w := &frameWriter{to: out}
		if err := written(w, w.batch(1, head(messageBatch), b.Events())); !errors.Is(err, errWrite) {
			t.Errorf("with a write that fails the error is %v", err)
		}
		if out.count != failAt {
			t.Errorf("behind write %d, which failed, there are %d more", failAt, out.count-failAt)
		}
		*out = writes{}
		if err := written(w, w.batch(2, head(messageBatch), b.Events())); err != nil {
			t.Fatal(err)
		}
		checkFrame(t, out.all, 2, request(b))
	}
}

// TestHugeHeaders: memory for headers that no other request has is not kept.
func TestHugeHeaders(t *testing.T) {
	b := sized(t, 1)
	b.SetHeader(b.At(0), "k", string(make([]byte, 3*writeAt)))
	out := new(writes)
	w := &frameWriter{to: out}
	if err := written(w, w.batch(1, head(messageBatch), b.Events())); err != nil {
		t.Fatal(err)
	}
	checkFrame(t, out.all, 1, request(b))
	if n := cap(w.buf) + cap(w.encoded); n > 2*writeAt {
		t.Errorf("the writer keeps %d bytes", n)
	}
}

// TestHeadersRepeat decodes events of which some have the headers of the one before: then
// one's headers can be changed without the other's.
func TestHeadersRepeat(t *testing.T) {
	sent := event.NewBatch()
	defer sent.Release()
	for i := range 40 {
		e := sent.AppendCopy([]byte{byte(i)})
		for h := range i / 4 {
			sent.SetHeader(e, string(rune('a'+h)), string(rune('A'+i/8)))
		}
	}
	got := event.NewBatch()
	defer got.Release()
	d := decoder{batch: got}
	for i := range sent.Events() {
		p := append(encoded(nil, sent.At(i)), "behind"...)
		for short := range len(p) - len("behind") {
			if n, _ := d.decode(p[:short]); n != 0 {
				t.Fatalf("%d of %d bytes are decoded as an event", short, len(p))
			}
		}
		n, cost := d.decode(p)
		if n != len(p)-len("behind") {
			t.Fatalf("event %d is decoded from %d of %d bytes", i, n, len(p))
		}
		if least := len(got.At(i).Body) + eventCost + len(got.At(i).Headers)*headerCost; cost < least {
			t.Errorf("event %d is charged %d bytes, it takes %d", i, cost, least)
		}
	}
	var want []event.Event
	for i := range sent.Events() {
		want = append(want, sent.At(i).Clone())
	}
	equal(t, got, want)
	for i := range got.Events() {
		got.SetHeader(got.At(i), "a", string(rune('0'+i)))
		got.SetHeader(got.At(i), "new", string(rune('1'+i)))
	}
	for i := range got.Events() {
		if v, _ := got.At(i).Header("a"); v != string(rune('0'+i)) {
			t.Errorf("event %d has %q, which another one was given", i, v)
		}
		if v, _ := got.At(i).Header("new"); v != string(rune('1'+i)) {
			t.Errorf("event %d has %q, which another one was given", i, v)
		}
	}
}
