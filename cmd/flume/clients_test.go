package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// converse sends text, closes its half of the connection and returns the answers.
func converse(t *testing.T, addr, text string) string {
	t.Helper()
	conn := dial(t, addr)
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answers, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("reading answers: %v", err)
	}
	return string(answers)
}

// send sends a line and waits for its OK.
func send(t *testing.T, conn net.Conn, line string) {
	t.Helper()
	if _, err := io.WriteString(conn, line+"\n"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 3)
	if n, err := io.ReadFull(conn, buf); err != nil || string(buf) != "OK\n" {
		t.Fatalf("answer %q (%v), want OK", buf[:n], err)
	}
}

// health is what /healthz answers.
type health struct {
	code       int
	Status     string
	Components []struct{ Kind, Name, State, Error string }
}

func (p *process) health(t *testing.T) health {
	t.Helper()
	r, err := http.Get("http://" + p.address(t, "http monitoring listens") + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	h := health{code: r.StatusCode}
	if err := json.NewDecoder(r.Body).Decode(&h); err != nil {
		t.Fatal(err)
	}
	return h
}

// unhealthy checks that the one component at fault is named, with its reason.
func (p *process) unhealthy(t *testing.T, kind, name, reason string) {
	t.Helper()
	h := p.health(t)
	if h.code != http.StatusServiceUnavailable || len(h.Components) != 1 {
		t.Errorf("/healthz answers %+v, want 503 naming %s %s alone", h, kind, name)
		return
	}
	if c := h.Components[0]; c.Kind != kind || c.Name != name || !strings.Contains(c.Error, reason) {
		t.Errorf("/healthz names %+v, want %s %s with %q", c, kind, name, reason)
	}
}

// healthy waits until nothing is at fault.
func (p *process) healthy(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(limit)
	for {
		h := p.health(t)
		if h.code == http.StatusOK {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("/healthz still answers %+v", h)
		}
	}
}

// TestLongLine sends a line longer than the limit.
func TestLongLine(t *testing.T) {
	t.Parallel()
	p := startAgent(t, plain)
	addr := p.address(t, "[source r1] listening")
	got := converse(t, addr, "short\n"+strings.Repeat("x", 512)+"\nlater\n")
	if want := "OK\nFAILED: Event exceeds the maximum length (512 chars, including newline)\n"; got != want {
		t.Errorf("answers %q, want %q", got, want)
	}
	line := p.says(t, "closing a connection: a line is too long")
	wantAll(t, "the log", line, "client=127.0.0.1:", "max-line-length=512")
	if got := converse(t, addr, strings.Repeat("x", 511)+"\n"); got != "OK\n" {
		t.Errorf("a line of just the limit: %q", got)
	}
}

// TestClientDoesNotRead: who never reads answers is not waited for, and holds up
// nobody else.
func TestClientDoesNotRead(t *testing.T) {
	t.Parallel()
	p := startAgent(t, change(plain, "= logger", "= null")+"a1.sources.r1.write-timeout = 1\n")
	addr := p.address(t, "[source r1] listening")
	deaf, other := dial(t, addr), dial(t, addr)
	if err := deaf.SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() {
		block := []byte(strings.Repeat("\n", 64<<10))
		for {
			if _, err := deaf.Write(block); err != nil {
				written <- err
				return
			}
		}
	}()
	send(t, other, "meanwhile")
	line := p.says(t, "closing a connection: the client does not read its answers")
	wantAll(t, "the log", line, "client="+deaf.LocalAddr().String(), "write-timeout=1s")
	if err := <-written; err == nil {
		t.Error("the connection was not closed")
	}
	send(t, other, "afterwards")
}

// TestSlowClient sends its line a byte at a time.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	p := startAgent(t, plain)
	addr := p.address(t, "[source r1] listening")
	slow, other := dial(t, addr), dial(t, addr)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for _, b := range []byte("so very slow") {
		<-tick.C
		if _, err := slow.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
		send(t, other, "quick")
	}
	send(t, slow, "ly")
	p.says(t, "so very slowly")
}

// TestClientVanishes breaks connections in the middle of a line, before the answer
// and after nothing at all.
func TestClientVanishes(t *testing.T) {
	t.Parallel()
	p := startAgent(t, plain)
	addr := p.address(t, "[source r1] listening")
	for _, text := range []string{"", "half a li", "line\n", strings.Repeat("line\n", 1000)} {
		conn := dial(t, addr)
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetLinger(0); err != nil { // close resets the connection
			t.Fatal(err)
		}
		conn.Close()
	}
	send(t, dial(t, addr), "still here")
	p.says(t, "still here")
	output, _ := p.read()
	if lines := append(grep(output, " ERROR "), grep(output, " WARN ")...); len(lines) > 0 {
		t.Errorf("clients that leave are nothing to be told of: %q", lines)
	}
}

// TestGarbage sends what is not text, and what is another protocol.
func TestGarbage(t *testing.T) {
	t.Parallel()
	p := startAgent(t, plain)
	addr := p.address(t, "[source r1] listening")
	if got := converse(t, addr, "\xff\xfe\x00\n\x00\n"); got != "OK\nOK\n" {
		t.Errorf("bytes that are not text: %q", got)
	}
	if got := converse(t, addr, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"); got != "" {
		t.Errorf("TLS greeting: %q", got)
	}
	if got := converse(t, addr, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); got != "OK\nOK\nOK\n" {
		t.Errorf("HTTP request: %q", got)
	}
	send(t, dial(t, addr), "still here")
}
