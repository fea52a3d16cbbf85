package spillable

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings map[string]string
		want     string // in a problem; empty: there is none
	}{
		{"defaults", nil, ""},
		{"no space at all", map[string]string{"memoryCapacity": "0", "overflowCapacity": "0"}, "warning: overflowCapacity"},
		{"large transaction", map[string]string{"overflowCapacity": "100", "transactionCapacity": "101"}, "error: transactionCapacity"},
		{"small overflow", map[string]string{"overflowCapacity": "100"}, "error: overflowCapacity"},
		{"no overflow", map[string]string{"overflowCapacity": "0"}, ""},
		{"negative memory", map[string]string{"memoryCapacity": "-1"}, "warning: memoryCapacity"},
		{"share of more than all", map[string]string{"byteCapacityBufferPercentage": "120"}, "warning: byteCapacityBufferPercentage"},
		{"threshold of more than all", map[string]string{"overflowDeactivationThreshold": "101"}, "warning: overflowDeactivationThreshold"},
		{"capacity of a file channel", map[string]string{"capacity": "7"}, "advice: capacity"},
		{"keep-alive of a file channel", map[string]string{"keep-alive": "7"}, "advice: keep-alive"},
		{"a property of the disk's part", map[string]string{"encryption.activeKey": "k"}, "error: encryption.cipherProvider"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := decode(c.settings)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range d.Problems {
				got = append(got, p.Severity.String()+": "+strings.TrimPrefix(p.Key, "a1.channels.c1.")+" "+p.What)
			}
			if c.want == "" && len(got) > 0 || c.want != "" && !slices.ContainsFunc(got, func(p string) bool { return strings.HasPrefix(p, c.want) }) {
				t.Errorf("problems %q, want %q", got, c.want)
			}
		})
	}
}

// took returns how long f takes.
func took(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}

func TestOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, vfs.NewMem(1), map[string]string{"memoryCapacity": "4", "overflowTimeout": "3", "overflowDeactivationThreshold": "75"})
		putIn := func(want time.Duration, memory, disk int) {
			t.Helper()
			if d := took(func() { r.put(1) }); d != want {
				t.Fatalf("the put took %v, want %v", d, want)
			}
			r.places(memory, disk)
		}
		ack := func(n int) {
			t.Helper()
			d := r.take(n)
			r.must(d.Ack())
		}
		r.put(4)
		r.places(4, 0)
		putIn(3*time.Second, 4, 1) // waits for memory
		putIn(0, 4, 2)             // nobody waits now
		ack(1)
		putIn(0, 4, 2) // there is memory
		putIn(0, 4, 3) // and then none; 25 % were free
		ack(3)         // 75 % are free
		r.places(1, 3)
		r.put(3)
		putIn(3*time.Second, 4, 4)
		r.same(r.drain(), 4, r.next)
		if n := r.number("spilled_events"); n != 4 {
			t.Errorf("counted %d spilled events, want 4", n)
		}
	})
}

func TestMemoryFreedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, vfs.NewMem(1), map[string]string{"memoryCapacity": "4", "overflowTimeout": "3"})
		r.put(4)
		d := r.take(2)
		go func() {
			flow.Sleep(context.Background(), time.Second)
			_ = d.Ack()
		}()
		if d := took(func() { r.put(2) }); d != time.Second {
			t.Errorf("the put took %v, want 1s", d)
		}
		r.places(4, 0)
	})
}

func TestBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, vfs.NewMem(1), map[string]string{
			"memoryCapacity": "100", "overflowTimeout": "3", "avgEventSize": "10", "byteCapacity": "125", "byteCapacityBufferPercentage": "20",
		})
		r.must(r.tryPut(4, 11)) // 8 of 10 slots
		r.put(2)                // one each, however small
		r.places(6, 0)
		if d := took(func() { r.put(1) }); d != 3*time.Second {
			t.Errorf("a put without bytes to spare took %v", d)
		}
		r.places(6, 1)
		d := r.take(1)
		r.must(d.Ack())
		r.must(r.tryPut(1, 20)) // the two slots that were given back
		r.places(6, 1)
		if d := took(func() { r.must(r.tryPut(11, 1)) }); d != 0 {
			t.Errorf("a put that never fits into memory took %v to go to the disk", d)
		}
		r.places(6, 12)
		r.same(r.drain(), 1, r.next)
		r.must(r.tryPut(5, 20)) // nothing was lost on the way
		r.places(5, 0)
	})
}

