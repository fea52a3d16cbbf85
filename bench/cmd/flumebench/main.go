// Flumebench measures a built Flume agent beside a bare program that does the
// same input and output with nothing between, and writes a table of ratios.
//
//	flumebench [flags]          the agent, its parts and bare programs
//	flumebench inputs [flags]   sources for files, syslog and HTTP; a part of the first
//	flumebench hop [flags]      two agents, one passing events on to the other, beside Apache Flume too
//	flumebench large [flags]    the scenarios with a backlog of 10 GiB
//	flumebench peers [flags]    other agents beside ours, where installed
//	flumebench all [flags]      all of these but inputs and hop in one report
//
// Further words start it in a role of a running benchmark (package roles) and
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
	"slices"
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
	set      string // which scenarios
	only     *regexp.Regexp
	json     bool
	into     string // document to put the report into; "" for standard output
	section  string // of that document; "" for the one without a name
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
	if err := write(result, opts); err != nil {
		fmt.Fprintln(os.Stderr, "flumebench:", err)
		return 1
	}
	if result.Failed() {
		return 1
	}
	return 0
}

func write(result *report.Report, o options) error {
	switch {
	case o.into != "":
		return result.WriteInto(o.into, o.section)
	case o.json:
		return result.WriteJSON(os.Stdout)
	default:
		return result.WriteMarkdown(os.Stdout)
	}
}

