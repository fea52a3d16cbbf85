// Package scenario holds the pieces of work that agents are measured at, one
// file each, and the runner that repeats them.
//
// A Scenario names the programs that can do its work and measures one of them
// once. The runner does the rest: it gives each run an empty directory and free
// ports, lets the programs take turns, changes the order from round to round,
// and condenses the samples. To add a scenario, write a file with a
// constructor like TCPLines and list it in All.
package scenario

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/flume-go/flume/bench/proc"
)

// Names of the two programs every scenario knows.
const (
	Flume = "flume"
	Bare  = "bare"
)

// Scenario is one piece of work.
type Scenario struct {
	Name     string
	Summary  string // one sentence for the report
	Programs []Program
	Goals    []Goal
	Limit    time.Duration // longest time that one run, or Prepare, may take
	Base     string        // the program that ratios are to; "" for the bare one
	Beside   string        // another program that the agent's first measure is compared with in a remark
	Memory   int64         // bytes of memory that each run is to find at hand: what it leaves in the page cache
	Apart    bool          // the load generator has a core of its own: see Run.cores
	Block    bool          // bare programs work with Settings.Block, which has to be tried out
	// Prepare makes what all runs share, once, in a directory of its own that is removed after the last
	// run. It returns remarks for the report. It may be nil.
	Prepare func(ctx context.Context, r *Run) (remarks []string, err error)
	// Measure does the work once. The run's directory is removed afterwards.
	Measure func(ctx context.Context, r *Run) (Sample, error)
}

// Program is something that can do the work of a scenario.
type Program struct {
	Name string
	// Blind programs do not keep lines whole: of their output only size and
	// number of lines can be checked.
	Blind bool
	// Spec writes whatever configuration the program needs into the run's
	// directory and says how to start it.
	Spec func(r *Run) (proc.Spec, error)
	// Front, where a program has two processes, says how to start the one that takes the load and passes it on
	// to that of Spec. Nil for all others.
	Front func(r *Run) (proc.Spec, error)
}

// Settings hold for all scenarios of one invocation.
type Settings struct {
	Flume string // the agent's executable; empty to measure the bare program alone
	Self  string // the executable that has the roles: this program's own
	Dir   string // where runs have their directories
	Runs  int    // repetitions of each measurement
	Conns int    // connections that carry load
	Lines int    // lines of a run; 0 for the scenario's own number
	Idle  int    // idle connections of the connections scenario, and idle files
	Block int    // buffer size of the bare program, bytes
	// Backlog is the size of what is staged to be opened and read, bytes.
	Backlog int64
	// Settle has earlier output written to disk before each run, and memory brought in. It can take
	// long on a machine where others write, and matters only to figures.
	Settle bool
	// Log is told what is being done, for people who wait.
	Log func(format string, args ...any)
}

// All are the scenarios, in the order they run, except those of Inputs and those that need much space and time or other programs.
func All(s Settings) []Scenario {
	return []Scenario{
		TCPLines(s, 512),
		TCPLines(s, 150),
		Idle(s),
		Connections(s),
		Puts(100, 1),
		Puts(100, 8),
		Puts(1000, 1),
		Puts(1000, 8),
		SinglePuts(),
		EncryptedPuts(),
		DurableLines(s),
		AnsweredLines(s),
	}
}

// Inputs are the scenarios of sources for files, syslog and HTTP.
func Inputs(s Settings) []Scenario {
	return []Scenario{
		Tail(s, 1),
		Tail(s, 100),
		DurableTail(s),
		IdleFiles(s),
		SyslogLines(s, 512),
		SyslogLines(s, 200),
		DurableSyslog(s),
		Posts(s, 512),
		Posts(s, 128),
		DurablePosts(s),
	}
}

// Hops are the scenarios of two agents of which one passes events on to the other.
func Hops(s Settings) []Scenario {
	return []Scenario{
		Hop(s, "avro", 100),
		Hop(s, "avro", 1000),
		Hop(s, "thrift", 100),
		Hop(s, "thrift", 1000),
		SecureHop(s, 1000),
		DurableHop(s, 1000),
	}
}

// Large are the scenarios with a backlog of Settings.Backlog bytes.
func Large(s Settings) []Scenario {
	return []Scenario{Backlog(s), StagedChannel(s)}
}

// Metric is a quantity that samples have values of.
type Metric struct {
	Name string
	Unit string
}

// Sample is what one run of one program measured.
type Sample []Value

// Value is one quantity of a sample.
type Value struct {
	Metric Metric
	Value  float64
}

