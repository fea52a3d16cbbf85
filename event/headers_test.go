package event

import (
	"slices"
	"strconv"
	"testing"
)

// TestHeaderRoom sees that events with many headers get room for them at once, behind the first of them.
func TestHeaderRoom(t *testing.T) {
	b := NewBatch()
	defer b.Release()
	const headers = 2*headerRoom + 1
	var used []int
	for range 4 {
		e := b.AppendCopy([]byte("x"))
		before := len(b.headers)
		for h := range headers {
			b.SetHeader(e, strconv.Itoa(h), "v")
		}
		used = append(used, len(b.headers)-before)
	}
	for i, n := range used[1:] {
		if want := 3 * headerRoom; n != want {
			t.Errorf("event %d took room for %d headers, want %d", i+1, n, want)
		}
	}
	if used[0] <= used[1] {
		t.Errorf("the first event took room for %d headers: it has not grown", used[0])
	}
}

// TestRepeatHeaders sees that repeated headers are the event's own, with room for more.
func TestRepeatHeaders(t *testing.T) {
	b := NewBatch()
	defer b.Release()
	first := b.AppendCopy([]byte("x"))
	b.SetHeader(first, "a", "1")
	b.SetHeader(first, "b", "2")
	headers := first.Headers
	second := b.AppendCopy([]byte("y"))
	b.RepeatHeaders(second, headers)
	b.SetHeader(second, "a", "3")
	b.SetHeader(second, "c", "4")
	third := b.AppendCopy([]byte("z"))
	b.RepeatHeaders(third, nil)
	for i, want := range [][]Header{{{"a", "1"}, {"b", "2"}}, {{"a", "3"}, {"b", "2"}, {"c", "4"}}, nil} {
		if got := b.At(i).Headers; !slices.Equal(got, want) {
			t.Errorf("event %d has the headers %v, want %v", i, got, want)
		}
	}
}
