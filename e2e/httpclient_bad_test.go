//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/flume-go/flume/e2e/harness"
)

// badRequests are what broken and hostile clients send, and the status that they are answered with; 0 is none.
// All of it is followed by the end of what the client sends.
func badRequests(t *testing.T) map[string]struct {
	request string
	status  int
} {
	post := func(head, content string) string {
		return "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n" + head + "\r\n" + content
	}
	sized := func(content string) string { return post(fmt.Sprintf("Content-Length: %d\r\n", len(content)), content) }
	return map[string]struct {
		request string
		status  int
	}{
		"content shorter than it says":       {post("Content-Length: 100\r\n", `[{"body":"x"}]`), 400},
		"content longer than it says":        {post("Content-Length: 5\r\n", `[{"body":"x"}]`), 400},
		"length that is no number":           {post("Content-Length: many\r\n", `[]`), 400},
		"negative length":                    {post("Content-Length: -1\r\n", `[]`), 400},
		"two lengths":                        {post("Content-Length: 2\r\nContent-Length: 3\r\n", `[] `), 400},
		"length that no memory has":          {post("Content-Length: 9223372036854775807\r\n", `[]`), 413},
		"chunk that is no number":            {post("Transfer-Encoding: chunked\r\n", "zz\r\n[]\r\n0\r\n\r\n"), 400},
		"chunks without end":                 {post("Transfer-Encoding: chunked\r\n", "2\r\n[]\r\n"), 400},
		"unknown transfer encoding":          {post("Transfer-Encoding: rot13\r\n", "[]"), 501},
		"header without colon":               {"POST / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n", 400},
		"control character in a header":      {post("X: a\x01b\r\nContent-Length: 2\r\n", "[]"), 400},
		"header that is too large":           {post("X: "+strings.Repeat("x", 64<<10)+"\r\n", ""), 431},
		"no host":                            {"POST / HTTP/1.1\r\n\r\n", 400},
		"version that there is not":          {"POST / HTTP/9.9\r\nHost: x\r\n\r\n", 505},
		"no HTTP":                            {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x00", 200) + "\r\n\r\n", 400},
		"zip bomb":                           {post("Content-Encoding: gzip\r\nContent-Length: "+strconv.Itoa(len(bomb(t)))+"\r\n", bomb(t)), 413},
		"nested a million times":             {sized(`[{"x":` + strings.Repeat("[", 1_000_000)), 400},
		"nested a million times in a header": {sized(`[{"headers":` + strings.Repeat(`{"a":`, 1_000_000)), 400},
		"one name twice among headers":       {sized(`[{"headers":{"a":"1","a":"2"},"body":"x"}]`), 400},
		"a megabyte of white space":          {sized(strings.Repeat(" ", 1<<20)), 500},
		"bytes of zero":                      {sized(strings.Repeat("\x00", 1000)), 400},
	}
}

// bomb is 1 GiB of zeros.
var bomb = func() func(t *testing.T) string {
	var text string
	return func(t *testing.T) string {
		if text != "" {
			return text
		}
		t.Helper()
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
		if err != nil {
			t.Fatal(err)
		}
		block := make([]byte, 1<<20)
		for range 1 << 10 {
			if _, err := z.Write(block); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		text = b.String()
		return text
	}
}()

// TestHTTPBadInput sends what is not a request. Each is refused, nothing of it is stored, others are served
// meanwhile, and the memory stays within its limits.
func TestHTTPBadInput(t *testing.T) {
	t.Parallel()
	site := harness.NewSite(t)
	metrics := harness.FreePort(t)
	var conf topology
	conf.source("h", "out", "type = http", "bind = 127.0.0.1", "port = <port h>", "headerTimeout = 2", "requestTimeout = 2",
		"maxDecodedSize = 16777216", "maxMemory = 67108864")
	conf.store("out")
	v := startVictim(t, site.Dir("agent"), site.Expand(conf.String()), metrics)
	defer v.kill()
	addr := site.Addr("h")
	harness.Dial(t, addr).Close()
	slow := slowClients(t, addr)
	for name, c := range badRequests(t) {
		if got := statusOf(t, addr, c.request); got != c.status {
			t.Errorf("%s: status %d, want %d", name, got, c.status)
		}
	}
	if got := curl(t, "", append(asJSON, "-d", `[{"body":"good"}]`, "http://"+addr)...); got != "200" {
		t.Errorf("a good request is answered with %s", got)
	}
	slow(t)
	requireStored(t, site, "good\n")
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", v.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var peak int
	for line := range strings.Lines(string(status)) {
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &peak); err == nil {
			break
		}
	}
	t.Logf("the agent took %d MiB at most", peak>>10)
	if peak == 0 || peak>>10 > 256 {
		t.Errorf("the agent took %d MiB, which is not in proportion to a limit of 64 MiB", peak>>10)
	}
	v.stop(t)
}

// statusOf sends a request as it is, ends its direction, and returns the status of the answer.
func statusOf(t *testing.T, addr, request string) (status int) {
	t.Helper()
	answer := harness.Converse(t, addr, request)
	if _, err := fmt.Sscanf(answer, "HTTP/1.1 %d ", &status); err != nil && answer != "" {
		t.Errorf("the answer is %.200q", answer)
	}
	return status
}

// slowClients opens connections whose headers or contents come a byte at a time. The function that it returns
// requires that the source has ended all of them.
func slowClients(t *testing.T, addr string) (ended func(t *testing.T)) {
	t.Helper()
	const clients = 50
	done := make(chan error, 2*clients)
	for i := range 2 * clients {
		text := "POST / HTTP/1.1\r\nHost: x\r\n"
		if i%2 == 0 {
			text += "Content-Length: 1000000\r\n\r\n["
		}
		conn := harness.Dial(t, addr)
		go func() { done <- drip(conn, text) }()
	}
	return func(t *testing.T) {
		t.Helper()
		limit := time.After(20 * time.Second)
		for range 2 * clients {
			select {
			case err := <-done:
				if err != nil {
					t.Error(err)
				}
			case <-limit:
				t.Fatal("slow clients are still connected")
			}
		}
	}
}

// drip sends text and then a byte at a time, until the other end closes the connection.
func drip(conn net.Conn, text string) error {
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		return fmt.Errorf("a slow client was cut off before it was slow: %w", err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, conn) // until the connection ends, in whatever way
	}()
	for {
		select {
		case <-gone:
			return nil
		case <-time.After(50 * time.Millisecond):
			if _, err := io.WriteString(conn, "x"); err != nil {
				<-gone
				return nil
			}
		}
	}
}
