// Package roles holds what the benchmark program does when it starts itself
// again: load generators, the bare programs that agents are compared with, and
// users of the durable log. Each is a process of its own, so that none shares a
// scheduler, a heap or a poller with another.
//
// Roles speak with the one who started them in lines: those that do a piece of
// work say "ready", begin when told "go", and say when it is done, with what they
// measured as JSON where they measure. All end when their standard input does, so
// that none outlives a benchmark that was killed.
package roles

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"syscall"
)

// Role is one thing the benchmark program can be started as.
type Role struct {
	Name string
	// Run does the work until it is done or ctx ends.
	Run func(ctx context.Context, args []string, std Streams) error
}

// Streams are a role's connections to the one who started it.
type Streams struct {
	In  *bufio.Reader
	Out io.Writer
}

// All are the roles there are.
var All = []Role{
	{Name: "load", Run: load},
	{Name: "bare", Run: bare},
	{Name: "hold", Run: hold},
	{Name: "puts", Run: puts},
	{Name: "stage", Run: stage},
	{Name: "drain", Run: drain},
	{Name: "scan", Run: scan},
	{Name: "relay", Run: relay},
	{Name: "copy", Run: copyFiles},
	{Name: "look", Run: look},
	{Name: "receive", Run: receive},
	{Name: "forward", Run: forward},
	{Name: "pour", Run: pour},
}

// Dispatch runs the role that args name and reports true, or reports false when
// they name none. The caller ends the process with the exit code.
func Dispatch(args []string) (code int, ok bool) {
	if len(args) == 0 {
		return 0, false
	}
	for _, role := range All {
		if role.Name == args[0] {
			return run(role, args[1:]), true
		}
	}
	return 0, false
}

func run(role Role, args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	stopProfile, err := profile(role.Name)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", role.Name, err)
		return 1
	}
	defer stopProfile()
	std := Streams{In: bufio.NewReader(os.Stdin), Out: os.Stdout}
	if err := role.Run(ctx, args, std); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintf(os.Stderr, "%s: %v\n", role.Name, err)
		if errors.Is(err, flag.ErrHelp) {
			return 2
		}
		return 1
	}
	return 0
}

// ProfileDir is the environment variable that names a directory for processor profiles of the roles; none are
// made without it.
const ProfileDir = "FLUMEBENCH_PROFILE"

// profile begins a profile if one is wanted and returns the function that ends it.
func profile(role string) (func(), error) {
	dir := os.Getenv(ProfileDir)
	if dir == "" {
		return func() {}, nil
	}
	f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%s-%d.pprof", role, os.Getpid())))
	if err != nil {
		return nil, fmt.Errorf("starting a profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("starting a profile: %w", err), f.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}, nil
}

// awaitGo says "ready" and waits to be told "go".
func (s Streams) awaitGo() error {
	if _, err := fmt.Fprintln(s.Out, "ready"); err != nil {
		return fmt.Errorf("saying ready: %w", err)
	}
	line, err := s.In.ReadString('\n')
	if err != nil {
		return fmt.Errorf("waiting for the word go: %w", err)
	}
	if line != "go\n" {
		return fmt.Errorf("heard %q where %q was expected", line, "go")
	}
	return nil
}

// untilEnd returns a context that ends with ctx or when standard input does.
// Nothing else may read from it any more.
func (s Streams) untilEnd(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		io.Copy(io.Discard, s.In) // an error is an end too
		cancel()
	}()
	return ctx, cancel
}
