package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// limit is how long a test waits for what must happen.
const limit = 15 * time.Second

// binary is the program as users get it, which TestMain builds.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(buildAndTest(m))
}

func buildAndTest(m *testing.M) int {
	dir, err := os.MkdirTemp("", "flume-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, "making a directory for the program:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "flume")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the program: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// process is a running program. Its methods are safe for concurrent use.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended

	mu     sync.Mutex
	output bytes.Buffer  // standard output and error
	more   chan struct{} // closed and replaced when output grows
}

// Write implements io.Writer for the program's output.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.more)
	p.more = make(chan struct{})
	return p.output.Write(b)
}

func (p *process) read() (output string, more <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String(), p.more
}

// start runs the program in dir until it ends by itself or the test does. Whatever
// the test is about, the program must not have crashed.
func start(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(binary, args...), done: make(chan struct{}), more: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, p, p
	p.cmd.WaitDelay = time.Second // what an exec source left behind may hold the output open
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		p.cmd.Wait() //nolint:errcheck // ProcessState says more
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill() //nolint:errcheck // it may have ended
		<-p.done
		output, _ := p.read()
		noTrace(t, output)
		if t.Failed() {
			t.Logf("output of flume %s:\n%s", strings.Join(args, " "), tail(output))
		}
	})
	return p
}

func tail(s string) string { return s[max(0, len(s)-16<<10):] }

// noTrace checks that output is meant for people.
func noTrace(t *testing.T, output string) {
	t.Helper()
	for _, trace := range []string{"goroutine ", "panic", "runtime error"} {
		if strings.Contains(output, trace) {
			t.Errorf("the output has %q:\n%s", trace, tail(output))
		}
	}
}

// startAgent runs agent a1 of a configuration with its health on a port of its own,
// and waits until it is up.
func startAgent(t *testing.T, conf string, args ...string) *process {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a.conf"), conf)
	p := start(t, dir, append([]string{
		"agent", "-n", "a1", "-f", "a.conf",
		"-Dflume.monitoring.type=http", "-Dflume.monitoring.bind=127.0.0.1", "-Dflume.monitoring.port=0",
	}, args...)...)
	p.says(t, "agent is up")
	return p
}

// says waits until the program has written text and returns the line it is in.
func (p *process) says(t *testing.T, text string) string {
	t.Helper()
	return p.saysTimes(t, text, 1)
}

// saysTimes waits until n lines have text and returns the n-th.
func (p *process) saysTimes(t *testing.T, text string, n int) string {
	t.Helper()
	deadline := time.After(limit)
	for {
		output, more := p.read()
		if lines := grep(output, text); len(lines) >= n {
			return lines[n-1]
		}
		select {
		case <-more:
		case <-p.done:
			if output, _ = p.read(); len(grep(output, text)) < n {
				t.Fatalf("flume ended (%v) without saying %q %d times", p.cmd.ProcessState, text, n)
			}
		case <-deadline:
			t.Fatalf("flume did not say %q %d times", text, n)
		}
	}
}

// grep returns the complete lines with text.
func grep(output, text string) (lines []string) {
	for line := range strings.Lines(output) {
		if strings.HasSuffix(line, "\n") && strings.Contains(line, text) {
			lines = append(lines, line)
		}
	}
	return lines
}

// exit waits for the end of the program and returns its exit code, -1 if a signal
// ended it.
func (p *process) exit(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(limit):
		t.Fatal("flume does not end")
		return 0
	}
}

var address = regexp.MustCompile(`address=(\S+)`)

// address returns where a source listens: "[source r1] listening".
func (p *process) address(t *testing.T, what string) string {
	t.Helper()
	line := p.says(t, what)
	m := address.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("no address in %q", line)
	}
	return m[1]
}

// runFlume runs a command to its end and returns what it wrote.
func runFlume(t *testing.T, dir string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return runCommand(t, dir, binary, args...)
}

func runCommand(t *testing.T, dir, path string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("flume %s does not end:\n%s%s", strings.Join(args, " "), tail(out.String()), tail(errs.String()))
	}
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	noTrace(t, out.String()+errs.String())
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// plain is an agent that is right: lines on a port go to a sink.
const plain = `a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = 0
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.sinks.k1.type = logger
a1.sinks.k1.channel = c1
`

// change returns conf with each old text replaced by the new one that follows it.
// Text that is not there is a mistake of the test.
func change(conf string, oldNew ...string) string {
	for i := 0; i < len(oldNew); i += 2 {
		if !strings.Contains(conf, oldNew[i]) {
			panic(fmt.Sprintf("%q is not in the configuration", oldNew[i]))
		}
		conf = strings.Replace(conf, oldNew[i], oldNew[i+1], 1)
	}
	return conf
}
