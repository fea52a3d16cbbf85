// Package proc runs the programs that are measured, and reads from the system
// how much processor time and memory they took.
//
// A program is started with its output in a file, is spoken to through its
// standard input and output if it wants that, and is always ended by the one
// who started it, through its own process and never by name.
package proc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Spec says what to start.
type Spec struct {
	Name string   // for messages: "flume", "bare"
	Path string   // executable
	Args []string // arguments after it
	Dir  string   // working directory
	Log  string   // file that receives standard error and, without Talk, standard output
	// Talk connects Say to the program's standard input and Hear to the lines
	// of its standard output.
	Talk bool
	// Cores are the numbers of those that the program may use; all without.
	Cores []int
}

// Process is a running program. Its methods may be called concurrently, except
// Say and Hear, which are for one caller each.
type Process struct {
	spec    Spec
	cmd     *exec.Cmd
	in      io.WriteCloser
	heard   chan string   // closed when standard output ends
	ended   chan struct{} // closed once the program was waited for
	waitErr error         // valid after ended
}

// maxHeard is how many lines a talking program may be ahead of Hear. The roles
// of this benchmark say three in their life.
const maxHeard = 64

// Start starts the program. When ctx ends the program is killed; call Stop to
// end it kindly and in any case before looking at its output.
func Start(ctx context.Context, spec Spec) (*Process, error) {
	log, err := os.OpenFile(spec.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", spec.Name, err)
	}
	defer log.Close() // the program has its own copy
	p := &Process{spec: spec, ended: make(chan struct{}), heard: make(chan string, maxHeard)}
	p.cmd = exec.CommandContext(ctx, spec.Path, spec.Args...)
	p.cmd.Dir = spec.Dir
	p.cmd.Stdout, p.cmd.Stderr = log, log
	// Grandchildren that keep the output open must not keep us waiting.
	p.cmd.WaitDelay = 5 * time.Second

	var out io.ReadCloser
	if spec.Talk {
		p.cmd.Stdout = nil
		if out, err = p.cmd.StdoutPipe(); err != nil {
			return nil, fmt.Errorf("connecting to the output of %s: %w", spec.Name, err)
		}
		if p.in, err = p.cmd.StdinPipe(); err != nil {
			return nil, fmt.Errorf("connecting to the input of %s: %w", spec.Name, err)
		}
	}
	if err := onCores(spec.Cores, p.cmd.Start); err != nil {
		return nil, fmt.Errorf("starting %s: %w", spec.Name, err)
	}
	go p.attend(out)
	return p, nil
}

// attend passes on what the program says and waits for its end. The pipe must
// be read to its end before Wait, which closes it.
func (p *Process) attend(out io.Reader) {
	defer close(p.ended)
	if out != nil {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			select {
			case p.heard <- lines.Text():
			default: // nobody listens; the program must not be held up
			}
		}
	}
	close(p.heard)
	p.waitErr = p.cmd.Wait()
}

// PID is the number the system knows the program by.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended is closed when the program has ended, for whatever reason.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Say writes a line to the program's standard input.
func (p *Process) Say(line string) error {
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		return fmt.Errorf("telling %s %q: %w", p.spec.Name, line, err)
	}
	return nil
}

// Hear returns the next line of the program's standard output.
func (p *Process) Hear(ctx context.Context) (string, error) {
	select {
	case line, ok := <-p.heard:
		if !ok {
			<-p.ended
			return "", p.Failure()
		}
		return line, nil
	case <-ctx.Done():
		return "", fmt.Errorf("waiting for %s to speak: %w", p.spec.Name, ctx.Err())
	}
}

// Expect hears one line and checks its first word. It returns the rest.
func (p *Process) Expect(ctx context.Context, word string) (string, error) {
	line, err := p.Hear(ctx)
	if err != nil {
		return "", err
	}
	first, rest, _ := strings.Cut(line, " ")
	if first != word {
		return "", fmt.Errorf("%s said %q where %q was expected", p.spec.Name, line, word)
	}
	return rest, nil
}

// Failure is the error to report for a program that ended by itself while it
// was needed: how it ended and the last of what it logged.
func (p *Process) Failure() error {
	how := "it exited"
	if p.waitErr != nil {
		how = p.waitErr.Error()
	}
	return fmt.Errorf("%s ended early: %s; its last output:\n%s", p.spec.Name, how, tail(p.spec.Log, 2000))
}

// Stop asks the program to end, kills it after grace, and returns once it is
// gone. The error is about a program that had to be killed or had failed
// before; how a program ends when asked to is its own business.
func (p *Process) Stop(grace time.Duration) error {
	select {
	case <-p.ended:
		if p.waitErr != nil {
			return p.Failure()
		}
		return nil
	default:
	}
	if p.in != nil {
		p.in.Close() // a role that listens takes this as the end
	}
	err := p.cmd.Process.Signal(syscall.SIGTERM)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping %s: %w", p.spec.Name, err)
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.ended:
		return nil
	case <-timer.C:
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("killing %s: %w", p.spec.Name, err)
	}
	<-p.ended
	return fmt.Errorf("%s did not end within %s of being asked to and was killed", p.spec.Name, grace)
}

// Kill ends the program as a crash would, without a word, and returns once it is gone.
func (p *Process) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("killing %s: %w", p.spec.Name, err)
	}
	<-p.ended
	return nil
}

// tail returns about the last limit bytes of a file, or what is wrong with it.
func tail(path string, limit int64) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > limit {
		if _, err := f.Seek(-limit, io.SeekEnd); err != nil {
			return err.Error()
		}
	}
	b, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b))
}
