package harness

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// stopGrace is how long a process may take to end after SIGTERM. Java Flume's own limit is 10 seconds.
const stopGrace = 20 * time.Second

// logTail bounds what a failed test prints of a process's output.
const logTail = 64 << 10

// Process is a running child. Its methods may be called by several goroutines at once.
type Process struct {
	name string
	cmd  *exec.Cmd
	out  output
	done chan struct{} // closed once the process has been waited for
}

// output collects what a process writes to its standard output and error.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// command is what start runs.
type command struct {
	name  string // in messages
	dir   string // working directory
	env   []string
	stdin string
	argv  []string
}

// start runs a command, with env added to the test's environment, and stops it when the test ends.
func start(t testing.TB, c command) *Process {
	t.Helper()
	p := &Process{name: c.name, cmd: exec.Command(c.argv[0], c.argv[1:]...), done: make(chan struct{})}
	p.cmd.Dir = c.dir
	p.cmd.Env = append(os.Environ(), c.env...)
	p.cmd.Stdin = strings.NewReader(c.stdin)
	p.cmd.Stdout = &p.out
	p.cmd.Stderr = &p.out
	// A child of the child that outlives it (exec source) may hold the output open: do not wait for it.
	p.cmd.WaitDelay = 2 * time.Second
	if err := StartChild(p.cmd); err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	go func() {
		defer close(p.done)
		// The exit status is read from ProcessState; an error of waiting adds nothing to it.
		_ = WaitChild(p.cmd)
	}()
	t.Cleanup(func() {
		p.Stop(t)
		if t.Failed() {
			t.Logf("output of %s:\n%s", c.name, tail(p.Output(), logTail))
		}
	})
	return p
}

// Output returns what the process has written so far.
func (p *Process) Output() string { return p.out.String() }

// Exited says whether the process has ended.
func (p *Process) Exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Wait waits for the process to end by itself and returns its exit status. It fails the test when that
// takes longer than limit.
func (p *Process) Wait(t testing.TB, limit time.Duration) int {
	t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(limit):
		t.Fatalf("%s still runs after %v", p.name, limit)
		return -1
	}
}

// Hangup sends SIGHUP.
func (p *Process) Hangup(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatalf("sending SIGHUP to %s: %v", p.name, err)
	}
}

// Stop asks the process to end and waits for it; a process that does not listen is killed and fails the
// test. Stopping twice is harmless.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	if p.Exited() {
		return
	}
	// Failing to signal means the process has just ended, which is what is waited for.
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(stopGrace):
		_ = killGroup(p.Pid())
		<-p.done
		t.Errorf("%s did not stop within %v and was killed", p.name, stopGrace)
	}
}

// tail returns at most the last n bytes of s.
func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return "…" + s[len(s)-n:]
}
