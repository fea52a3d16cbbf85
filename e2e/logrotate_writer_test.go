//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// manyLines is how many lines a writer writes at its full speed.
const manyLines = 5000

// logWriter is a program that writes a log: it holds the file open, and some write in blocks that end in the
// middle of a line, as C's standard library does.
type logWriter struct {
	book   *ledger
	client uint8
	path   string
	log    hold
	bursts int           // most lines of one write
	pause  time.Duration // longest pause between two writes
	block  int           // bytes that are written at a time; 0 writes whole lines at once

	mu      sync.Mutex
	file    *os.File
	pending []byte // what is not written yet
	ids     []int  // lines that end in pending
	failure error
}

// open opens the log as it is named now. mu is held.
func (l *logWriter) open() {
	if l.file != nil {
		l.flush(0)
		l.file.Close()
	}
	l.file, l.failure = os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
}

// reopen opens the log again.
func (l *logWriter) reopen() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open()
}

// write appends n lines.
func (l *logWriter) write(n int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil || l.log == byName && l.lostName() {
		l.open()
	}
	first := l.book.issue(l.client, n)
	for id := first; id < first+n; id++ {
		l.pending = append(l.book.appendLine(l.pending, id), '\n')
		l.ids = append(l.ids, id)
	}
	l.flush(l.block)
	return l.failure
}

// lostName reports whether the log has another name now. mu is held.
func (l *logWriter) lostName() bool {
	mine, err := l.file.Stat()
	if err != nil {
		return true
	}
	named, err := os.Stat(l.path)
	return err != nil || !os.SameFile(mine, named)
}

// notice lets a program that looks for itself open its log again if that was rotated: one that writes so seldom that
// its log is rotated twice meanwhile writes to what is packed already.
func (l *logWriter) notice() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.log == byName && l.file != nil && l.lostName() {
		l.open()
	}
}

// flush writes blocks of this size, or everything. The lines of which the end is not written yet are entered as
// written with the next ones. mu is held.
func (l *logWriter) flush(block int) {
	n := len(l.pending)
	if block > 0 {
		n -= n % block
	}
	if n == 0 || l.failure != nil {
		return
	}
	if _, err := l.file.Write(l.pending[:n]); err != nil {
		l.failure = err
		return
	}
	l.pending = append(l.pending[:0], l.pending[n:]...)
	if len(l.pending) == 0 {
		for _, id := range l.ids {
			l.book.settle(id, []byte("OK"))
		}
		l.ids = l.ids[:0]
	}
}

// run writes until ctx ends.
func (l *logWriter) run(ctx context.Context) {
	rng := rand.New(rand.NewPCG(l.book.seed, uint64(l.client)<<32))
	bursts, pause := l.bursts, l.pause
	for lines := 0; ctx.Err() == nil; {
		n := 1 + rng.IntN(bursts)
		if l.write(n) != nil {
			return // told by close
		}
		if lines += n; lines > manyLines {
			bursts, pause = 1, 30*time.Millisecond // an agent that stores lines one by one must keep up
		}
		pass(ctx, time.Duration(rng.Int64N(int64(pause)+1)))
	}
}

// close writes what is pending and returns what went wrong.
func (l *logWriter) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush(0)
	if l.failure != nil {
		return fmt.Errorf("writing %s: %w", l.path, l.failure)
	}
	return l.file.Close()
}

// writeLogs lets writers write. When SIGUSR1 comes and somebody waits for it, they open their logs again.
func writeLogs(root string, writers []*logWriter) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGUSR1)
	var all sync.WaitGroup
	for _, l := range writers {
		l.reopen()
		all.Go(func() { l.run(ctx) })
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range signals {
			reopenLogs(root, writers)
		}
	}()
	return func() error {
		cancel()
		all.Wait()
		signal.Stop(signals)
		close(signals)
		<-done
		for _, l := range writers {
			if err := l.close(); err != nil {
				return err
			}
		}
		return nil
	}
}

// reopenLogs does what a signal asks for, and says so to the script that waits. The signal goes to the tests of all
// rotations; the file says whose it is.
func reopenLogs(root string, writers []*logWriter) {
	mark := filepath.Join(root, "reopen")
	if _, err := os.Stat(mark); err != nil {
		return
	}
	for _, l := range writers {
		l.reopen()
	}
	_ = os.Remove(mark) // if that fails the script waits, and its time limit tells
}
