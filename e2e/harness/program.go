package harness

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Program is the command line of any program that a test runs beside the agents: a web server, a client.
type Program struct {
	Name  string // in messages; the program's own if empty
	Argv  []string
	Dir   string // working directory; an empty one if not given
	Env   []string
	Stdin string
}

// StartProgram starts a program, which is stopped when the test ends. That a program is not installed fails
// the test: setup.sh, which it runs first, installs all of them.
func StartProgram(t testing.TB, p Program) *Process {
	t.Helper()
	p = p.complete(t)
	return start(t, command{name: p.Name, dir: p.Dir, env: p.Env, stdin: p.Stdin, argv: p.Argv})
}

// RunProgram runs a program to its end and returns what it wrote, errors included, and its exit status.
// For programs that a test runs many times: nothing is kept of them.
func RunProgram(t testing.TB, p Program) (output string, status int) {
	t.Helper()
	p = p.complete(t)
	cmd := exec.CommandContext(t.Context(), p.Argv[0], p.Argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdin = p.Dir, append(os.Environ(), p.Env...), strings.NewReader(p.Stdin)
	out, err := RunChild(cmd)
	if cmd.ProcessState == nil {
		t.Fatalf("running %s: %v", p.Name, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// StartJavaClient starts one of the programs in e2e/java, which is stopped when the test ends.
func StartJavaClient(t testing.TB, main string, args ...string) *Process {
	t.Helper()
	return startJava(t, "java "+main, "flume", launch{main: main, args: args})
}

// Tools makes sure that the programs that setup.sh installs are there.
func Tools(t testing.TB) {
	t.Helper()
	if _, err := cache(); err != nil {
		t.Fatal(err)
	}
}

// Signal sends a signal.
func (p *Process) Signal(t testing.TB, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("sending %v to %s: %v", s, p.name, err)
	}
}

// complete finds the program and fills in what was left out.
func (p Program) complete(t testing.TB) Program {
	t.Helper()
	path := Tool(t, p.Argv[0])
	if p.Name == "" {
		p.Name = p.Argv[0]
	}
	if p.Dir == "" {
		p.Dir = t.TempDir()
	}
	p.Argv = append([]string{path}, p.Argv[1:]...)
	return p
}
