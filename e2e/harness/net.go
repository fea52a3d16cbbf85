package harness

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// startLimit is how long a process may take until it listens.
const startLimit = 30 * time.Second

// handedOut remembers the ports given to tests, so that two of one run never share one.
var handedOut sync.Map

// FreePort returns a loopback port that is free for TCP and UDP and was not returned before.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("looking for a free port: %v", err)
		}
		port := tcp.Addr().(*net.TCPAddr).Port
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		tcp.Close()
		if err != nil {
			continue
		}
		udp.Close()
		if _, used := handedOut.LoadOrStore(port, true); !used {
			return port
		}
	}
	t.Fatal("looking for a free port: none found")
	return 0
}

// Eventually waits until ok returns true and fails the test when that takes longer than limit.
func Eventually(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	if !Poll(limit, ok) {
		t.Fatalf("waited %v in vain for %s", limit, what)
	}
}

// Poll waits until ok returns true, at most for limit, and says whether it did. It asks at least once.
func Poll(limit time.Duration, ok func() bool) bool {
	deadline := time.After(limit)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok() {
			return true
		}
		select {
		case <-tick.C:
		case <-deadline:
			return ok()
		}
	}
}

// Dial connects to a server that may still be starting. The caller closes the connection.
func Dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	var conn net.Conn
	Eventually(t, startLimit, "a listener on "+addr, func() bool {
		var err error
		conn, err = net.DialTimeout("tcp", addr, time.Second)
		return err == nil
	})
	return conn.(*net.TCPConn)
}

// Converse connects, sends all of input, ends its direction and returns everything the server answers
// until it closes the connection.
func Converse(t testing.TB, addr, input string) string {
	t.Helper()
	conn := Dial(t, addr)
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(startLimit)); err != nil {
		t.Fatalf("talking to %s: %v", addr, err)
	}
	// A server that refuses a line may close before it has read everything: what it said counts.
	if _, err := conn.Write([]byte(input)); err == nil {
		_ = conn.CloseWrite()
	}
	var answer bytes.Buffer
	if _, err := io.Copy(&answer, conn); err != nil {
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			t.Fatalf("talking to %s: the server keeps the connection open; it said %q", addr, answer.String())
		}
	}
	return answer.String()
}

// UDPListener collects datagrams.
type UDPListener struct {
	Addr string // host:port
	mu   sync.Mutex
	got  [][]byte
}

// ListenUDP opens a loopback socket and collects what arrives until the test ends.
func ListenUDP(t testing.TB) *UDPListener {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("opening a UDP socket: %v", err)
	}
	l := &UDPListener{Addr: conn.LocalAddr().String()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 64<<10)
		for {
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				return // closed below
			}
			l.mu.Lock()
			l.got = append(l.got, bytes.Clone(buf[:n]))
			l.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return l
}

// Datagrams returns what has arrived so far.
func (l *UDPListener) Datagrams() [][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([][]byte(nil), l.got...)
}
