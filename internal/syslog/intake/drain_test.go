package intake

import (
	"context"
	"io"
	"net"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// handed is a listener that accepts one connection.
type handed struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newHanded(conn net.Conn) *handed {
	h := &handed{make(chan net.Conn, 1), make(chan struct{}, 10)}
	h.conns <- conn
	return h
}

func (h *handed) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *handed) Close() error {
	h.closed <- struct{}{}
	return nil
}

func (h *handed) Addr() net.Addr { return &net.TCPAddr{} }

// TestDrain: when the source stops, what a client still sends is stored, until
// the client closes the connection, falls silent, or has had its time.
func TestDrain(t *testing.T) {
	for name, c := range map[string]struct {
		pauses []time.Duration // before each message, from the stop on
		leaves bool            // closes the connection at the end, otherwise it waits
		half   string          // sent last
		want   []string
		after  time.Duration // of Serve
	}{
		"silent":           {nil, false, "", []string{"first"}, quietTime},
		"gone":             {nil, true, "", []string{"first"}, 0},
		"sends and leaves": {[]time.Duration{0, 10 * time.Millisecond}, true, "", []string{"first", "0", "1"}, 10 * time.Millisecond},
		"falls silent": {[]time.Duration{200 * time.Millisecond, 200 * time.Millisecond}, false, "",
			[]string{"first", "0", "1"}, 400*time.Millisecond + quietTime},
		"too late": {[]time.Duration{quietTime + time.Millisecond}, false, "", []string{"first"}, quietTime},
		"for ever": {steps(30, 150*time.Millisecond), false, "",
			[]string{"first", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"}, drainTime},
		// Who has the other half sends it again; who leaves will not.
		"half, silent": {nil, false, "<13>1 - h half", []string{"first"}, quietTime},
		"half, gone":   {nil, true, "<13>1 - h half", []string{"first", "half (Incomplete)"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, client := net.Pipe()
				defer client.Close()
				out := new(recorder)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- newTCP(Options{}, nil).Serve(ctx, newHanded(server), nil, out) }()
				if _, err := io.WriteString(client, "<13>1 - h first\n"); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				cancel()
				stopped := time.Now()
				wrote := make(chan struct{})
				go func() {
					defer close(wrote)
					for i, pause := range c.pauses {
						time.Sleep(pause)                                         //nolint:forbidigo // the bubble's clock
						io.WriteString(client, "<13>1 - h "+strconv.Itoa(i)+"\n") //nolint:errcheck // fails when its time is up
					}
					if c.half != "" {
						io.WriteString(client, c.half) //nolint:errcheck // shows in what is stored
					}
					if c.leaves {
						client.Close()
					}
				}()
				if err := <-done; err != nil {
					t.Errorf("Serve returned %v", err)
				}
				if after := time.Since(stopped); after != c.after {
					t.Errorf("Serve returned %v after the stop, want %v", after, c.after)
				}
				<-wrote
				if diff := cmp.Diff(c.want, out.bodies()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

func steps(n int, each time.Duration) []time.Duration {
	out := make([]time.Duration, n)
	for i := range out {
		out[i] = each
	}
	return out
}
