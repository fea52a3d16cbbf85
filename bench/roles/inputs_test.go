//go:build linux

package roles

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/flume-go/flume/internal/vfs"
)

// TestCopy copies files, with a log and without.
func TestCopy(t *testing.T) {
	in := t.TempDir()
	want := ""
	for _, name := range []string{"a", "b", "c"} {
		text := strings.Repeat(name+"\n", 5000)
		want += text
		if err := os.WriteFile(filepath.Join(in, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, log := range []string{"", t.TempDir()} {
		out := filepath.Join(t.TempDir(), "out")
		ctx, cancel := context.WithCancel(t.Context())
		stdin, say := io.Pipe()
		ended := make(chan error, 1)
		go func() {
			ended <- copyFiles(ctx, []string{"-from", in, "-out", out, "-log", log, "-block", "4096"},
				Streams{In: bufio.NewReader(stdin), Out: io.Discard})
		}()
		if _, err := io.WriteString(say, "go\n"); err != nil {
			t.Fatal(err)
		}
		awaitSize(t, out, len(want))
		cancel()
		say.Close()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(out); err != nil || string(got) != want {
			t.Errorf("log %q: copied %d bytes, %v; want those of the files in their order", log, len(got), err)
		}
	}
}

// awaitSize waits until a file has so many bytes.
func awaitSize(t *testing.T, path string, size int) {
	t.Helper()
	ticker, limit := time.NewTicker(time.Millisecond), time.After(20*time.Second)
	defer ticker.Stop()
	for {
		if info, err := os.Stat(path); err == nil && info.Size() >= int64(size) {
			return
		}
		select {
		case <-ticker.C:
		case <-limit:
			t.Fatalf("%s never had %d bytes", path, size)
		}
	}
}

// TestReceive posts contents that fit into the buffer, and one that does not.
func TestReceive(t *testing.T) {
	for _, log := range []string{"", t.TempDir()} {
		path := filepath.Join(t.TempDir(), "out")
		out, err := openOutput(path, log)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(newReceiver(out, 1000))
		want := ""
		for _, size := range []int{0, 1, 999, 1000, 2500} {
			text := strings.Repeat("x", size)
			want += text
			resp, err := http.Post(server.URL, "text/plain", strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("%d bytes were answered with %s", size, resp.Status)
			}
		}
		server.Close()
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("log %q: the file has %d bytes, %v; want the %d that were posted", log, len(got), err, len(want))
		}
	}
}

// TestOutputIsDurableFirst has nothing reach the file, and nothing answered, that is not in the log.
func TestOutputIsDurableFirst(t *testing.T) {
	gone := errors.New("disk is gone")
	failing := vfs.NewFailing(vfs.NewMem(1), nil)
	log, err := newRing(failing, "ring", 4096)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	out := &output{file: file, ring: log, syncs: newGroup(log)}
	defer out.Close()
	var taken bytes.Buffer
	w := out.writer(func(block []byte) error { _, err := taken.Write(block); return err })
	if _, err := io.WriteString(w, "first"); err != nil {
		t.Fatal(err)
	}
	failing.SetInjector(vfs.FailFrom(0, gone))
	if _, err := io.WriteString(w, "second"); !errors.Is(err, gone) {
		t.Errorf("writing = %v, want %v", err, gone)
	}
	if got, err := os.ReadFile(file.Name()); err != nil || string(got) != "first" || taken.String() != "first" {
		t.Errorf("file %q, answered %q, %v; want the first block in both", got, taken.String(), err)
	}
}

// TestForward passes blocks on, with a log and with more bytes beside.
func TestForward(t *testing.T) {
	want := strings.Repeat("text\n", 5000)
	for _, log := range []string{"", t.TempDir()} {
		path := filepath.Join(t.TempDir(), "out")
		ctx, cancel := context.WithCancel(t.Context())
		in, say := io.Pipe()
		defer say.Close()
		next, first, beside := freeAddr(t), freeAddr(t), freeAddr(t)
		ended := make(chan error, 2)
		std := func() Streams { return Streams{In: bufio.NewReader(in), Out: io.Discard} }
		go func() { ended <- bare(ctx, []string{"-listen", next, "-out", path, "-extra", beside}, std()) }()
		go func() {
			ended <- forward(ctx, []string{"-listen", first, "-to", next, "-log", log, "-block", "4096", "-extra", "100", "-extra-to", beside}, std())
		}()
		conn := dialSoon(t, next) // the one behind listens
		conn.Close()
		conn = dialSoon(t, first)
		if _, err := io.WriteString(conn, want); err != nil {
			t.Fatal(err)
		}
		conn.Close()
		awaitSize(t, path, len(want))
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("log %q: %d bytes arrived, %v; want the %d that were sent", log, len(got), err, len(want))
		}
	}
	if err := forward(t.Context(), []string{"-block", "0"}, Streams{}); err == nil || !strings.Contains(err.Error(), "-block 0") {
		t.Errorf("a block of no bytes: %v", err)
	}
}

// TestPadded counts what is sent beside.
func TestPadded(t *testing.T) {
	var lines, beside bytes.Buffer
	p := &padded{to: &lines, beside: &beside, extra: 59, zeros: make([]byte, 1000)}
	for range 100 {
		if _, err := p.Write(make([]byte, 5120)); err != nil {
			t.Fatal(err)
		}
	}
	if want := 1000 * 59 / 1000 * 1000; lines.Len() != 512_000 || beside.Len() != want {
		t.Errorf("%d bytes and %d beside, want 512000 and %d", lines.Len(), beside.Len(), want)
	}
}

// freeAddr is an address that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// dialSoon connects as soon as somebody listens.
func dialSoon(t *testing.T, addr string) net.Conn {
	t.Helper()
	tick, limit := time.NewTicker(time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for {
		if conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr); err == nil {
			return conn
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("nobody listens on %s", addr)
		}
	}
}

func TestLook(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	sizes := map[string]int64{path: 0}
	if err := lookAt(sizes); err != nil || sizes[path] != 4 {
		t.Errorf("looking = %v, %v, want a size of 4", sizes, err)
	}
	var said bytes.Buffer
	if err := look(t.Context(), []string{"-dir", dir}, Streams{In: bufio.NewReader(strings.NewReader("")), Out: &said}); err != nil {
		t.Fatal(err)
	}
	if said.String() != "ready\n" {
		t.Errorf("said %q, want that it is ready", said.String())
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := lookAt(sizes); err == nil {
		t.Error("looking at a file that is gone did not fail")
	}
}

// TestAwaitReply wants requests answered with 200, in whatever pieces that comes.
func TestAwaitReply(t *testing.T) {
	for answer, ok := range map[string]bool{
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n":                              true,
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n":                                  false,
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n":                              false,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n": true,
		"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nfull":         false,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n":            true,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\r\n":            false,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n":                     false,
		"HTTP/1.1 503 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n":            false,
		"HTTP/1.1 200 OK\r\nX: y\r\n\r\n0\r\n\r\n":                                  true, // all until the end is content
		"": false,
	} {
		whole := io.Reader(strings.NewReader(answer))
		head, behind, _ := strings.Cut(answer, "\r\n\r\n")
		twice := io.MultiReader(strings.NewReader(answer[:min(len(answer), len(head)+4)]), strings.NewReader(behind))
		for pieces, from := range map[string]io.Reader{
			"one piece": whole, "two pieces": twice, "bytes": iotest.OneByteReader(strings.NewReader(answer)),
		} {
			s := stream{replies: &replies{from: from}}
			if err := s.await(100); (err == nil) != ok {
				t.Errorf("awaiting %q in %s = %v", answer, pieces, err)
			}
		}
	}
}
