package event

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"unsafe"
)

// lines makes a batch as a line source does: blocks read, cut at '\n'.
func lines(t testing.TB, text string) *Batch {
	t.Helper()
	b := NewBatch()
	buf := b.Reserve(len(text))
	copy(buf, text)
	block := b.Commit(len(text))
	for len(block) > 0 {
		i := bytes.IndexByte(block, '\n')
		if i < 0 {
			t.Fatalf("test text must end in a newline: %q", text)
		}
		b.AppendLine(block[:i+1])
		block = block[i+1:]
	}
	return b
}

func bodies(b *Batch) string {
	var out []string
	for i := range b.Events() {
		out = append(out, string(b.At(i).Body))
	}
	return strings.Join(out, "|")
}

func TestSpanCoversTouchingLines(t *testing.T) {
	b := lines(t, "one\n\nthree\nfour\n")
	defer b.Release()
	b.AppendCopy([]byte("copied"))
	for _, c := range []struct {
		from int
		sep  byte
		want string
		n    int
	}{
		{0, '\n', "one\n\nthree\nfour\n", 4},
		{1, '\n', "\nthree\nfour\n", 3},
		{3, '\n', "four\n", 1},
		{4, '\n', "", 0}, // no separator behind a copied body
		{0, 0, "", 0},
	} {
		span, n := b.Span(c.from, c.sep)
		if string(span) != c.want || n != c.n {
			t.Errorf("Span(%d, %q) = %q, %d; want %q, %d", c.from, c.sep, span, n, c.want, c.n)
		}
	}
	b.Filter(func(e *Event) bool { return string(e.Body) != "three" })
	if span, n := b.Span(0, '\n'); string(span) != "one\n\n" || n != 2 {
		t.Errorf("a dropped event must end the run: got %q, %d", span, n)
	}
}

func TestSpanNeverCrossesBlocks(t *testing.T) {
	// Bodies that end exactly where their block ends, in blocks that may well
	// be neighbours in memory.
	b := NewBatch()
	defer b.Release()
	for range 64 {
		n := len(b.Reserve(minPooled - 1))
		block := b.Commit(n)
		for i := range block {
			block[i] = '\n'
		}
		b.AppendLine(block)
	}
	for i := range b.Len() {
		if _, n := b.Span(i, '\n'); n != 1 {
			t.Fatalf("span from block %d covers %d blocks", i, n)
		}
	}
}

func TestAppendToBodyNeverReachesNeighbour(t *testing.T) {
	b := lines(t, "one\ntwo\n")
	defer b.Release()
	_ = append(b.At(0).Body, "XYZ"...)
	if got := string(b.At(1).Body); got != "two" {
		t.Errorf("neighbour became %q", got)
	}
}

func TestSetHeaderReplacesAndGrows(t *testing.T) {
	b := NewBatch()
	defer b.Release()
	b.AppendCopy([]byte("x"))
	b.AppendCopy([]byte("y"))
	e, f := b.At(0), b.At(1)
	for i := range 20 {
		b.SetHeader(e, fmt.Sprint("k", i), "v")
		b.SetHeader(f, fmt.Sprint("k", i), "w")
	}
	b.SetHeader(e, "k3", "changed")
	for i := range 20 {
		want := "v"
		if i == 3 {
			want = "changed"
		}
		if got, ok := e.Header(fmt.Sprint("k", i)); !ok || got != want {
			t.Errorf("k%d = %q, %v; want %q", i, got, ok, want)
		}
		if got, _ := f.Header(fmt.Sprint("k", i)); got != "w" {
			t.Errorf("other event's k%d = %q", i, got)
		}
	}
	e.RemoveHeaders(func(k string) bool { return k != "k7" })
	if len(e.Headers) != 1 || e.Headers[0].Key != "k7" {
		t.Errorf("after removal: %v", e.Headers)
	}
}

func TestViewAndSharedKeepMemory(t *testing.T) {
	b := lines(t, "a\nb\nc\nd\n")
	v := b.View(1, 3)
	m := NewBatch()
	m.AppendShared(b, 0, 1)
	m.AppendShared(b, 3, 4)
	m.AppendShared(v, 0, 2)
	b.Release()
	v.Release()
	if got := bodies(m); got != "a|d|b|c" {
		t.Errorf("shared batch reads %q", got)
	}
	m.AppendCopy([]byte("e"))
	if got := bodies(m); got != "a|d|b|c|e" {
		t.Errorf("after append %q", got)
	}
	m.Release()
}

