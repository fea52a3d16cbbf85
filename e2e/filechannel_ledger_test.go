//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"
)

// ledger hands out lines and remembers what the source said about each: the side of the client in every test of
// the file channel. A line is made of its number and the seed alone, so that one that comes out can be
// compared to the last byte without keeping it.
type ledger struct {
	seed uint64

	mu      sync.Mutex
	clients []uint8 // who sent the line, by number
	acked   []bool  // whether it was answered with OK, by number
	answers int     // of any kind
	oks     int
	refused int    // answered with FAILED: it may have been stored
	latest  string // the last refusal
	wrong   error  // the first answer that the protocol does not know
}

// issue returns the number of the first of n new lines of a client.
func (l *ledger) issue(client uint8, n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := len(l.acked)
	for range n {
		l.acked = append(l.acked, false)
		l.clients = append(l.clients, client)
	}
	return first
}

// settle enters the answer to a line.
func (l *ledger) settle(id int, answer []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers++
	switch {
	case bytes.Equal(answer, []byte("OK")):
		l.acked[id] = true
		l.oks++
	case bytes.HasPrefix(answer, []byte("FAILED: ")):
		l.refused++
		l.latest = string(answer)
	case l.wrong == nil:
		l.wrong = fmt.Errorf("line %d was answered with %q", id, answer)
	}
}

// tally is what was answered so far.
type tally struct {
	issued, answers, oks, refused int
	latest                        string
}

func (l *ledger) tally() tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	return tally{len(l.acked), l.answers, l.oks, l.refused, l.latest}
}

// complaint returns the first answer that made no sense.
func (l *ledger) complaint() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wrong
}

// longLine is the longest line that a ledger makes, newline included.
const longLine = 4096

// appendLine appends line id without its newline. Most lines are short, some long.
func (l *ledger) appendLine(to []byte, id int) []byte {
	rng := rand.New(rand.NewPCG(l.seed, uint64(id)))
	to = strconv.AppendInt(to, int64(id), 10)
	to = append(to, ' ')
	n := rng.IntN(120)
	if rng.IntN(50) == 0 {
		n = rng.IntN(longLine - 20)
	}
	for range n {
		to = append(to, byte('!'+rng.IntN('~'-'!')))
	}
	return to
}

// identify returns the number of a line that was received, or an error if it was never sent in this form.
func (l *ledger) identify(line []byte) (int, error) {
	number, _, _ := bytes.Cut(line, []byte(" "))
	id, err := strconv.Atoi(string(number))
	l.mu.Lock()
	issued := len(l.acked)
	l.mu.Unlock()
	if err != nil || id < 0 || id >= issued {
		return 0, fmt.Errorf("the line %.80q was never sent", line)
	}
	if sent := l.appendLine(nil, id); !bytes.Equal(sent, line) {
		return 0, fmt.Errorf("line %d was sent as %.80q and delivered as %.80q", id, sent, line)
	}
	return id, nil
}

// began reports whether a line that was sent begins like this half of one.
func (l *ledger) began(half []byte) bool {
	number, _, whole := bytes.Cut(half, []byte(" "))
	id, err := strconv.Atoi(string(number))
	return err == nil && (!whole || bytes.HasPrefix(l.appendLine(nil, id), half))
}

// load is clients of a netcat source that send bursts of lines, wait for the answers, and connect again
// whenever the agent is gone.
type load struct {
	book   *ledger
	addr   string
	bursts int           // most lines sent before the answers are read
	pause  time.Duration // longest pause between two bursts
}

// run runs n clients until ctx ends; all have ended when the function that it returns does.
func (d load) run(ctx context.Context, n int) (wait func()) {
	var clients sync.WaitGroup
	for i := range n {
		clients.Go(func() { d.client(ctx, uint8(i)) })
	}
	return clients.Wait
}

func (d load) client(ctx context.Context, name uint8) {
	rng := rand.New(rand.NewPCG(d.book.seed, uint64(name)<<32))
	var dialer net.Dialer
	for ctx.Err() == nil {
		conn, err := dialer.DialContext(ctx, "tcp", d.addr)
		// While nobody listens, the system may connect a socket to itself.
		if err == nil && conn.LocalAddr().String() != conn.RemoteAddr().String() {
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			d.talk(ctx, conn, name, rng)
			stop()
		}
		if err == nil {
			conn.Close()
		}
		pass(ctx, 2*time.Millisecond)
	}
}

// talk sends on one connection until it breaks.
func (d load) talk(ctx context.Context, conn net.Conn, name uint8, rng *rand.Rand) {
	answers := bufio.NewReader(conn)
	var out []byte
	for ctx.Err() == nil {
		n := 1 + rng.IntN(d.bursts)
		first := d.book.issue(name, n)
		out = out[:0]
		for id := first; id < first+n; id++ {
			out = append(d.book.appendLine(out, id), '\n')
		}
		if _, err := conn.Write(out); err != nil {
			// Of what was written there may still be answers.
			_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		}
		for id := first; id < first+n; id++ {
			answer, err := answers.ReadSlice('\n')
			if err != nil {
				if errors.Is(err, bufio.ErrBufferFull) {
					d.book.settle(id, answer)
				}
				return
			}
			d.book.settle(id, bytes.TrimSuffix(answer, []byte("\n")))
		}
		pass(ctx, time.Duration(rng.Int64N(int64(d.pause)+1)))
	}
}

// pass waits for a time or for the end of ctx.
func pass(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