func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, vfs.NewMem(1), map[string]string{
			"memoryCapacity": "4", "overflowCapacity": "6", "transactionCapacity": "6", "overflowTimeout": "2",
		})
		r.put(4)
		r.put(6)
		var err error
		if d := took(func() { err = r.tryPut(1, 0) }); d != 2*time.Second || !errors.Is(err, flow.ErrFull) {
			t.Fatalf("after %v the put into a full channel returned %v", d, err)
		}
		for _, want := range []string{"4 of 4 events", "6 of 6 on the disk", "overflowCapacity larger"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the error does not say %q: %v", want, err)
			}
		}
		if n := r.number("ChannelSize"); n != 10 || r.number("ChannelCapacity") != 10 {
			t.Errorf("ChannelSize %d, ChannelCapacity %d, want 10 of 10", n, r.number("ChannelCapacity"))
		}
		r.same(r.drain(), 0, 10)
	})
}

func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem(1)
		r := newRig(t, mem, map[string]string{"memoryCapacity": "1", "overflowTimeout": "1"})
		r.put(1)
		mem.SetCapacity(mem.Used() + 1<<20)
		var err error
		for err == nil {
			err = r.tryPut(10, 5000)
		}
		if !errors.Is(err, flow.ErrFull) || flow.ClassOf(err) != flow.ClassRetry {
			t.Fatalf("on a full disk the put returned %v", err)
		}
		stored := r.next - 10
		again := make(chan error)
		r.next = stored
		go func() { again <- r.tryPut(10, 5000) }()
		synctest.Wait()
		mem.SetCapacity(-1)
		r.must(<-again)
		r.same(r.drain(), 0, stored+10)
	})
}

// TestBorders proves that a delivery goes on where the next events are in another place, and that what comes back finds its
// place there.
func TestBorders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, vfs.NewMem(1), map[string]string{"memoryCapacity": "4", "overflowTimeout": "0", "overflowDeactivationThreshold": "100"})
		r.put(2) // memory
		r.put(3) // disk
		r.put(2) // memory
		r.put(1) // disk
		r.places(4, 4)
		a, b, c := r.take(3), r.take(3), r.take(9)
		r.same(r.ids(a), 0, 3)
		r.same(r.ids(b), 3, 6)
		r.same(r.ids(c), 6, 8)
		r.must(c.Nack())
		r.must(a.Nack())
		d := r.take(9)
		if got := r.ids(d); !slices.Equal(got, []int{0, 1, 2, 6, 7}) {
			t.Fatalf("took %v", got)
		}
		r.must(b.Nack())
		r.must(d.Nack())
		r.must(r.take(4).Ack())
		r.places(2, 2)
		r.same(r.drain(), 4, 8)
	})
}

func TestGiveBackWakesTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, vfs.NewMem(1), map[string]string{"memoryCapacity": "1", "overflowTimeout": "0"})
		r.put(1)
		r.put(2)
		d := r.take(9)
		waits := make(chan flow.Delivery)
		go func() {
			d, err := r.ch.Take(context.Background(), 9)
			r.must(err)
			waits <- d
		}()
		synctest.Wait()
		r.must(d.Nack())
		again := <-waits
		r.same(r.ids(again), 0, 3)
		r.must(again.Ack())
	})
}

// TestCloseUsesReserve proves that what is in memory is written even where puts would leave the space to others.
func TestCloseUsesReserve(t *testing.T) {
	mem := vfs.NewMem(1)
	settings := map[string]string{"memoryCapacity": "10", "minimumRequiredSpace": "104857600"}
	r := newRig(t, mem, settings)
	r.put(10)
	mem.SetCapacity(mem.Used() + 10<<20)
	r.close()
	r.open(mem, settings)
	r.same(r.drain(), 0, 10)
	r.close()
}

