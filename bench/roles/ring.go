package roles

import (
	"fmt"
	"os"
	"sync"

	"github.com/flume-go/flume/internal/vfs"
)

// ringSize is the length of the bare programs' log file.
const ringSize = 128 << 20

// ring is the least that a durable log can be: one file that was written through once, so
// that a sync has no metadata to write, is written from its start to its end and then
// from its start again. Nothing could be read back from it. It is what a log is compared
// with, so it must not be slower than it has to be.
type ring struct {
	file      vfs.File
	size, pos int64
}

// newRing makes a file of size bytes and fills it with zeros. The caller closes the ring.
func newRing(fsys vfs.FS, path string, size int64) (_ *ring, err error) {
	f, err := fsys.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("making the bare log: %w", err)
	}
	if err = vfs.WriteZeros(f, 0, size); err == nil {
		err = f.Sync()
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("preparing the bare log: %w", err)
	}
	return &ring{file: f, size: size}, nil
}

// commit writes bufs, n bytes together and no more than the ring has, with one call, and returns once they
// are on the disk.
func (r *ring) commit(bufs [][]byte, n int64) error {
	if r.pos+n > r.size {
		r.pos = 0
	}
	if _, err := vfs.WritevAt(r.file, bufs, r.pos); err != nil {
		return fmt.Errorf("writing to the bare log: %w", err)
	}
	r.pos += n
	if err := vfs.SyncData(r.file); err != nil {
		return fmt.Errorf("syncing the bare log: %w", err)
	}
	return nil
}

func (r *ring) Close() error { return r.file.Close() }

// maxGathered is the most bytes of one group: more would make those wait long who came first.
const maxGathered = 4 << 20

// group lets many goroutines share the syncs of a ring: one goroutine writes and syncs all that
// has queued, while the next group queues.
type group struct {
	ring *ring

	mu    sync.Mutex
	queue []*ticket
	ended bool
	some  sync.Cond // signalled when the queue gets its first, and at the end
	done  chan struct{}
}

// ticket is one member of a group. It is used again and again by one goroutine.
type ticket struct {
	block  []byte
	answer chan error
}

func newTicket() *ticket { return &ticket{answer: make(chan error, 1)} }

// newGroup starts the goroutine that writes. The caller ends it with Close.
func newGroup(r *ring) *group {
	g := &group{ring: r, done: make(chan struct{})}
	g.some.L = &g.mu
	go g.write()
	return g
}

// commit returns once block is on the disk. It is not kept.
func (g *group) commit(t *ticket, block []byte) error {
	t.block = block
	g.mu.Lock()
	g.queue = append(g.queue, t)
	if len(g.queue) == 1 {
		g.some.Signal()
	}
	g.mu.Unlock()
	return <-t.answer
}

func (g *group) write() {
	defer close(g.done)
	var members []*ticket
	var bufs [][]byte
	for {
		members = g.take(members[:0])
		if len(members) == 0 {
			return
		}
		var size int64
		bufs = bufs[:0]
		for _, t := range members {
			bufs = append(bufs, t.block)
			size += int64(len(t.block))
		}
		err := g.ring.commit(bufs, size)
		for _, t := range members {
			t.answer <- err
		}
	}
}

// take waits for the next group and moves it from the queue to members; none at the end.
func (g *group) take(members []*ticket) []*ticket {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.queue) == 0 && !g.ended {
		g.some.Wait()
	}
	size := 0
	for _, t := range g.queue {
		if size += len(t.block); size > maxGathered && len(members) > 0 {
			break
		}
		members = append(members, t)
	}
	left := copy(g.queue, g.queue[len(members):])
	clear(g.queue[left:])
	g.queue = g.queue[:left]
	return members
}

// Close ends the goroutine after what has queued is written. Nobody commits any more.
func (g *group) Close() {
	g.mu.Lock()
	g.ended = true
	g.some.Signal()
	g.mu.Unlock()
	<-g.done
}
