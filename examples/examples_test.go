//go:build examples

package examples

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Limits of one example. They are far above what is needed on an idle machine.
const (
	readyWithin   = 20 * time.Second
	deliverWithin = 20 * time.Second
	stopWithin    = 30 * time.Second
	every         = 20 * time.Millisecond
)

// atOnce is how many examples run at one time.
const atOnce = 2

// TestExamples starts an agent with each example, waits until it is ready, sends
// it input where it takes lines, waits for that to come out, and stops it.
func TestExamples(t *testing.T) {
	binary := build(t)
	slots := make(chan struct{}, atOnce)
	for _, file := range configurations(t) {
		t.Run(strings.TrimPrefix(filepath.ToSlash(file), "../"), func(t *testing.T) {
			t.Parallel()
			slots <- struct{}{}
			defer func() { <-slots }()
			run(t, binary, file)
		})
	}
}

// build makes the program as make build does.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "flume")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../cmd/flume")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building flume: %v\n%s", err, out)
	}
	return binary
}

// configurations returns the files of this folder and of all components.
func configurations(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"*.conf", "*/*.conf", "../*/*/example.conf"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 10 {
		t.Fatalf("only %d configurations were found: %v", len(files), files)
	}
	return files
}

func run(t *testing.T, binary, file string) {
	x := prepare(t, file)
	a := start(t, binary, x)
	a.waitReady(t)

	var sent []string
	for _, in := range x.inputs {
		sent = append(sent, in.send(t, a)...)
	}
	a.waitDelivered(t, x, len(sent))
	a.stop(t)

	if strings.Count(a.log.String(), "undelivered_lost=0") != 1 {
		t.Errorf("the log does not say that nothing was lost:\n%s", &a.log)
	}
	if !x.readable() {
		return
	}
	out := x.output(t) + a.log.String()
	for _, line := range sent {
		if !strings.Contains(out, line) {
			t.Fatalf("line %q was acknowledged and is not in the output:\n%s", line, out)
		}
	}
}

// process is a running agent.
type process struct {
	cmd     *exec.Cmd
	log     buffer
	metrics string        // base URL of its HTTP reporter
	ended   chan struct{} // closed when it has ended
	err     error         // how; read after ended
}

func start(t *testing.T, binary string, x *example) *process {
	t.Helper()
	port := freePort(t)
	p := &process{metrics: fmt.Sprintf("http://127.0.0.1:%d", port), ended: make(chan struct{})}
	p.cmd = exec.Command(binary, "agent", "-n", "a1", "-f", x.file, "-f", x.override,
		"-Dflume.monitoring.type=http", fmt.Sprintf("-Dflume.monitoring.port=%d", port))
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
	})
	return p
}

// poll calls done until it says so. It fails the test when the agent ends or
// takes too long.
func (p *process) poll(t *testing.T, within time.Duration, what string, done func(context.Context) (bool, string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		ok, state := done(ctx)
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-p.ended:
			t.Fatalf("waiting for the agent %s: it ended: %v\n%s", what, p.err, &p.log)
		case <-ctx.Done():
			t.Fatalf("waiting for the agent %s: not within %v: %s\n%s", what, within, state, &p.log)
		}
	}
}

// stop sends SIGTERM, after which the agent has to end by itself, with code 0.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.ended:
	case <-time.After(stopWithin):
		t.Fatalf("the agent did not stop within %v\n%s", stopWithin, &p.log)
	}
	if p.err != nil {
		t.Errorf("the agent ended: %v\n%s", p.err, &p.log)
	}
}

// buffer is the log of a process. Safe for concurrent use.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String returns what was written so far.
func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// readFiles returns the content of all files below dir.
func readFiles(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
