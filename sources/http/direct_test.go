package http

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/flow"
)

// tcpPair is a connection, by its ends.
func tcpPair(t *testing.T) (client, server *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

// usual is a request that is served directly. Further fields are lines without their ends.
func usual(content string, fields ...string) string {
	var more strings.Builder
	for _, f := range fields {
		more.WriteString(f + "\r\n")
	}
	return fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s", more.String(), len(content), content)
}

// left makes a request one that is left to net/http, and means nothing to the source.
const left = "Pragma: x"

// exchange sends a request over c and reads its answer.
func exchange(t *testing.T, c net.Conn, r *bufio.Reader, request string) reply {
	t.Helper()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	return answered(t, r)
}

func answered(t *testing.T, r *bufio.Reader) reply {
	t.Helper()
	got, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got.Close { // not among the headers
		got.Header.Set("Connection", "close")
	}
	return reply{got.StatusCode, got.Header, string(body)}
}

// ended fails unless nothing but the end of the connection is left.
func ended(t *testing.T, r io.Reader) {
	t.Helper()
	if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
		t.Errorf("behind the last answer: %q, %v", rest, err)
	}
}

// TestSameAnswers sends requests that are served directly, and the same ones in a form that is left to net/http. What a
// client is told must not differ.
func TestSameAnswers(t *testing.T) {
	settings := []string{"auth.token = secret", "idempotencyKeys = 10", "maxDecodedSize = 3000", "handler.malformedInput = reject"}
	const allowed = "Authorization: Bearer secret"
	direct, server := begin(t, settings...), begin(t, settings...)
	for name, request := range map[string][2]string{
		"fine":              {one, allowed},
		"no events":         {"[]", allowed},
		"null":              {"null", allowed},
		"bad JSON":          {"[{]", allowed},
		"cut off JSON":      {`[{"body":"a`, allowed},
		"bad UTF-8":         {"[{\"body\":\"\xff\"}]", allowed},
		"too much":          {"[" + strings.Repeat(" ", 5000) + "]", allowed},
		"compressed":        {string(gzipped([]byte(one))), allowed + "\r\nContent-Encoding: gzip"},
		"unknown coding":    {one, allowed + "\r\nContent-Encoding: br"},
		"unknown charset":   {one, allowed + "\r\nContent-Type: text/plain; charset=rot13"},
		"no secret":         {one, "A: b"},
		"another secret":    {one, "Authorization: Bearer other"},
		"error as text":     {"[{]", allowed + "\r\nAccept: text/plain"},
		"error as JSON":     {"[{]", allowed + "\r\nAccept: application/json"},
		"with a key":        {one, allowed + "\r\nIdempotency-Key: a"},
		"too long a key":    {one, allowed + "\r\nIdempotency-Key: " + strings.Repeat("k", maxKey+1)},
		"two keys":          {one, allowed + "\r\nIdempotency-Key: a\r\nIdempotency-Key: b"},
		"a field of no use": {one, allowed + "\r\nX: \t y z\t"},
	} {
		for range 2 { // a key is remembered
			var answers [2]reply
			var events [2]string
			for i, s := range []*subject{direct, server} {
				fields := []string{request[1]}
				if i == 1 {
					fields = append(fields, left)
				}
				c := s.dial(t)
				answers[i] = exchange(t, c, bufio.NewReader(c), usual(request[0], fields...))
				events[i] = s.out.take()
				answers[i].header.Del("Date")
				c.Close()
			}
			if diff := cmp.Diff(answers[1], answers[0], cmp.AllowUnexported(reply{})); diff != "" {
				t.Errorf("%s (- net/http, + directly):\n%s", name, diff)
			}
			if events[0] != events[1] {
				t.Errorf("%s makes events %q, by net/http %q", name, events[0], events[1])
			}
		}
	}
	if diff := cmp.Diff(server.counted(), direct.counted()); diff != "" {
		t.Errorf("counted (- net/http, + directly):\n%s", diff)
	}
}

