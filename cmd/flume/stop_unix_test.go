//go:build unix

package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// terminate asks the program to stop and expects it to do so cleanly.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	if code := p.exit(t); code != exitOK {
		t.Errorf("exit code %d after SIGTERM, want 0", code)
	}
}

// lastLog returns the last line of the log.
func (p *process) lastLog(t *testing.T) string {
	t.Helper()
	output, _ := p.read()
	lines := append(grep(output, " INFO "), grep(output, " ERROR ")...)
	last := ""
	for _, l := range lines {
		last = max(last, l) // each begins with its time
	}
	return last
}

// TestTerminate stops an agent that has events in memory: they are delivered first.
func TestTerminate(t *testing.T) {
	t.Parallel()
	const lines = 20000
	dir := t.TempDir()
	p := startAgent(t, change(plain, "= logger", "= file_roll\na1.sinks.k1.sink.batchSize = 1\na1.sinks.k1.sink.directory = "+dir,
		"= memory", fmt.Sprintf("= memory\na1.channels.c1.capacity = %d", lines)))
	answers := converse(t, p.address(t, "[source r1] listening"), strings.Repeat("line\n", lines))
	if n := strings.Count(answers, "OK\n"); n != lines {
		t.Errorf("%d of %d lines were taken", n, lines)
	}
	p.terminate(t)
	if n := strings.Count(contents(t, dir), "line\n"); n != lines {
		t.Errorf("%d of %d lines were delivered", n, lines)
	}
	wantAll(t, "the last line of the log", p.lastLog(t), "agent is stopped", "undelivered_lost=0")
}

// stuck is an agent whose sink cannot deliver, with three events in memory.
func stuck(t *testing.T, args ...string) *process {
	t.Helper()
	p := startAgent(t, change(plain, "= logger", "= file_roll\na1.sinks.k1.sink.directory = "+filepath.Join(t.TempDir(), "none")), args...)
	if got := converse(t, p.address(t, "[source r1] listening"), "1\n2\n3\n"); got != "OK\nOK\nOK\n" {
		t.Fatalf("answers %q", got)
	}
	p.says(t, "[sink k1] sink failed")
	return p
}

// TestStuckSink: a stop that cannot deliver ends in time and tells what is lost.
func TestStuckSink(t *testing.T) {
	t.Parallel()
	p := stuck(t, "--stop-timeout=500ms")
	p.signal(t, syscall.SIGTERM)
	if code := p.exit(t); code != exitFail {
		t.Errorf("exit code %d, want %d", code, exitFail)
	}
	wantAll(t, "the log", p.says(t, "[channel c1] events are lost"), "events=3")
	wantAll(t, "the last line of the log", p.lastLog(t), "ERROR", "agent is stopped", "undelivered_lost=3")
	p.says(t, "flume: 3 events were in memory channels and could not be delivered in time")
}

// TestSecondSignal ends a stop that would take long. A hang-up does not.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	for _, second := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(second.String(), func(t *testing.T) {
			t.Parallel()
			p := stuck(t, "--stop-timeout=1h")
			p.signal(t, syscall.SIGTERM)
			wantAll(t, "the log", p.says(t, "a second signal ends it at once"), "limit=1h")
			p.signal(t, syscall.SIGHUP)
			p.says(t, "SIGHUP is ignored: the agent is stopping")
			p.signal(t, second)
			if code := p.exit(t); code != -1 {
				t.Errorf("exit code %d, want the end by a signal", code)
			}
			if got := p.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(); got != second {
				t.Errorf("ended by %v, want %v", got, second)
			}
		})
	}
}

// TestInterrupt: Ctrl-C is a clean stop, too.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	p := startAgent(t, plain)
	p.signal(t, syscall.SIGINT)
	if code := p.exit(t); code != exitOK {
		t.Errorf("exit code %d, want 0", code)
	}
}

// TestLogIsClosed: an agent whose log nobody reads any more, as behind a pager that
// was left, goes on.
func TestLogIsClosed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a.conf"), change(plain, "= logger", "= file_roll\na1.sinks.k1.sink.directory = ."))
	cmd := exec.Command(binary, "agent", "-n", "a1", "-f", "a.conf")
	cmd.Dir = dir
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(limit, func() { cmd.Process.Kill() }) //nolint:errcheck // it may have ended
	defer timer.Stop()
	var addr string
	for lines := bufio.NewScanner(log); addr == "" && lines.Scan(); {
		if m := address.FindStringSubmatch(lines.Text()); m != nil {
			addr = m[1]
		}
	}
	log.Close()
	conn := dial(t, addr)
	send(t, conn, "first")
	// This is logged, to nobody.
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if got := converse(t, addr, strings.Repeat("x", 1000)+"\n"); !strings.Contains(got, "exceeds") {
		t.Errorf("answer %q to a long line", got)
	}
	send(t, conn, "second")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the agent ended with %v", err)
	}
	if got := contents(t, dir); !strings.HasSuffix(got, "first\nsecond\n") && !strings.HasPrefix(got, "first\nsecond\n") {
		t.Errorf("the files have %q", got)
	}
}
