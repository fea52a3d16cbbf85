package faulttest

import (
	"context"
	"errors"
	"math/rand/v2"
	"path"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
)

// recoveryLimit is how long after the end of all faults a put may still fail.
const recoveryLimit = time.Minute

// History is a disk, the channels that live on it one after the other, and what they promised. It belongs to one
// goroutine, which is in a bubble of testing/synctest.
type History struct {
	// Make makes a channel on a file system and does not open it.
	Make func(vfs.FS) (flow.Channel, error)

	Producers int // in each life
	Takers    int
	Puts      int // of each producer in each life

	disk   *vfs.Mem
	rng    *rand.Rand
	book   book
	faulty bool // something other than the power has failed
}

// NewHistory returns a history on an empty disk.
func NewHistory(seed uint64, channel func(vfs.FS) (flow.Channel, error)) *History {
	return &History{
		Make: channel, Producers: 3, Takers: 2, Puts: 4,
		disk: vfs.NewMem(seed), rng: rand.New(rand.NewPCG(seed, 0)),
	}
}

// Disk returns the disk as it is now.
func (h *History) Disk() *vfs.Mem { return h.disk }

// Life says what happens in a life.
type Life struct {
	// Faults returns the injector of the life; it may hand on crash, which cuts the power. Faults begin
	// with the opening and end when the producers are through. nil: nothing fails.
	Faults func(crash func()) vfs.Injector
	// Crash says what a power cut leaves.
	Crash vfs.CrashPolicy
	// Cut cuts the power at the end. Otherwise the channel is closed in good order.
	Cut bool
	// Closing has the faults last until the channel is closed. Otherwise they end before, and puts must go on then.
	Closing bool
	// Room, if not 0, is how many bytes the disk has for this life. It is as large as it likes where faults have ended.
	Room int64
}

// Live has the channel live once and reports whether a fault was injected. It fails no test: see Err.
func (h *History) Live(l Life) (injected bool) {
	h.book.begin()
	d := &life{Life: l, h: h, fs: vfs.NewFailing(h.disk, nil), cut: make(chan struct{})}
	crash := func() {
		d.left = h.disk.Crash(l.Crash)
		close(d.cut)
	}
	h.disk.SetCapacity(-1)
	if l.Room != 0 {
		h.disk.SetCapacity(h.disk.Used() + l.Room)
	}
	if l.Faults != nil {
		d.fs.SetInjector(l.Faults(crash))
	}
	ch, err := h.Make(d.fs)
	if err != nil {
		h.book.complain("making the channel: %v", err)
		return false
	}
	if d.open(ch) {
		d.work(ch)
	}
	if l.Cut && !d.dark() {
		d.works()
		crash()
	}
	err = ch.Close(context.Background())
	injected = d.fs.Injected() > 0
	switch {
	case d.dark():
		h.disk = d.left
	case err == nil:
		h.book.endedWell()
	case l.Closing && l.Room > 0 && vfs.IsNoSpace(err):
		// The space that is kept for the last checkpoint was needed before: recovery does without it.
	case !l.Closing || !injected:
		h.book.complain("closing the channel on a disk that works: %v", err)
	}
	h.faulty = h.faulty || injected && !d.dark()
	h.inspect()
	return injected
}

// inspect looks for copies of damaged records, which a power cut alone never leaves.
func (h *History) inspect() {
	if h.faulty {
		return
	}
	var walk func(dir string)
	walk = func(dir string) {
		entries, err := h.disk.ReadDir(dir)
		if err != nil {
			h.book.complain("listing %s: %v", dir, err)
		}
		for _, e := range entries {
			name := path.Join(dir, e.Name())
			if strings.Contains(name, "quarantine") {
				h.book.complain("%s was made though only the power failed", name)
			}
			if e.IsDir() {
				walk(name)
			}
		}
	}
	walk("/")
}

// Settle opens the channel a last time, on a disk that works, takes everything out, a fresh batch as well, and compares.
func (h *History) Settle() {
	h.book.begin()
	h.disk.SetCapacity(-1)
	ch, err := h.Make(h.disk)
	if err == nil {
		err = ch.Open(context.Background())
	}
	if err != nil {
		h.book.complain("opening the channel on a disk that works: %v", err)
		return
	}
	got := h.drain(ch)
	h.putFresh(ch)
	h.book.settle(append(got, h.drain(ch)...))
	if err := ch.Close(context.Background()); err != nil {
		h.book.complain("closing the channel on a disk that works: %v", err)
	}
	h.book.endedWell()
	h.inspect()
}

// putFresh puts a batch as a producer of its own.
func (h *History) putFresh(ch flow.Channel) {
	b, first := h.book.batch(-1, 2)
	defer b.Release()
	err := ch.Put(context.Background(), b)
	h.book.put(first, 2, err)
	if err != nil {
		h.book.complain("putting on a disk that works: %v", err)
	}
}

// drain takes and acknowledges everything.
func (h *History) drain(ch flow.Channel) []int {
	var got []int
	for ch.Stats().Events > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), recoveryLimit)
		d, err := ch.Take(ctx, 1+h.rng.IntN(20))
		cancel()
		if err != nil {
			h.book.complain("taking one of %d events: %v", ch.Stats().Events, err)
			return got
		}
		ids := h.book.taken(d.Batch())
		got = append(got, ids...)
		h.book.back(ids) // the book is compared before they leave it
		if err := d.Ack(); err != nil {
			h.book.complain("acknowledging on a disk that works: %v", err)
			return got
		}
	}
	return got
}

// Err returns what was wrong, nil if nothing.
func (h *History) Err() error {
	h.book.mu.Lock()
	defer h.book.mu.Unlock()
	if len(h.book.complaints) == 0 {
		return nil
	}
	return errors.New(strings.Join(h.book.complaints[:min(5, len(h.book.complaints))], "\n"))
}