// TestConnectionGoesOn has requests of all kinds on one connection, some sent before the answer to the one before: those that
// are usual, one refused, and from one on net/http serves them.
func TestConnectionGoesOn(t *testing.T) {
	s := begin(t)
	c := s.dial(t)
	r := bufio.NewReader(c)
	event := func(i int) string { return fmt.Sprintf(`[{"body":"%d"}]`, i) }
	bad := "[1" + strings.Repeat(" ", 200_000) + "]" // refused long before all of it was read
	chunked := "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" +
		fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(event(5)), event(5))
	var sent strings.Builder
	for _, request := range []string{usual(event(1)), usual(event(2)), usual(bad), usual(event(3)), usual(string(jsonArray(300, 512))), usual(event(4)), chunked, usual(event(6))} {
		sent.WriteString(request)
	}
	go io.WriteString(c, sent.String())
	for i, want := range []int{200, 200, 400, 200, 200, 200, 200, 200} {
		got := answered(t, r)
		if got.status != want || got.header.Get("Date") == "" {
			t.Fatalf("request %d is answered with %d %v %s", i, got.status, got.header, got.body)
		}
	}
	var bodies []string
	for line := range strings.SplitSeq(s.out.take(), "\n") {
		if _, body, _ := strings.Cut(line, "} "); len(body) == 1 {
			bodies = append(bodies, body)
		}
	}
	if got := strings.Join(bodies, ""); got != "123456" {
		t.Errorf("stored %q", got)
	}
	if got := exchange(t, c, r, usual(event(7))); got.status != 200 {
		t.Errorf("later: %d", got.status)
	}
}

// TestHeadInPieces has a head that comes byte by byte, on a connection of its own and behind a request.
func TestHeadInPieces(t *testing.T) {
	s := begin(t)
	for _, before := range []int{0, 2} {
		c := s.dial(t)
		r := bufio.NewReader(c)
		for range before {
			if got := exchange(t, c, r, usual(one)); got.status != 200 {
				t.Fatalf("%d", got.status)
			}
		}
		request := usual(one)
		for i := range len(request) {
			if _, err := io.WriteString(c, request[i:i+1]); err != nil {
				t.Fatal(err)
			}
		}
		if got := answered(t, r); got.status != 200 {
			t.Errorf("after %d: %d %s", before, got.status, got.body)
		}
	}
}

// TestRefusedSenders are clients that send much more than is read of it. They must see their answer, and the end.
func TestRefusedSenders(t *testing.T) {
	s := begin(t, "auth.token = secret")
	for name, field := range map[string]string{"before reading": "A: b", "while reading": "Authorization: Bearer secret"} {
		c := s.dial(t)
		go io.WriteString(c, usual("[1"+strings.Repeat(" ", 4<<20)+"]", field)) // may fail: the connection ends
		r := bufio.NewReader(c)
		if got := answered(t, r); got.status/100 != 4 || got.header.Get("Connection") != "close" {
			t.Errorf("%s: %d %v", name, got.status, got.header)
		}
		ended(t, r)
	}
}

// TestQuietConnections are closed when they have said nothing for long enough.
func TestQuietConnections(t *testing.T) {
	s := begin(t, "ServerConnector.idleTimeout = 100", "headerTimeout = 1")
	silent, used := s.dial(t), s.dial(t)
	r := bufio.NewReader(used)
	if got := exchange(t, used, r, usual(one)); got.status != 200 {
		t.Fatalf("%d", got.status)
	}
	ended(t, r)
	ended(t, silent)
}

