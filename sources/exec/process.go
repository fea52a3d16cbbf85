package exec

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// grace is how long a command has to end by itself: after it closed its output,
// and again after it was asked to end.
const grace = 3 * time.Second

// process is a running command with all the processes it has started, as far as
// the operating system keeps them together.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr *os.File // our ends of the pipes

	exited   chan struct{} // closed when the command itself has ended
	quiet    chan struct{} // closed when its output has
	quietNow sync.Once
	stopping sync.Once
	stopped  chan struct{} // closed when stop is done
}

// start starts a command with the environment and working directory of the agent.
func start(args []string) (*process, error) {
	outR, outW, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	defer outW.Close()
	errR, errW, err := os.Pipe()
	if err != nil {
		outR.Close()
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	defer errW.Close()
	cmd := exec.Command(args[0], args[1:]...) //nolint:noctx // ended by its group, see stop
	cmd.Stdout, cmd.Stderr = outW, errW
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		outR.Close()
		errR.Close()
		return nil, err
	}
	p := &process{
		cmd: cmd, stdout: outR, stderr: errR,
		exited: make(chan struct{}), quiet: make(chan struct{}), stopped: make(chan struct{}),
	}
	go func() {
		defer close(p.exited)
		cmd.Wait() //nolint:errcheck // ProcessState says more
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// status says how the command ended: "exit status 1", "signal: killed".
func (p *process) status() string { return p.cmd.ProcessState.String() }

// stop asks all the processes to end and, when they have not after grace, makes
// them. After that nobody waits any longer for what a process that got away from
// its group may still write. It returns when the command has ended; it may be
// called again.
func (p *process) stop() {
	p.stopping.Do(func() {
		defer close(p.stopped)
		terminate(p.cmd)
		if !p.waitEnd(grace) {
			kill(p.cmd)
			<-p.exited
		}
		p.stdout.SetReadDeadline(time.Now().Add(time.Second)) //nolint:errcheck // at worst the read ends later
	})
	<-p.stopped
}

// waitEnd waits for the end of the command and of its output.
func (p *process) waitEnd(most time.Duration) bool {
	timer := time.NewTimer(most)
	defer timer.Stop()
	for _, c := range []chan struct{}{p.exited, p.quiet} {
		select {
		case <-c:
		case <-timer.C:
			return false
		}
	}
	return true
}

// outputEnded is called when nothing is read from stdout any more, and returns
// when the command has ended: by itself, if it is given the time to.
func (p *process) outputEnded(wait bool) {
	p.quietNow.Do(func() { close(p.quiet) })
	if !wait || !p.waitEnd(grace) {
		p.stop()
	}
}

// close waits for the reader of stderr and closes our ends of the pipes. The
// command has ended.
func (p *process) close(stderr <-chan struct{}) {
	// What the command wrote is there already; processes it left behind may
	// keep the pipe open for ever.
	p.stderr.SetReadDeadline(time.Now().Add(time.Second)) //nolint:errcheck // at worst the read ends later
	<-stderr
	p.stderr.Close()
	p.stdout.Close()
}

// drain reads what the command writes to stderr, and logs it if configured.
func (s *source) drain(stderr io.Reader) {
	if !s.cfg.LogStdErr {
		io.Copy(io.Discard, stderr) //nolint:errcheck // nothing is kept
		return
	}
	lines := bufio.NewReaderSize(stderr, 8<<10)
	for {
		// A line longer than the buffer is logged in pieces.
		line, err := lines.ReadSlice('\n')
		if text := strings.TrimRight(string(line), "\r\n"); text != "" {
			s.log.Info("standard error of the command", "line", text)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}