func TestChangingAViewLeavesTheParent(t *testing.T) {
	b := lines(t, "a\nb\nc\n")
	defer b.Release()
	v := b.View(0, 3)
	defer v.Release()
	v.Filter(func(e *Event) bool { return e.Body[0] == 'b' })
	v.AppendCopy([]byte("z"))
	if bodies(v) != "b|z" || bodies(b) != "a|b|c" {
		t.Errorf("view %q, parent %q", bodies(v), bodies(b))
	}
}

func TestCompact(t *testing.T) {
	b := NewBatch()
	buf := b.Reserve(64 << 10)
	copy(buf, "short\n")
	b.AppendLine(b.Commit(6))
	e := b.At(0)
	b.SetHeader(e, "k", b.String([]byte("value")))
	if !b.Sparse() {
		t.Fatal("one short line in a 64 KiB block is not called sparse")
	}
	c := b.Compact()
	b.Release()
	defer c.Release()
	if got, _ := c.At(0).Header("k"); got != "value" || string(c.At(0).Body) != "short" {
		t.Errorf("compacted to %+v", c.At(0))
	}
	if c.mem.total > 64 || len(c.mem.blocks) != 1 {
		t.Errorf("compact copy holds %d bytes in %d blocks", c.mem.total, len(c.mem.blocks))
	}
	dense := lines(t, strings.Repeat("0123456789\n", 5000))
	defer dense.Release()
	if dense.Sparse() {
		t.Error("a full block is called sparse")
	}
}

func TestReleasedMemoryIsPoisoned(t *testing.T) {
	if !poison {
		// The same call shows that ordinary builds recycle instead.
		b := lines(t, "x\n")
		b.Release()
		return
	}
	b := lines(t, "secret\n")
	body := b.At(0).Body
	b.Release()
	if string(body) != strings.Repeat("\xCC", 6) {
		t.Errorf("after release the body still reads %q", body)
	}
}

func TestMisuseIsCaught(t *testing.T) {
	for name, f := range map[string]func(*Batch){
		"second Release": func(b *Batch) { b.Release() },
		"late Retain":    func(b *Batch) { b.Retain() },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s went unnoticed", name)
				}
			}()
			b := &Batch{} // not from the pool, so that the pool stays sound
			b.refs.Store(1)
			b.refs.Add(-1)
			f(b)
		}()
	}
}

func TestClone(t *testing.T) {
	b := lines(t, "body\n")
	e := b.At(0)
	b.SetHeader(e, "k", b.String([]byte("v")))
	c := e.Clone()
	b.Release()
	if string(c.Body) != "body" || c.Headers[0] != (Header{"k", "v"}) {
		t.Errorf("clone reads %+v", c)
	}
}

func TestConcurrentRetainRelease(t *testing.T) {
	b := lines(t, strings.Repeat("line\n", 100))
	var wg sync.WaitGroup
	for range 8 {
		b.Retain()
		wg.Go(func() {
			for range 1000 {
				v := b.View(10, 20)
				if v.Len() != 10 || string(v.At(3).Body) != "line" {
					t.Error("view reads wrong events")
				}
				v.Release()
			}
			b.Release()
		})
	}
	wg.Wait()
	b.Release()
}

func TestBlocksComeBackInTheirClass(t *testing.T) {
	for n := minPooled; n <= maxPooled; n *= 2 {
		for _, want := range []int{n, n - 1, n/2 + 1} {
			if want < minPooled {
				continue
			}
			if b := newBlock(want); !poison && len(b) != n {
				t.Errorf("newBlock(%d) has %d bytes, want %d", want, len(b), n)
			} else {
				freeBlock(b)
			}
		}
	}
	if got := len(newBlock(3)); got != 3 {
		t.Errorf("small block has %d bytes", got)
	}
	if got := len(newBlock(maxPooled + 1)); got != maxPooled+1 {
		t.Errorf("large block has %d bytes", got)
	}
}

func TestAllocationsPerEvent(t *testing.T) {
	if poison {
		return // poisoned builds do not pool, by design
	}
	text := bytes.Repeat([]byte(strings.Repeat("x", 99)+"\n"), 500)
	allocs := testing.AllocsPerRun(100, func() {
		b := NewBatch()
		copy(b.Reserve(len(text)), text)
		block := b.Commit(len(text))
		for i := range 500 {
			e := b.AppendLine(block[i*100 : i*100+100])
			b.SetHeader(e, "static", "value")
		}
		b.Release()
	})
	if perEvent := allocs / 500; perEvent > 0.01 {
		t.Errorf("%.3f allocations per event", perEvent)
	}
}

func TestEventIsSmall(t *testing.T) {
	if got := unsafe.Sizeof(Event{}); got != 56 {
		t.Errorf("an Event has %d bytes: it is copied often, think before it grows", got)
	}
}