func TestCloseWithoutRoom(t *testing.T) {
	mem := vfs.NewMem(1)
	r := newRig(t, mem, map[string]string{"memoryCapacity": "100", "overflowTimeout": "0", "transactionCapacity": "10"})
	for range 10 {
		r.must(r.tryPut(10, 2000))
	}
	r.put(3) // disk
	mem.SetCapacity(mem.Used() + 100<<10)
	err := r.ch.Close(context.Background())
	if err == nil || !strings.Contains(err.Error(), "events are left, which are lost when the process ends") {
		t.Fatalf("closing without room for what is in memory returned %v", err)
	}
	r.must(r.ch.Close(context.Background()))
	r.must(r.ch.Open(context.Background()))
	if n := r.ch.Stats().Events; n != 103 {
		t.Errorf("opened again, the channel has %d events of 103", n)
	}
	r.same(r.drain(), 0, 103)
}

// TestUnwritable proves that nothing is lost when writing fails, from any operation on, while the channel is closed.
func TestUnwritable(t *testing.T) {
	for k := range int64(60) {
		synctest.Test(t, func(t *testing.T) { closeUnwritable(t, k) })
	}
}

func closeUnwritable(t *testing.T, k int64) {
	var fail atomic.Bool
	fsys := vfs.NewFailing(vfs.NewMem(1), vfs.Only(func(op vfs.Op) bool { return fail.Load() && op.Mutates() }, vfs.FailFrom(k, syscall.EIO)))
	r := newRig(t, fsys, map[string]string{"memoryCapacity": "4", "overflowTimeout": "0", "transactionCapacity": "2"})
	for range 6 {
		r.put(2)
		if d := r.take(1); r.next < 6 {
			r.must(d.Ack())
		} else {
			r.must(d.Nack())
		}
	}
	first := r.next - r.ch.Stats().Events
	fail.Store(true)
	failed := r.ch.Close(context.Background()) != nil
	fail.Store(false)
	if !failed { // then another process finds all of it
		r.open(fsys, nil)
	} else if err := r.ch.Open(context.Background()); err != nil {
		t.Fatalf("fault %d: %v", k, err)
	}
	got := r.drain()
	if failed { // it may have cost the order, and what a failed sync had written may be there twice
		slices.Sort(got)
		got = slices.Compact(got)
	}
	r.same(got, first, r.next)
	r.close()
}

func TestChangedProperties(t *testing.T) {
	mem := vfs.NewMem(1)
	r := newRig(t, mem, map[string]string{"memoryCapacity": "4", "overflowTimeout": "0"})
	r.put(4)
	r.put(2)
	r.close()
	r.open(mem, map[string]string{"memoryCapacity": "2", "overflowTimeout": "0", "overflowCapacity": "0"})
	if err := r.tryPut(1, 0); !errors.Is(err, flow.ErrFull) {
		t.Errorf("a put into a channel for 2 events that has 6 returned %v", err)
	}
	r.same(r.drain(), 0, 6)
	r.next = 6
	r.put(2)
	r.close()
	r.open(mem, map[string]string{"memoryCapacity": "0"})
	r.put(2)
	r.same(r.drain(), 6, 10)
	r.close()
}