// TestStopDirect stops the source with a connection that waits, one that has not said anything, and one whose events are being stored.
func TestStopDirect(t *testing.T) {
	s := begin(t)
	inside, gate := make(chan struct{}), make(chan struct{})
	waits := s.dial(t)
	quiet := bufio.NewReader(waits)
	if got := exchange(t, waits, quiet, usual(one)); got.status != 200 {
		t.Fatalf("%d", got.status)
	}
	s.out.mu.Lock()
	s.out.fail = func(context.Context, int) error {
		close(inside)
		<-gate
		return nil
	}
	s.out.mu.Unlock()
	silent, storing := s.dial(t), s.dial(t)
	if _, err := io.WriteString(storing, usual(one)); err != nil {
		t.Fatal(err)
	}
	<-inside
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.stop()
	}()
	ended(t, quiet)
	ended(t, silent)
	select {
	case <-stopped:
		t.Error("the source did not wait for what it stores")
	default:
	}
	close(gate)
	r := bufio.NewReader(storing)
	if got := answered(t, r); got.status != 200 || got.header.Get("Connection") != "close" {
		t.Errorf("what was stored is answered with %d %v", got.status, got.header)
	}
	ended(t, r)
	<-stopped
	if n := s.count.open.Value(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

// TestPanic has a mistake somewhere behind the source: it costs one connection.
func TestPanic(t *testing.T) {
	s := begin(t)
	s.out.fail = func(_ context.Context, call int) error {
		if call == 1 {
			panic("a mistake")
		}
		return nil
	}
	c := s.dial(t)
	if _, err := io.WriteString(c, usual(one)); err != nil {
		t.Fatal(err)
	}
	ended(t, c)
	if got := s.post(t, one); got.status != 200 {
		t.Errorf("afterwards: %d", got.status)
	}
	if log := s.log.String(); !strings.Contains(log, "a mistake") || !strings.Contains(log, "direct_test.go") {
		t.Errorf("log: %s", log)
	}
}

// TestSilentReader stops waiting for a client that does not read its answers.
func TestSilentReader(t *testing.T) {
	client, server := tcpPair(t)
	s := begin(t, "writeTimeout = 1")
	l := &listener{service: newService(s.source, &guard{}, s.out)}
	d := newDirect(newFront(l.service, l), &conn{Conn: server, listener: l})
	d.answer.begin()
	d.answer.body = make([]byte, 64<<20)
	began := time.Now()
	if err := d.send(false); err == nil {
		t.Error("an answer that nobody reads was written")
	}
	if took := time.Since(began); took < time.Second/2 || took > limit {
		t.Errorf("gave up after %v", took)
	}
	client.Close()
}

// TestDeadlines are set when they have to be, and not more often.
func TestDeadlines(t *testing.T) {
	s := prepare(t, "ServerConnector.idleTimeout = 8000")
	set := &deadlines{}
	d := newDirect(newFront(newService(s.source, &guard{}, s.out), &listener{}), &conn{Conn: set})
	now := time.Unix(1_000_000, 0)
	for _, c := range []struct {
		at   time.Duration // zero deadline if negative
		want int
	}{
		{8 * time.Second, 1},
		{8 * time.Second, 1},
		{8500 * time.Millisecond, 1},
		{9 * time.Second, 2},
		{-1, 2},
		{5 * time.Second, 3}, // an earlier one counts
		{5500 * time.Millisecond, 3},
		{14 * time.Second, 4},
	} {
		deadline := now.Add(c.at)
		if c.at < 0 {
			deadline = time.Time{}
		}
		if err := d.SetReadDeadline(deadline); err != nil || set.count != c.want {
			t.Errorf("%v: set %d times, not %d; %v", c.at, set.count, c.want, err)
		}
	}
	if err := d.SetReadDeadline(interrupted); err != nil || set.count != 5 {
		t.Errorf("the interruption: set %d times, %v", set.count, err)
	}
}

// deadlines counts how often one is set.
type deadlines struct {
	net.Conn
	count int
}

func (d *deadlines) SetReadDeadline(time.Time) error {
	d.count++
	return nil
}

func (d *deadlines) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// TestConnectionsAreCounted and given back, whoever serves them.
func TestConnectionsAreCounted(t *testing.T) {
	s := begin(t)
	for _, fields := range [][]string{nil, {left}} {
		c := s.dial(t)
		if got := exchange(t, c, bufio.NewReader(c), usual(one, fields...)); got.status != 200 {
			t.Fatalf("%d", got.status)
		}
		if n := s.count.open.Value(); n != 1 {
			t.Errorf("%d connections are open", n)
		}
		c.Close()
		for s.count.open.Value() != 0 {
			if !flow.Sleep(t.Context(), time.Millisecond) {
				t.Fatal("the connection is open for ever")
			}
		}
	}
}
