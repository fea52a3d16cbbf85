package scenario

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"

	"github.com/flume-go/flume/bench/proc"
	"github.com/flume-go/flume/bench/report"
	"github.com/flume-go/flume/bench/stats"
)

// Execute repeats a scenario with all its programs and condenses what they
// measured. A failure ends the scenario and stands in its result: a median of
// the runs that happened to work would hide it.
func Execute(ctx context.Context, sc Scenario, s Settings) report.Result {
	samples := make(map[string][]Sample)
	result := report.Result{Scenario: sc.Name, Summary: sc.Summary}
	shared, remarks, err := prepare(ctx, sc, s)
	if shared != "" {
		defer os.RemoveAll(shared)
	}
	if err != nil {
		result.Error = fmt.Sprintf("preparing: %v", err)
		return result
	}
	result.Remarks = remarks
	for round := range s.Runs {
		for _, program := range turn(sc.Programs, round) {
			s.Log("%s: run %d of %d: %s", sc.Name, round+1, s.Runs, program.Name)
			sample, err := once(ctx, sc, s, program, shared)
			if err != nil {
				result.Error = fmt.Sprintf("run %d of %s: %v", round+1, program.Name, err)
				return result
			}
			samples[program.Name] = append(samples[program.Name], sample)
		}
	}
	result.Measures = condense(sc, samples)
	if remark, ok := beside(sc, result.Measures); ok {
		result.Remarks = append(result.Remarks, remark)
	}
	return result
}

// prepare makes what the runs of a scenario share. The caller removes the directory, also after an error.
func prepare(ctx context.Context, sc Scenario, s Settings) (dir string, remarks []string, err error) {
	if sc.Prepare == nil {
		return "", nil, nil
	}
	s.Log("%s: preparing", sc.Name)
	ctx, cancel := context.WithTimeoutCause(ctx, sc.Limit, fmt.Errorf("not done within %s", sc.Limit))
	defer cancel()
	if dir, err = os.MkdirTemp(s.Dir, "flumebench-"); err != nil {
		return "", nil, fmt.Errorf("making the directory that runs share: %w", err)
	}
	r := &Run{Settings: s, Dir: dir, Shared: dir}
	if r.Port, r.Monitoring, err = freePorts(ctx); err != nil {
		return dir, nil, err
	}
	remarks, err = sc.Prepare(ctx, r)
	return dir, remarks, err
}

// beside compares the agent's first measure with that of the program it is to be seen beside.
func beside(sc Scenario, measures []report.Measure) (string, bool) {
	if sc.Beside == "" || len(measures) == 0 {
		return "", false
	}
	first := measures[0]
	of := make(map[string]stats.Summary)
	for _, figure := range first.Figures {
		of[figure.Program] = figure.Summary
	}
	ratio, ok := stats.Ratio(of[Flume], of[sc.Beside])
	return fmt.Sprintf("%s has %.2f of the %s of %s", Flume, ratio, first.Name, sc.Beside), ok
}

// turn gives the order of a round. Every other one is reversed, so that no
// program always runs on a machine that another has just warmed or worn.
func turn(programs []Program, round int) []Program {
	order := slices.Clone(programs)
	if round%2 == 1 {
		slices.Reverse(order)
	}
	return order
}

// once prepares one run, measures it and clears up.
func once(ctx context.Context, sc Scenario, s Settings, program Program, shared string) (sample Sample, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, sc.Limit, fmt.Errorf("not done within %s", sc.Limit))
	defer cancel()
	dir, err := os.MkdirTemp(s.Dir, "flumebench-")
	if err != nil {
		return nil, fmt.Errorf("making the directory of a run: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := &Run{Settings: s, Program: program, Dir: dir, Shared: shared, Apart: sc.Apart}
	if err := os.Mkdir(r.Out(), 0o755); err != nil {
		return nil, fmt.Errorf("making the output directory: %w", err)
	}
	if r.Port, r.Monitoring, err = freePorts(ctx); err != nil {
		return nil, err
	}
	if s.Settle {
		proc.Settle()
		if sc.Memory > 0 {
			if err := proc.Touch(dir, sc.Memory); err != nil {
				return nil, err
			}
		}
	}
	sample, err = sc.Measure(ctx, r)
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w (%w)", err, cause)
	}
	return sample, err
}

// freePorts finds two ports nobody listens on. Another program could take one
// before ours does; then the run fails and says so.
func freePorts(ctx context.Context) (int, int, error) {
	var ports [2]int
	for i := range ports {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return 0, 0, fmt.Errorf("finding a free port: %w", err)
		}
		defer l.Close() // only after both are found, so that they differ
		addr, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			return 0, 0, fmt.Errorf("finding a free port: listening on a %T", l.Addr())
		}
		ports[i] = addr.Port
	}
	return ports[0], ports[1], nil
}

// condense turns samples by program into figures by metric, in the order in
// which metrics and programs first appear.
func condense(sc Scenario, samples map[string][]Sample) []report.Measure {
	var metrics []Metric
	for _, program := range sc.Programs {
		for _, sample := range samples[program.Name] {
			for _, value := range sample {
				if !slices.Contains(metrics, value.Metric) {
					metrics = append(metrics, value.Metric)
				}
			}
		}
	}
	base := cmp.Or(sc.Base, Bare)
	measures := make([]report.Measure, 0, len(metrics))
	for _, metric := range metrics {
		measure := report.Measure{Name: metric.Name, Unit: metric.Unit, Base: base}
		bare := stats.Summarize(valuesOf(metric, samples[base]))
		for _, program := range sc.Programs {
			values := valuesOf(metric, samples[program.Name])
			if len(values) == 0 {
				continue
			}
			figure := report.Figure{Program: program.Name, Summary: stats.Summarize(values), Samples: values}
			if ratio, ok := stats.Ratio(figure.Summary, bare); ok {
				figure.Ratio = ratio
			}
			if program.Name == Flume {
				judge(&figure, metric, sc.Goals)
			}
			measure.Figures = append(measure.Figures, figure)
		}
		measures = append(measures, measure)
	}
	return measures
}

func valuesOf(metric Metric, samples []Sample) []float64 {
	var values []float64
	for _, sample := range samples {
		for _, value := range sample {
			if value.Metric == metric {
				values = append(values, value.Value)
			}
		}
	}
	return values
}

// judge compares the agent's figure with what was promised.
func judge(figure *report.Figure, metric Metric, goals []Goal) {
	for _, goal := range goals {
		switch {
		case goal.Metric != metric:
		case goal.Ratio != 0:
			figure.Goal = fmt.Sprintf("ratio ≥ %g", goal.Ratio)
			figure.Met = figure.Ratio >= goal.Ratio
		default:
			figure.Goal = "≤ " + report.Quantity(goal.AtMost, metric.Unit)
			figure.Met = figure.Median <= goal.AtMost
		}
	}
}