// Goal is a promise about the agent. Exactly one bound is set.
type Goal struct {
	Metric Metric
	Ratio  float64 // least ratio to the bare program
	AtMost float64 // largest value
}

// Run is one repetition with one program.
type Run struct {
	Settings
	Program    Program
	Dir        string // empty at the start, removed at the end
	Shared     string // what Prepare made; the same for all runs of a scenario
	Port       int    // free, for the program to listen on
	Monitoring int    // free, for its HTTP monitoring
	Next       int    // free, for the second process of a program to listen on
	Beside     int    // free, for the second process of a bare program to listen on for what is no line
	Apart      bool   // as the scenario says
}

// Addr is where the program listens.
func (r *Run) Addr() string { return fmt.Sprintf("127.0.0.1:%d", r.Port) }

// NextAddr is where the second process of a program listens.
func (r *Run) NextAddr() string { return fmt.Sprintf("127.0.0.1:%d", r.Next) }

// Out is the directory that the program's output goes to.
func (r *Run) Out() string { return filepath.Join(r.Dir, "out") }

// WriteConfig puts a configuration file into the run's directory and returns
// its path.
func (r *Run) WriteConfig(name, text string) (string, error) {
	path := filepath.Join(r.Dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return "", fmt.Errorf("writing a configuration: %w", err)
	}
	return path, nil
}

// Start starts the program under measurement.
func (r *Run) Start(ctx context.Context) (*proc.Process, error) {
	spec, err := r.Program.Spec(r)
	if err != nil {
		return nil, err
	}
	spec.Name, spec.Dir, spec.Log = r.Program.Name, r.Dir, filepath.Join(r.Dir, r.Program.Name+".log")
	if spec.Cores, _, err = r.cores(); err != nil {
		return nil, err
	}
	return proc.Start(ctx, spec)
}

// cores divides the cores between the program and its load: the last one is the load's where they are to be apart. Nil stands for all.
func (r *Run) cores() (program, load []int, err error) {
	if !r.Apart {
		return nil, nil, nil
	}
	all, err := proc.Cores()
	if err != nil {
		return nil, nil, err
	}
	last := len(all) - 1
	if last == 0 {
		return nil, nil, errors.New("there is one core: clients cannot have one to themselves")
	}
	return all[:last], all[last:], nil
}

// StartRole starts this program again in one of its roles.
func (r *Run) StartRole(ctx context.Context, role string, args ...string) (*proc.Process, error) {
	_, cores, err := r.cores()
	if err != nil {
		return nil, err
	}
	return proc.Start(ctx, proc.Spec{
		Name: role, Path: r.Self, Args: append([]string{role}, args...),
		Dir: r.Dir, Log: filepath.Join(r.Dir, role+".log"), Talk: true, Cores: cores,
	})
}

// flume is the agent, started with Apache Flume's command line. conf writes
// the agent's properties for a run; the agent's name is a1.
func flume(conf func(r *Run) string, options ...func(r *Run) string) Program {
	return Program{Name: Flume, Spec: func(r *Run) (proc.Spec, error) {
		path, err := r.WriteConfig("flume.conf", conf(r))
		if err != nil {
			return proc.Spec{}, err
		}
		args := []string{"agent", "-n", "a1", "-c", r.Dir, "-f", path}
		for _, option := range options {
			args = append(args, option(r))
		}
		return proc.Spec{Path: r.Flume, Args: args}, nil
	}}
}

// bare is the program without anything between input and output. A block of 0
// is the size found to be the fastest.
func bare(block int) Program {
	return Program{Name: Bare, Blind: true, Spec: func(r *Run) (proc.Spec, error) {
		size := block
		if size == 0 {
			size = r.Block
		}
		return proc.Spec{Path: r.Self, Talk: true, Args: []string{
			Bare, "-listen", r.Addr(), "-out", filepath.Join(r.Out(), "bare"), "-block", fmt.Sprint(size),
		}}, nil
	}}
}

// role is this program again, in a role that is the work itself.
func role(name, role string, args ...string) Program {
	return Program{Name: name, Blind: true, Spec: func(r *Run) (proc.Spec, error) {
		return proc.Spec{Path: r.Self, Talk: true, Args: append([]string{role}, args...)}, nil
	}}
}

// programs are the agent, where there is one, and its companions.
func programs(s Settings, agent Program, others ...Program) []Program {
	if s.Flume == "" {
		return others
	}
	return append([]Program{agent}, others...)
}
