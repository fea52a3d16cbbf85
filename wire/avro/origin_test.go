package avro

import (
	"bytes"
	"testing"

	"github.com/flume-go/flume/event"
)

// numbered returns a batch of events with these numbers in a log of this agent.
func numbered(numbers ...uint64) *event.Batch {
	b := event.NewBatch()
	for _, n := range numbers {
		b.AppendCopy([]byte("x")).Number = n
	}
	b.SetOrigin(event.Origin{Log: [16]byte{1, 2, 3}, Done: 300, Here: true})
	return b
}

// plain returns a batch of so many events without numbers.
func plain(n int) *event.Batch {
	b := event.NewBatch()
	for range n {
		b.AppendCopy([]byte("x"))
	}
	return b
}

func TestOrigin(t *testing.T) {
	for _, numbers := range [][]uint64{{7}, {1, 2, 3}, {5, 6, 9, 10, 400, 20}, {1 << 60, 1<<60 + 1}} {
		sent := numbered(numbers...)
		got := plain(len(numbers))
		if !OriginMeta(sent).SetOrigin(got) {
			t.Fatalf("%v: the origin is not taken", numbers)
		}
		if o, _ := got.Origin(); o != (event.Origin{Log: [16]byte{1, 2, 3}, Done: 300}) {
			t.Errorf("%v: origin %+v", numbers, o)
		}
		for i, n := range numbers {
			if got.At(i).Number != n {
				t.Errorf("%v: event %d has number %d", numbers, i, got.At(i).Number)
			}
		}
		sent.Release()
		got.Release()
	}
}

func TestEventsWithoutOrigin(t *testing.T) {
	b := numbered(1)
	defer b.Release()
	b.SetOrigin(event.Origin{Log: [16]byte{1}}) // another agent's
	if m := OriginMeta(b); m != nil {
		t.Errorf("events of another agent's log go with %v", m)
	}
	b.DropOrigin()
	if m := OriginMeta(b); m != nil {
		t.Errorf("events of no log go with %v", m)
	}
	var scattered []uint64
	for i := range uint64(maxOrigin) {
		scattered = append(scattered, 3*i+1)
	}
	many := numbered(scattered...)
	defer many.Release()
	if m := OriginMeta(many); m != nil {
		t.Errorf("metadata of %d bytes is made", len(m[0].Value))
	}
}

// FuzzOrigin: whatever comes is taken for all events or for none.
func FuzzOrigin(f *testing.F) {
	for _, numbers := range [][]uint64{{1, 2, 3}, {5, 9, 10}} {
		b := numbered(numbers...)
		f.Add(OriginMeta(b)[0].Value)
		b.Release()
	}
	f.Add(bytes.Repeat([]byte{0xff}, 40))
	f.Fuzz(func(t *testing.T, value []byte) {
		b := plain(3)
		defer b.Release()
		taken := Meta{{originKey, value}}.SetOrigin(b)
		if _, ok := b.Origin(); ok != taken {
			t.Errorf("taken %v, but the batch has an origin: %v", taken, ok)
		}
		for i := range b.Events() {
			if (b.At(i).Number > 0) != taken {
				t.Errorf("taken %v, but event %d has number %d", taken, i, b.At(i).Number)
			}
		}
	})
}