func parse(args []string) (options, error) {
	o := options{set: "own"}
	if len(args) > 0 && slices.Contains([]string{"inputs", "hop", "large", "peers", "all"}, args[0]) {
		o.set, args = args[0], args[1:]
	}
	s := &o.settings
	flags := flag.NewFlagSet("flumebench", flag.ContinueOnError)
	flags.StringVar(&s.Flume, "flume", "bin/flume", "the agent's `executable`; empty measures without it")
	flags.StringVar(&s.Dir, "dir", os.TempDir(), "`directory` for output; its file system is part of what is measured")
	flags.IntVar(&s.Runs, "runs", 3, "repetitions of each measurement, at least 1; fewer than 3 are no median")
	flags.IntVar(&s.Conns, "conns", 4, "TCP connections that carry load")
	flags.IntVar(&s.Lines, "lines", 0, "lines in each run of the scenarios with lines; 0 for as many as each has, 3 GiB of them in tcp-lines")
	flags.IntVar(&s.Idle, "idle", 10000, "idle connections in the connections scenario, and idle files in tail-idle")
	flags.IntVar(&s.Block, "block", 0, "buffer of the bare program in `bytes`; 0 tries several and takes the fastest")
	flags.Int64Var(&s.Backlog, "backlog", 10<<30, "`bytes` of events that are staged in the large scenarios")
	only := flags.String("run", "", "measure scenarios whose name matches this `regexp`")
	flags.BoolVar(&o.json, "json", false, "write JSON with all samples instead of a table")
	flags.StringVar(&o.into, "into", "", "write the table into this `document`, between its marks <!-- bench --> and <!-- /bench -->")
	flags.StringVar(&o.section, "section", "", "with -into: between the marks <!-- bench `NAME` --> and <!-- /bench NAME --> instead")
	profiles := flags.String("profile", "", "write processor profiles of load generators, bare programs and users of the log into this `directory`; figures suffer")
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
	if *profiles != "" {
		dir, err := filepath.Abs(*profiles)
		if err != nil {
			return o, fmt.Errorf("-profile: %w", err)
		}
		if err := os.Setenv(roles.ProfileDir, dir); err != nil { // this program's roles inherit it
			return o, fmt.Errorf("-profile: %w", err)
		}
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
	if s.Backlog < 1<<20 {
		return fmt.Errorf("-backlog %d: must be at least 1 MiB", s.Backlog)
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
every other round goes backwards. Load generator, agent and bare program are separate processes on the same cores. Ratios are to the bare program
where no other is named. In the scenarios with lines time runs from the first byte until the output holds the last one; every line of an agent's output
is checked, of the bare program's bytes and newlines are counted. Only what the summary of a scenario calls durable or synced is: other output stays
in the page cache, which is written out before each run. Each run starts with an empty directory.`

// microOf are the in-process benchmarks that end the report of a set.
var microOf = map[string]scenario.Benchmarks{
	"own": scenario.OwnBenchmarks, "all": scenario.OwnBenchmarks, "hop": scenario.HopBenchmarks,
}

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
	chosen, err := choose(r, o)
	if err != nil {
		return nil, err
	}
	if s.Block == 0 && slices.ContainsFunc(chosen, func(sc scenario.Scenario) bool { return sc.Block }) {
		block, note, err := scenario.Calibrate(ctx, s)
		if err != nil {
			return nil, err
		}
		s.Block = block
		r.Notes = append(r.Notes, note)
		if chosen, err = choose(new(report.Report), options{settings: s, set: o.set, only: o.only}); err != nil {
			return nil, err
		}
	}
	for _, sc := range chosen {
		r.Notes = append(r.Notes, sc.Name+": "+sc.Summary)
		r.Results = append(r.Results, scenario.Execute(ctx, sc, s))
	}
	if benchmarks, ok := microOf[o.set]; ok && o.micro {
		s.Log("in-process benchmarks")
		if r.Micro, err = scenario.Micro(ctx, o.root, benchmarks); err != nil {
			// The agent was measured all the same, and that took long.
			r.Results = append(r.Results, report.Result{Scenario: "in-process", Error: err.Error()})
		}
	}
	return r, nil
}

// choose returns the scenarios that were asked for, and notes which other agents are there.
func choose(r *report.Report, o options) ([]scenario.Scenario, error) {
	s := o.settings
	var all []scenario.Scenario
	switch o.set {
	case "inputs":
		all = append(scenario.Inputs(s), inputPeers(s)...)
	case "hop":
		all = append(scenario.Hops(s), hopPeers(s)...)
	case "large":
		all = scenario.Large(s)
	case "peers":
		all = append(withPeers(r, []scenario.Scenario{scenario.TCPLines(s, 512), scenario.TCPLines(s, 150)}, s), inputPeers(s)...)
	case "all":
		all = append(withPeers(r, scenario.All(s), s), scenario.Large(s)...)
	default:
		all = append(scenario.All(s), scenario.Inputs(s)...)
	}
	chosen := slices.DeleteFunc(all, func(sc scenario.Scenario) bool { return !o.only.MatchString(sc.Name) })
	if len(chosen) == 0 {
		return nil, fmt.Errorf("-run %s: no scenario has such a name", o.only)
	}
	return chosen, nil
}

// withPeers adds other agents to the scenarios that they can do, and scenarios that only agents can do.
func withPeers(r *report.Report, scenarios []scenario.Scenario, s scenario.Settings) []scenario.Scenario {
	var names []string
	for i := range scenarios {
		var found []string
		scenarios[i], found = scenario.Peers(scenarios[i])
		for _, name := range found {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if java, ok := scenario.FindJavaFlume(); ok {
		names = append(names, "Apache Flume 1.11")
		scenarios = append(scenarios, scenario.AgainstJava(s, java, 1), scenario.AgainstJava(s, java, 4))
	}
	if len(names) == 0 {
		names = []string{"none: install rsyslog or syslog-ng-core, and run e2e/setup.sh for Apache Flume"}
	}
	r.Notes = append(r.Notes, "peers found: "+strings.Join(names, ", "))
	return scenarios
}

// inputPeers are the scenarios of Inputs beside another agent, if that is there.
func inputPeers(s scenario.Settings) []scenario.Scenario {
	java, ok := scenario.FindJavaFlume()
	if !ok {
		return nil
	}
	return []scenario.Scenario{
		scenario.PostsAgainstJava(s, java, 512, true), scenario.PostsAgainstJava(s, java, 128, true), scenario.PostsAgainstJava(s, java, 512, false),
	}
}

// hopPeers are scenarios like those of Hops beside another agent, if that is there.
func hopPeers(s scenario.Settings) []scenario.Scenario {
	java, ok := scenario.FindJavaFlume()
	if !ok {
		return nil
	}
	return []scenario.Scenario{
		scenario.HopAgainstJava(s, java, "avro", 100, 10), scenario.HopAgainstJava(s, java, "avro", 1000, 10),
		scenario.HopAgainstJava(s, java, "thrift", 100, 5), scenario.HopAgainstJava(s, java, "thrift", 1000, 5),
	}
}
