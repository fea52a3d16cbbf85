package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flume-go/flume/wire/avro"
)

// receiver is an agent that keeps what avro clients send.
type receiver struct {
	addr string

	mu     sync.Mutex
	events []string // headers and bodies
	calls  []int
	refuse int // calls that are taken before the others are refused; -1: all
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{addr: ln.Addr().String(), refuse: -1}
	server := avro.NewServer(r, false, nil, avro.Limits{})
	ctx, cancel := context.WithCancel(context.Background())
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer conn.Close()
				defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
				_ = server.Serve(ctx, ctx, conn)
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		ln.Close()
		conns.Wait()
	})
	return r
}

func (r *receiver) Handle(_ context.Context, c *avro.Call) (avro.Status, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse == 0 {
		return avro.Failed, nil
	}
	r.refuse = max(r.refuse-1, -1)
	r.calls = append(r.calls, c.Batch.Len())
	for i := range c.Batch.Len() {
		e := c.Batch.At(i)
		text := ""
		for _, h := range e.Headers {
			text += h.Key + "=" + h.Value + " "
		}
		r.events = append(r.events, text+string(e.Body))
	}
	return avro.OK, nil
}

func (r *receiver) Refused(net.Addr, error) {}

// has requires what was received since the last look.
func (r *receiver) has(t *testing.T, want []string, calls ...int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(want, r.events) {
		t.Errorf("received %.500q, want %.500q", r.events, want)
	}
	if calls != nil && !slices.Equal(calls, r.calls) {
		t.Errorf("calls of %v events, want %v", r.calls, calls)
	}
	r.events, r.calls = nil, nil
}

// pipe runs a command with a text as its standard input.
func pipe(t *testing.T, dir, path, input string, args ...string) (code int, output string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || ctx.Err() != nil {
		t.Fatalf("running %v: %v\n%s", args, err, out)
	}
	noTrace(t, string(out))
	return cmd.ProcessState.ExitCode(), string(out)
}

func numbered(from, to int) (list []string) {
	for i := from; i < to; i++ {
		list = append(list, fmt.Sprintf("line %d", i))
	}
	return list
}

func TestAvroClient(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	_, port, _ := net.SplitHostPort(r.addr)
	dir := t.TempDir()
	twelve := strings.Join(numbered(0, 12), "\n")
	writeFile(t, filepath.Join(dir, "in.txt"), twelve)
	writeFile(t, filepath.Join(dir, "headers"), "k = v ä\\u00fc\n")
	writeFile(t, filepath.Join(dir, "client"), "hosts = h1\nhosts.h1 = "+r.addr+"\nbatch-size = 10\n")
	long := strings.Repeat("x", 200_000)
	headed := numbered(0, 12)
	for i := range headed {
		headed[i] = "k=v äü " + headed[i]
	}
	for _, tt := range []struct {
		args, input string
		want        []string
		calls       []int
	}{
		{"-H 127.0.0.1 -p PORT", twelve + "\n", numbered(0, 12), []int{5, 5, 2}},
		{"--host 127.0.0.1 --port PORT -F in.txt", "not this", numbered(0, 12), []int{5, 5, 2}},
		{"-host 127.0.0.1 -pPORT --file=in.txt -Dx=y -Xmx10m", "", numbered(0, 12), []int{5, 5, 2}},
		{"-P client", twelve, numbered(0, 12), []int{10, 2}},
		{"--rpcProps client -H nowhere -p 1 -F in.txt", "", numbered(0, 12), []int{10, 2}},
		{"-P client -F in.txt -R headers", "", headed, nil},
		{"-P client -F in.txt -R none", "", numbered(0, 12), nil},
		{"-P client", "", nil, []int{}},
		{"-P client", "a\r\n\rb\n\n" + long + "\r", []string{"a", "", "b", "", long}, nil},
	} {
		code, output := pipe(t, dir, binary, tt.input, append([]string{"avro-client"}, strings.Fields(strings.ReplaceAll(tt.args, "PORT", port))...)...)
		if code != exitOK {
			t.Errorf("%s: exit code %d:\n%s", tt.args, code, output)
		}
		r.has(t, tt.want, tt.calls...)
	}
}