func TestDamagedOrder(t *testing.T) {
	for name, content := range map[string]string{
		"not JSON": "{", "other numbers": `{"runs":[1,-1]}`, "nothing": `{}`, "huge": `{"runs":[9223372036854775807,9223372036854775807,-5]}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { openDamagedOrder(t, content) })
		})
	}
}

func openDamagedOrder(t *testing.T, content string) {
	mem := vfs.NewMem(1)
	r := newRig(t, mem, map[string]string{"memoryCapacity": "4", "overflowTimeout": "0"})
	r.put(3)
	r.put(2)
	r.put(1)
	r.close()
	r.must(vfs.ReplaceFile(mem, "/c/memory-at-stop/order.json", []byte(content), 0o644))
	r.open(mem, nil)
	if got := r.drain(); !slices.Equal(got, []int{0, 1, 2, 5, 3, 4}) {
		t.Errorf("got %v, want what was in memory, then the disk's", got)
	}
	if !strings.Contains(r.logs.String(), "it is not known in which order") {
		t.Errorf("the log does not tell of it:\n%s", &r.logs)
	}
	r.close()
}

// TestDamage proves that the channel goes on when a record on the disk, between events in memory, is damaged.
func TestDamage(t *testing.T) {
	mem := vfs.NewMem(1)
	r := newRig(t, mem, map[string]string{"memoryCapacity": "2", "overflowTimeout": "0"})
	r.put(1) // memory
	r.must(r.tryPut(2, 300))
	r.must(r.tryPut(2, 301))
	r.put(1) // memory
	r.must(r.tryPut(2, 302))
	r.close()
	corrupt(t, mem, "/d", strings.Repeat(" ", 300)) // the bodies of the second batch alone have so many
	r.open(mem, nil)
	if got := r.drain(); len(got) != 6 || slices.Contains(got, 3) || slices.Contains(got, 4) {
		t.Errorf("got %v, want all but 3 and 4", got)
	}
	if s := r.ch.Stats(); s.Events != 0 || s.InFlight != 0 {
		t.Errorf("stats of the empty channel are %+v", s)
	}
	if n := r.number("ChannelSize"); n != 0 {
		t.Errorf("ChannelSize of the empty channel is %d", n)
	}
	first := r.next
	r.put(5)
	r.same(r.drain(), first, first+5)
	r.close()
}

// corrupt changes the first place where a segment in dir has this text.
func corrupt(t *testing.T, mem *vfs.Mem, dir, text string) {
	t.Helper()
	entries, err := mem.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := dir + "/" + e.Name()
		if e.IsDir() {
			continue
		}
		data, err := vfs.ReadFile(mem, name)
		if err != nil {
			t.Fatal(err)
		}
		at := strings.Index(string(data), text)
		if at < 0 {
			continue
		}
		f, err := mem.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt([]byte("X"), int64(at)); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("no file in %s has the text", dir)
}

func TestStartSaysWhatAKillLoses(t *testing.T) {
	r := newRig(t, vfs.NewMem(1), map[string]string{"memoryCapacity": "12"})
	if log := r.logs.String(); !strings.Contains(log, "lost if the process is killed") || !strings.Contains(log, "memoryCapacity=12") {
		t.Errorf("the log does not say what a kill loses:\n%s", log)
	}
	r = newRig(t, vfs.NewMem(1), map[string]string{"memoryCapacity": "0"})
	if log := r.logs.String(); strings.Contains(log, "lost if the process is killed") {
		t.Errorf("nothing is in memory, and the log says:\n%s", log)
	}
}

// TestManySources proves that what one source puts leaves in its order, wherever the puts of the others are at that time.
func TestManySources(t *testing.T) {
	r := newRig(t, vfs.NewMem(1), map[string]string{"memoryCapacity": "6", "overflowTimeout": "0"})
	const sources, batches, size = 6, 150, 2
	done := make(chan error, sources)
	for s := range sources {
		go func() {
			for i := range batches {
				b := event.NewBatch()
				for j := range size {
					b.AppendCopy([]byte{byte(s), byte((i*size + j) >> 8), byte(i*size + j)})
				}
				err := r.ch.Put(context.Background(), b)
				b.Release()
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	var next [sources]int
	for got, turn := 0, 0; got < sources*batches*size; turn++ {
		d, err := r.ch.Take(context.Background(), 1+turn%7)
		r.must(err)
		if turn%3 == 0 {
			r.must(d.Nack())
			continue
		}
		for _, e := range d.Batch().Events() {
			s, n := int(e.Body[0]), int(e.Body[1])<<8|int(e.Body[2])
			if n != next[s] {
				t.Fatalf("source %d: event %d comes where %d should", s, n, next[s])
			}
			next[s]++
			got++
		}
		r.must(d.Ack())
	}
	for range sources {
		r.must(<-done)
	}
	if r.number("spilled_events") == 0 {
		t.Error("nothing went to the disk")
	}
}

// writing is a reservation on the disk whose writing ends when the test says so.
type writing struct {
	begun, end chan struct{}
	once       sync.Once
	cancelled  bool
}

func newWriting() *writing { return &writing{begun: make(chan struct{}), end: make(chan struct{})} }

func (w *writing) Commit() error {
	close(w.begun)
	<-w.end
	return nil
}

func (w *writing) finish() { w.once.Do(func() { close(w.end) }) }

func (w *writing) Cancel() { w.cancelled = true }

func (w *writing) hasBegun() bool {
	select {
	case <-w.begun:
		return true
	default:
		return false
	}
}

// TestTurns proves that a put to the disk waits for those that belong before events in memory, and for no others: the log has no
// other order than that of the writes.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, vfs.NewMem(1), map[string]string{"memoryCapacity": "2"})
		o, err := r.ch.current()
		r.must(err)
		errs := make(chan error, 6)
		spill := func() *writing {
			w := newWriting()
			t.Cleanup(w.finish) // when a check fails
			go func() { errs <- o.spill(w, 1) }()
			synctest.Wait()
			return w
		}
		expect := func(all []*writing, want ...bool) {
			t.Helper()
			synctest.Wait()
			for i, w := range all {
				if w.hasBegun() != want[i] {
					t.Fatalf("write %d has begun: %v, want %v", i, w.hasBegun(), want[i])
				}
			}
		}
		w := []*writing{spill(), spill()}
		expect(w, true, true) // one run
		r.put(1)              // memory
		w = append(w, spill(), spill())
		r.put(1) // memory
		w = append(w, spill(), spill())
		expect(w, true, true, false, false, false, false)
		w[1].finish()
		expect(w, true, true, false, false, false, false)
		w[0].finish()
		expect(w, true, true, true, true, false, false)
		w[2].finish()
		closed := make(chan error)
		go func() { closed <- r.ch.Close(context.Background()) }()
		expect(w, true, true, true, true, false, false)
		if !w[4].cancelled || !w[5].cancelled {
			t.Error("puts that were not written when the channel was closed were not cancelled")
		}
		select {
		case <-closed:
			t.Error("the channel was closed while a put was being written")
		default:
		}
		w[3].finish()
		r.must(<-closed)
		refused := 0
		for range w {
			if err := <-errs; errors.Is(err, flow.ErrClosed) {
				refused++
			} else {
				r.must(err)
			}
		}
		if refused != 2 {
			t.Errorf("%d puts were refused, want 2", refused)
		}
	})
}

// TestPace: puts let the sink go first while much is in memory and nothing on the disk; a sink that does not take costs a moment
// once.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const moment = 25 * time.Millisecond
		r := newRig(t, vfs.NewMem(1), map[string]string{
			"memoryCapacity": "40", "transactionCapacity": "100", "overflowTimeout": "3", "byteCapacity": "0", "overflowDeactivationThreshold": "50",
		})
		put := func(n int, want time.Duration) {
			t.Helper()
			if d := took(func() { r.must(r.tryPut(n, 100<<10)) }); d != want {
				t.Errorf("the put took %v, want %v", d, want)
			}
		}
		put(10, 0)
		put(10, moment)
		put(10, 0)
		r.must(r.take(1).Nack())
		put(5, moment)
		waits := make(chan struct{})
		d := r.take(1)
		go func() {
			put(5, 0) // the sink takes at once
			close(waits)
		}()
		synctest.Wait()
		rest := r.take(100)
		<-waits
		r.must(errors.Join(d.Nack(), rest.Nack()))
		put(1, 3*time.Second) // to the disk
		r.must(r.take(1).Nack())
		put(1, 0) // the same, at once
		r.places(40, 2)
		r.same(r.drain(), 0, r.next)
		put(20, moment)
	})
}
