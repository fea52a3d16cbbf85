package event

import "testing"

func TestOriginStaysWithItsEvents(t *testing.T) {
	here, there := Origin{Log: [16]byte{1}, Done: 7}, Origin{Log: [16]byte{2}}
	b := NewBatch()
	defer b.Release()
	if _, ok := b.Origin(); ok {
		t.Error("a new batch has an origin")
	}
	for i := range 4 {
		b.AppendCopy([]byte{byte(i)}).Number = uint64(10 + i)
	}
	b.SetOrigin(here)
	b.Filter(func(e *Event) bool { return e.Number != 11 })

	view := b.View(1, 3)
	defer view.Release()
	compact := view.Compact()
	defer compact.Release()
	shared := NewBatch()
	defer shared.Release()
	shared.AppendShared(b, 0, 1)
	shared.AppendShared(view, 0, 2)
	for name, c := range map[string]*Batch{"view": view, "copy": compact, "shares": shared} {
		if o, ok := c.Origin(); !ok || o != here {
			t.Errorf("%s: origin %v, %v", name, o, ok)
		}
		if last := c.At(c.Len() - 1).Number; last != 13 {
			t.Errorf("%s: the last event has number %d, want 13", name, last)
		}
	}

	other := NewBatch()
	defer other.Release()
	other.AppendCopy([]byte("x")).Number = 10
	other.SetOrigin(there)
	shared.AppendShared(other, 0, 1)
	if o, ok := shared.Origin(); ok {
		t.Errorf("events of two origins have %v", o)
	}
	if n := other.AppendEvent(b.At(0)).Number; n != 0 {
		t.Errorf("a copy of an event has number %d: it is another event", n)
	}
	other.DropOrigin()
	if _, ok := other.Origin(); ok {
		t.Error("an origin that was dropped is there")
	}
}