// TestAvroClientDirectory sends files, oldest first, and goes on after a failure.
func TestAvroClientDirectory(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	dir := t.TempDir()
	spool := filepath.Join(dir, "spool")
	if err := os.Mkdir(spool, 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "client"), "hosts = h1\nhosts.h1 = "+r.addr+"\nbatch-size = 4\n")
	old := time.Now().Add(-time.Hour)
	for i, name := range []string{"second", "first.COMPLETED", ".hidden", "done.fileSuffix"} {
		path := filepath.Join(spool, name)
		writeFile(t, path, strings.Join(numbered(10*i, 10*i+6), "\n"))
		if err := os.Chtimes(path, old, old.Add(-time.Duration(i)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	r.mu.Lock()
	r.refuse = 3
	r.mu.Unlock()
	code, output := pipe(t, dir, binary, "", "avro-client", "-P", "client", "--dirname", "spool")
	if code != exitFail || !strings.Contains(output, "after 10 events") {
		t.Errorf("exit code %d:\n%s", code, output)
	}
	r.has(t, slices.Concat(numbered(10, 16), numbered(0, 4)), 4, 2, 4)
	r.mu.Lock()
	r.refuse = -1
	r.mu.Unlock()
	if code, output = pipe(t, dir, binary, "", "avro-client", "-P", "client", "--dirname", "spool"); code != exitOK {
		t.Errorf("exit code %d:\n%s", code, output)
	}
	r.has(t, numbered(4, 6), 2)
	for _, name := range []string{"secondfileSuffix", "first.COMPLETEDfileSuffix", ".hidden", "done.fileSuffix"} {
		if _, err := os.Stat(filepath.Join(spool, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestAvroClientFails(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.refuse = 0
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, nobody, _ := net.SplitHostPort(ln.Addr().String())
	ln.Close()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "client"), "hosts = h1\nhosts.h1 = "+r.addr+"\nbach-size = 10\n")
	writeFile(t, filepath.Join(dir, "bad"), "hosts = h1\n")
	flumeNG := filepath.Join(dir, "flume-ng")
	if err := os.Symlink(binary, flumeNG); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args       string
		code, ofNG int
		want       string
	}{
		{"--help", exitOK, exitOK, "-R, --headerFile FILE"},
		{"", exitUsage, exitOK, "the agent is missing"},
		{"-H h", exitUsage, exitOK, "the agent is missing"},
		{"-P client -F a --dirname b", exitUsage, exitOK, "cannot be given both"},
		{"-P client --no-such", exitUsage, exitOK, "unknown option --no-such"},
		{"-P client x", exitUsage, exitOK, `"x" is not an option`},
		{"-P", exitUsage, exitOK, "option --rpcProps needs a value"},
		{"-H h -p many", exitUsage, exitFail, `"many" is not a number`},
		{"-P none", exitUsage, exitFail, "none"},
		{"-P bad", exitUsage, exitFail, `the host "h1" has no address`},
		{"-H 127.0.0.1 -p " + nobody, exitFail, exitOK, "connecting to 127.0.0.1:" + nobody},
		{"-P client -F none", exitFail, exitOK, "--filename"},
		{"-P client --dirname none", exitFail, exitOK, "--dirname"},
		{"-P client", exitFail, exitOK, "after 0 events"},
		{"-P client", exitFail, exitOK, "batch-size"}, // a warning
	} {
		for path, code := range map[string]int{binary: tt.code, flumeNG: tt.ofNG} {
			got, output := pipe(t, dir, path, "text\n", append([]string{"avro-client"}, strings.Fields(tt.args)...)...)
			if got != code || !strings.Contains(output, tt.want) {
				t.Errorf("%s %s: exit code %d, want %d, with %q:\n%s", filepath.Base(path), tt.args, got, code, tt.want, output)
			}
		}
	}
}

// TestJavaLines cuts text at every place: lines do not depend on where reads end.
func TestJavaLines(t *testing.T) {
	t.Parallel()
	const text = "a\r\nb\rc\n\r\r\n\nlast"
	want := []string{"a", "b", "c", "", "", "", "last"}
	for cut := range len(text) + 1 {
		var got []string
		data := []byte(text[:cut])
		for rest := text[cut:]; ; {
			atEOF := rest == ""
			n, line, err := javaLines(data, atEOF)
			if err != nil {
				t.Fatal(err)
			}
			if line != nil {
				got = append(got, string(line))
			}
			data = data[n:]
			if n == 0 && atEOF {
				break
			}
			if n == 0 {
				data, rest = append(bytes.Clone(data), rest[0]), rest[1:]
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("cut at %d: %q, want %q", cut, got, want)
		}
	}
}
