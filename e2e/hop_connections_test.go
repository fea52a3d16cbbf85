//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flume-go/flume/e2e/harness"
	flume "github.com/flume-go/flume/event"
	avrowire "github.com/flume-go/flume/wire/avro"
	thriftwire "github.com/flume-go/flume/wire/thrift"
)

// What a connection may cost: before its first request, and at once behind it, when what the requests took is not collected yet.
const (
	mostPerIdle   = 16 << 10
	mostPerServed = 32 << 10
)

// TestHopConnections opens ten thousand connections to an avro and to a thrift source, or as many as this process may have, and has each of
// them served, all at the same time. What they cost in memory is stated, and bounded.
func TestHopConnections(t *testing.T) {
	n := raiseFileLimit(t, 10_000)
	for kind, send := range map[string]func(*testing.T, net.Conn) error{"avro": sendAvro, "thrift": sendThrift} {
		t.Run(kind, func(t *testing.T) {
			site := harness.NewSite(t)
			var c topology
			c.source("s", "c", "type = "+kind, "bind = 127.0.0.1", "port = <port s>")
			c.channel("c", "type = memory", "capacity = 100000")
			c.sink("k", "c", "type = null")
			agent := startSyslogAgent(t, site, c)
			request, answer := taped(t, site.Addr("s"), send)
			count := func(name string) int {
				n, _ := metric(site.Addr("monitor"), "SOURCE.s", name)
				return n
			}
			before := residentBytes(t, agent.Pid())
			conns := openAll(t, site.Addr("s"), n)
			harness.Eventually(t, deliveryLimit, "all connections to be open", func() bool { return count("OpenConnectionCount") == n })
			idle := (residentBytes(t, agent.Pid()) - before) / n
			start := time.Now()
			serveAll(t, conns, request, answer)
			took := time.Since(start)
			served := (residentBytes(t, agent.Pid()) - before) / n
			t.Logf("%d connections cost %d bytes each before their first request, and %d behind it; all were served in %v", n, idle, served, took)
			if idle > mostPerIdle || served > mostPerServed {
				t.Errorf("%d connections cost %d and %d bytes each", n, idle, served)
			}
			if got := count("EventAcceptedCount"); got != n+1 { // and the one on the tape
				t.Errorf("%d events were accepted, want %d", got, n+1)
			}
			for _, conn := range conns {
				conn.Close()
			}
			harness.Eventually(t, deliveryLimit, "all connections to be closed", func() bool { return count("OpenConnectionCount") == 0 })
			agent.Stop(t)
		})
	}
}

// openAll opens so many connections, which last until the end of the test.
func openAll(t *testing.T, addr string, n int) []net.Conn {
	t.Helper()
	conns := make([]net.Conn, n)
	for i := range conns {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatalf("opening connection %d: %v", i, err)
		}
		t.Cleanup(func() { conn.Close() })
		conns[i] = conn
	}
	return conns
}

// raiseFileLimit lets this process and those it starts have as many files as they may, and returns how many of the wanted connections
// that allows.
func raiseFileLimit(t *testing.T, wanted int) int {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	const others = 500 // files that are no connections
	n := int(min(uint64(wanted), limit.Cur-others))
	if n < wanted {
		t.Logf("a process may have %d files here: %d connections instead of %d", limit.Cur, n, wanted)
	}
	return n
}

// taped sends one event and returns what went over the connection.
func taped(t *testing.T, addr string, send func(*testing.T, net.Conn) error) (request, answer []byte) {
	t.Helper()
	tape := &tapped{Conn: harness.Dial(t, addr)}
	if err := send(t, tape); err != nil {
		t.Fatal(err)
	}
	tape.Close()
	return bytes.Clone(tape.sent.Bytes()), bytes.Clone(tape.received.Bytes())
}

func oneEvent(t *testing.T) *flume.Batch {
	b := flume.NewBatch()
	t.Cleanup(b.Release)
	b.SetHeader(b.AppendCopy([]byte("a body of some bytes")), "name", "value")
	return b
}

func sendAvro(t *testing.T, conn net.Conn) error {
	c, err := avrowire.Dial(t.Context(), avrowire.Options{Address: "there", Dial: already(conn)})
	if err != nil {
		return err
	}
	return errors.Join(c.AppendBatch(t.Context(), oneEvent(t), nil), c.Close())
}

func sendThrift(t *testing.T, conn net.Conn) error {
	b := oneEvent(t)
	status, err := thriftwire.NewClient(conn, thriftwire.Compact).AppendBatch(b, 0, 1, thriftwire.EventSize(b.At(0)))
	if err == nil && status != thriftwire.StatusOK {
		err = fmt.Errorf("the source answers %v", status)
	}
	return err
}

// serveAll sends a request on all connections before any answer is read, and requires each to be answered as on the tape.
func serveAll(t *testing.T, conns []net.Conn, request, answer []byte) {
	t.Helper()
	for i, conn := range conns {
		if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(request); err != nil {
			t.Fatalf("sending on connection %d: %v", i, err)
		}
	}
	var readers sync.WaitGroup
	const each = 100
	for from := 0; from < len(conns); from += each {
		readers.Go(func() {
			got := make([]byte, len(answer))
			for i, conn := range conns[from:min(from+each, len(conns))] {
				if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, answer) {
					t.Errorf("connection %d was answered with %x (%v), want %x", from+i, got, err, answer)
					return
				}
			}
		})
	}
	readers.Wait()
}
