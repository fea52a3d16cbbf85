// Flumebench measures a built Flume agent beside a bare program that does the
// same input and output with nothing between, and writes a table of ratios.
//
//	flumebench [flags]          the agent and the bare program, in all scenarios
//	flumebench peers [flags]    tcp-lines with rsyslog and syslog-ng as well, where installed
//
// The words load, bare and hold start it in a role of a running benchmark and
// are not for people.
//
// It ends with 0 when all that was asked for could be measured and no line was
// lost, 1 when not, and 2 when used wrongly. A goal that was missed is marked
// in the table and is no error: goals are set for a quiet machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/flume-go/flume/bench/report"
	"github.com/flume-go/flume/bench/roles"
	"github.com/flume-go/flume/bench/scenario"
)

func main() {
	if code, ok := roles.Dispatch(os.Args[1:]); ok {
		os.Exit(code)
	}
	os.Exit(run(os.Args[1:]))
}

// options are the command line.
type options struct {
	settings scenario.Settings
	peers    bool
	only     *regexp.Regexp
	json     bool
	micro    bool
	root     string
	timeout  time.Duration
}

func run(args []string) int {
	opts, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "flumebench:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, opts.timeout)
	defer cancel()

	result, err := measure(ctx, opts)
	if err != nil {
		fmt.Fprintln(os.Stderr, "flumebench:", err)
		return 1
	}
	result.Command = strings.Join(append([]string{"go run ./bench/cmd/flumebench"}, args...), " ")
	write := result.WriteMarkdown
	if opts.json {
		write = result.WriteJSON
	}
	if err := write(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "flumebench:", err)
		return 1
	}
	if result.Failed() {
		return 1
	}
	return 0
}

func parse(args []string) (options, error) {
	var o options
	if len(args) > 0 && args[0] == "peers" {
		o.peers, args = true, args[1:]
	}
	s := &o.settings
	flags := flag.NewFlagSet("flumebench", flag.ContinueOnError)
	flags.StringVar(&s.Flume, "flume", "bin/flume", "the agent's `executable`; empty measures without it")
	flags.StringVar(&s.Dir, "dir", os.TempDir(), "`directory` for output; its file system is part of what is measured")
	flags.IntVar(&s.Runs, "runs", 3, "repetitions of each measurement, at least 1; fewer than 3 are no median")
	flags.IntVar(&s.Conns, "conns", 4, "TCP connections that carry load")
	flags.IntVar(&s.Lines, "lines", 0, "lines in each run of tcp-lines; 0 for 3 GiB of them")
	flags.IntVar(&s.Idle, "idle", 10000, "idle connections in the connections scenario")
	flags.IntVar(&s.Block, "block", 0, "buffer of the bare program in `bytes`; 0 tries several and takes the fastest")
	only := flags.String("run", "", "measure scenarios whose name matches this `regexp`")
	flags.BoolVar(&o.json, "json", false, "write JSON with all samples instead of a table")
	flags.BoolVar(&o.micro, "micro", true, "run the in-process benchmarks too")
	flags.StringVar(&o.root, "root", ".", "`directory` of the module, for the in-process benchmarks")
	flags.DurationVar(&o.timeout, "timeout", 40*time.Minute, "longest time for everything")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	if o.only, err = regexp.Compile(*only); err != nil {
		return o, fmt.Errorf("-run: %w", err)
	}
	return o, complete(flags, s)
}

// complete checks what flags cannot and makes paths absolute, because programs
// run in directories of their own.
func complete(flags *flag.FlagSet, s *scenario.Settings) error {
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; flags only, see -help", flags.Arg(0))
	}
	for name, value := range map[string]int{"runs": s.Runs, "conns": s.Conns, "idle": s.Idle} {
		if value < 1 {
			return fmt.Errorf("-%s %d: must be at least 1", name, value)
		}
	}
	if s.Lines < 0 || s.Block < 0 {
		return errors.New("-lines and -block: must not be negative")
	}
	if s.Flume != "" {
		if _, err := os.Stat(s.Flume); err != nil {
			return fmt.Errorf("finding the agent: %w; build it with make, name it with -flume, or leave it out with -flume=", err)
		}
	}
	var err error
	if s.Self, err = os.Executable(); err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	for _, path := range []*string{&s.Flume, &s.Dir} {
		if *path == "" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return fmt.Errorf("finding %s: %w", *path, err)
		}
	}
	s.Settle = true
	s.Log = func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
	return nil
}

// method says how the figures come about, for whoever reads only the table.
const method = `Every figure is the median of %d runs; spread is the distance between the smallest and the largest as a share of it. Programs take turns and
every other round goes backwards. Load generator, agent and bare program are separate processes on the same cores. Time runs from the first byte
until the output holds the last one. Nobody is asked to sync: output stays in the page cache, which is written out before each run; each
run starts with an empty directory. Every line of an agent's output is checked; of the bare program's, bytes and newlines are counted.`

func measure(ctx context.Context, o options) (*report.Report, error) {
	s := o.settings
	r := &report.Report{
		Machine: report.ThisMachine(s.Dir),
		Started: time.Now(),
		Method:  fmt.Sprintf(method, s.Runs),
	}
	if r.Machine.Busy() {
		r.Notes = append(r.Notes, "**other programs were busy before this run: repeat it on a quiet machine before quoting a figure**")
	}
	if s.Block == 0 {
		block, note, err := scenario.Calibrate(ctx, s)
		if err != nil {
			return nil, err
		}
		s.Block = block
		r.Notes = append(r.Notes, note)
	}
	scenarios := scenario.All(s)
	if o.peers {
		scenarios = withPeers(r, s)
	}
	for _, sc := range scenarios {
		if o.only.MatchString(sc.Name) {
			r.Notes = append(r.Notes, sc.Name+": "+sc.Summary)
			r.Results = append(r.Results, scenario.Execute(ctx, sc, s))
		}
	}
	if len(r.Results) == 0 {
		return nil, fmt.Errorf("-run %s: no scenario has such a name", o.only)
	}
	if o.micro && !o.peers {
		s.Log("in-process benchmarks")
		var err error
		if r.Micro, err = scenario.Micro(ctx, o.root); err != nil {
			// The agent was measured all the same, and that took long.
			r.Results = append(r.Results, report.Result{Scenario: "in-process", Error: err.Error()})
		}
	}
	return r, nil
}

// withPeers are the scenarios that other agents can do too.
func withPeers(r *report.Report, s scenario.Settings) []scenario.Scenario {
	var all []scenario.Scenario
	var names []string
	for _, length := range []int{512, 150} {
		sc, found := scenario.Peers(scenario.TCPLines(s, length))
		all, names = append(all, sc), found
	}
	if len(names) == 0 {
		names = []string{"none: install rsyslog or syslog-ng-core"}
	}
	r.Notes = append(r.Notes, "peers found: "+strings.Join(names, ", "))
	return all
}