// Events returns how many events were put so far, successfully or not.
func (h *History) Events() int {
	h.book.mu.Lock()
	defer h.book.mu.Unlock()
	return len(h.book.entries)
}

// life is a life in progress.
type life struct {
	Life
	h    *History
	fs   *vfs.Failing
	cut  chan struct{} // closed when the power is cut
	left *vfs.Mem      // what is on the disk then
}

// dark reports whether the power was cut.
func (d *life) dark() bool {
	select {
	case <-d.cut:
		return true
	default:
		return false
	}
}

// works ends all faults.
func (d *life) works() {
	d.fs.SetInjector(nil)
	d.h.disk.SetCapacity(-1)
}

// open opens the channel. A fault may keep it closed; then it must open once the fault has ended.
func (d *life) open(ch flow.Channel) bool {
	err := ch.Open(context.Background())
	if err == nil || d.dark() {
		return err == nil
	}
	if d.fs.Injected() == 0 {
		d.h.book.complain("opening the channel on a disk that works: %v", err)
		return false
	}
	if d.Closing {
		return false
	}
	d.works()
	if again := ch.Open(context.Background()); again != nil {
		d.h.book.complain("opening the channel failed once (%v), and again on a disk that works: %v", err, again)
		return false
	}
	return true
}

// work has producers and takers at work until the producers are through, or the power is cut.
func (d *life) work(ch flow.Channel) {
	ctx, cancel := context.WithCancel(context.Background())
	var takers, producers sync.WaitGroup
	for range d.h.Takers {
		rng := rand.New(rand.NewPCG(d.h.rng.Uint64(), 1))
		takers.Go(func() { d.taker(ctx, ch, rng) })
	}
	for p := range d.h.Producers {
		rng := rand.New(rand.NewPCG(d.h.rng.Uint64(), 2))
		producers.Go(func() { d.producer(ch, p, rng) })
	}
	producers.Wait()
	if d.h.rng.IntN(2) == 0 {
		pass(d.cut, 3*time.Second) // what the channel does in the background has its turn
	}
	if !d.dark() && !d.Closing {
		d.works()
		d.recovers(ch)
	}
	if d.h.rng.IntN(2) == 0 {
		synctest.Wait() // the takers have got all there is
	}
	cancel()
	takers.Wait()
}

// recovers requires that puts go on now that the disk works.
func (d *life) recovers(ch flow.Channel) {
	var err error
	for start := time.Now(); time.Since(start) < recoveryLimit; {
		b, first := d.h.book.batch(d.h.Producers, 1)
		err = ch.Put(context.Background(), b)
		d.h.book.put(first, 1, err)
		b.Release()
		if err == nil || d.dark() {
			return
		}
		pass(d.cut, 100*time.Millisecond)
	}
	d.h.book.complain("puts do not go on %v after the last fault: %v", recoveryLimit, err)
}

// producer puts batches of some events.
func (d *life) producer(ch flow.Channel, name int, rng *rand.Rand) {
	for range d.h.Puts {
		if d.dark() {
			return
		}
		if err := d.put(ch, name, rng); err != nil || rng.IntN(3) == 0 {
			pass(d.cut, time.Duration(rng.IntN(400))*time.Millisecond)
		}
	}
}

// put puts a batch, where the channel can with a reservation, which is sometimes called off.
func (d *life) put(ch flow.Channel, name int, rng *rand.Rand) error {
	n := 1 + rng.IntN(6)
	b, first := d.h.book.batch(name, n)
	defer b.Release()
	reserver, ok := ch.(flow.Reserver)
	if !ok || rng.IntN(2) == 0 {
		err := ch.Put(context.Background(), b)
		d.h.book.put(first, n, err)
		return err
	}
	r, err := reserver.Reserve(context.Background(), b)
	if err != nil || rng.IntN(4) == 0 {
		if err == nil {
			r.Cancel()
		}
		d.h.book.calledOff(first, n)
		return err
	}
	err = r.Commit()
	d.h.book.put(first, n, err)
	return err
}

// openDelivery is a delivery that is not settled.
type openDelivery struct {
	delivery flow.Delivery
	ids      []int
}

// taker takes deliveries and settles them in any order, most with an acknowledgement. In the end it leaves some open.
func (d *life) taker(ctx context.Context, ch flow.Channel, rng *rand.Rand) {
	var held []openDelivery
	for {
		delivery, err := ch.Take(ctx, 1+rng.IntN(8))
		if ctx.Err() != nil && err != nil || d.dark() {
			break
		}
		if err != nil {
			pass(d.cut, 100*time.Millisecond)
			continue
		}
		held = append(held, openDelivery{delivery, d.h.book.taken(delivery.Batch())})
		rng.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
		for len(held) > rng.IntN(4) {
			d.settle(held[0], rng)
			held = held[1:]
		}
	}
	for _, o := range held {
		if rng.IntN(2) == 0 {
			d.settle(o, rng)
		}
	}
}

func (d *life) settle(o openDelivery, rng *rand.Rand) {
	if rng.IntN(4) == 0 {
		d.h.book.back(o.ids)
		if err := o.delivery.Nack(); err != nil {
			d.h.book.complain("giving back: %v", err)
		}
		return
	}
	d.h.book.leave(o.ids)
	if err := o.delivery.Ack(); err == nil {
		d.h.book.acknowledged(o.ids)
	}
}

// pass waits for a time, or until the power is cut.
func pass(cut <-chan struct{}, d time.Duration) {
	select {
	case <-cut:
	case <-time.After(d):
	}
}
