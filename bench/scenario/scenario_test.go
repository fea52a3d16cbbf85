//go:build linux

package scenario

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flume-go/flume/bench/lines"
	"github.com/flume-go/flume/bench/proc"
	"github.com/flume-go/flume/bench/report"
	"github.com/flume-go/flume/bench/roles"
)

// TestMain lets the test executable be started in the roles, as the benchmark
// program is.
func TestMain(m *testing.M) {
	if code, ok := roles.Dispatch(os.Args[1:]); ok {
		os.Exit(code)
	}
	// Race-enabled programs linger for a second before they exit; the roles that
	// tests start need not.
	os.Setenv("GORACE", strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0"))
	os.Exit(m.Run())
}

func settings(t *testing.T) Settings {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Settings{
		Self: self, Dir: t.TempDir(), Runs: 2, Conns: 3, Lines: 20000, Idle: 50, Block: 64 << 10, Log: t.Logf,
	}
}

func TestTCPLinesWithBareProgram(t *testing.T) {
	s := settings(t)
	for _, length := range []int{512, 150} {
		result := Execute(t.Context(), TCPLines(s, length), s)
		if result.Error != "" {
			t.Fatalf("%s: %s", result.Scenario, result.Error)
		}
		for _, metric := range []Metric{events, rate, cpu, peak, duration} {
			figure := only(t, result, metric)
			if figure.Program != Bare || figure.N != s.Runs || figure.Median < 0 {
				t.Errorf("%s, %s: %+v, want %d runs of the bare program", result.Scenario, metric.Name, figure, s.Runs)
			}
		}
		if only(t, result, events).Median <= 0 {
			t.Errorf("%s: no events per second", result.Scenario)
		}
	}
	if left, err := os.ReadDir(s.Dir); err != nil || len(left) > 0 {
		t.Errorf("after the runs: %v, %v, want an empty directory", left, err)
	}
}

func TestConnectionsWithBareProgram(t *testing.T) {
	s := settings(t)
	s.Runs = 1
	sc := Connections(s)
	result := Execute(t.Context(), sc, s)
	if result.Error != "" {
		t.Fatal(result.Error)
	}
	if latency := only(t, result, fresh).Median; latency <= 0 {
		t.Errorf("a fresh event took %v ms", latency)
	}
}

// only is the single figure of a metric.
func only(t *testing.T, result report.Result, metric Metric) report.Figure {
	t.Helper()
	for _, measure := range result.Measures {
		if measure.Name == metric.Name && len(measure.Figures) == 1 {
			return measure.Figures[0]
		}
	}
	t.Fatalf("%s: no single figure of %q in %+v", result.Scenario, metric.Name, result.Measures)
	return report.Figure{}
}

// TestCutLinesAreFound runs a program that cuts lines but claims to keep them:
// the bare program with a buffer that no line fits into.
func TestCutLinesAreFound(t *testing.T) {
	s := settings(t)
	program := bare(100)
	program.Blind = false
	_, err := once(t.Context(), TCPLines(s, 512), s, program, "")
	if err == nil || !strings.Contains(err.Error(), "does not hold what was sent") {
		t.Errorf("measuring = %v, want that lines are damaged", err)
	}
}

func script(text string) Program {
	return Program{Name: "script", Spec: func(*Run) (proc.Spec, error) {
		return proc.Spec{Path: "/bin/sh", Args: []string{"-c", text}}, nil
	}}
}

func TestProgramThatDies(t *testing.T) {
	s := settings(t)
	sc := TCPLines(s, 512)
	sc.Programs = []Program{script("echo no such port >&2; exit 4")}
	result := Execute(t.Context(), sc, s)
	for _, want := range []string{"run 1 of script", "exit status 4", "no such port"} {
		if !strings.Contains(result.Error, want) {
			t.Errorf("error %q does not have %q", result.Error, want)
		}
	}
}

func TestProgramThatNeverListens(t *testing.T) {
	s := settings(t)
	sc := TCPLines(s, 512)
	sc.Limit = 100 * time.Millisecond
	_, err := once(t.Context(), sc, s, script("exec sleep 60"), "")
	if err == nil || !strings.Contains(err.Error(), "not done within 100ms") {
		t.Errorf("measuring = %v, want that time ran out", err)
	}
}

func TestTurn(t *testing.T) {
	programs := []Program{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	for round, want := range []string{"abc", "cba", "abc"} {
		got := ""
		for _, p := range turn(programs, round) {
			got += p.Name
		}
		if got != want {
			t.Errorf("round %d: order %s, want %s", round, got, want)
		}
	}
}

func TestCondense(t *testing.T) {
	sc := Scenario{
		Programs: []Program{{Name: Flume}, {Name: Bare}},
		Goals:    []Goal{{Metric: events, Ratio: 0.7}, {Metric: resident, AtMost: 30}},
	}
	measures := condense(sc, map[string][]Sample{
		Flume: {{{events, 60}, {resident, 31}}, {{events, 80}, {resident, 29}}, {{events, 75}, {resident, 28}}},
		Bare:  {{{events, 100}}, {{events, 90}}, {{events, 110}}},
	})
	if len(measures) != 2 {
		t.Fatalf("%d measures, want 2: %+v", len(measures), measures)
	}
	rate, memory := measures[0].Figures, measures[1].Figures
	if len(rate) != 2 || rate[0].Ratio != 0.75 || !rate[0].Met || rate[1].Ratio != 1 || rate[1].Goal != "" {
		t.Errorf("rate: %+v, want a ratio of 0.75 that meets the goal, and none for the bare program", rate)
	}
	if !slices.Equal(rate[0].Samples, []float64{60, 80, 75}) {
		t.Errorf("samples %v, want those taken, in order", rate[0].Samples)
	}
	if len(memory) != 1 || memory[0].Median != 29 || !memory[0].Met || memory[0].Goal != "≤ 30.0 MiB" || memory[0].Ratio != 0 {
		t.Errorf("memory: %+v, want 29 within 30 MiB and no ratio", memory)
	}
}

func TestAgentCommandLine(t *testing.T) {
	s := settings(t)
	s.Flume = "/opt/flume/bin/flume"
	sc := Idle(s)
	if len(sc.Programs) != 2 || sc.Programs[0].Name != Flume {
		t.Fatalf("programs %+v, want the agent first", sc.Programs)
	}
	r := &Run{Settings: s, Dir: t.TempDir(), Port: 4141, Monitoring: 4242}
	spec, err := sc.Programs[0].Spec(r)
	if err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(r.Dir, "flume.conf")
	want := []string{"agent", "-n", "a1", "-c", r.Dir, "-f", conf,
		"-Dflume.monitoring.type=http", "-Dflume.monitoring.port=4242"}
	if spec.Path != s.Flume || !slices.Equal(spec.Args, want) {
		t.Errorf("command %s %q, want %q", spec.Path, spec.Args, want)
	}
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"a1.sources.r1.port = 4141\n", "sink.directory = " + r.Out() + "\n"} {
		if !strings.Contains(string(text), line) {
			t.Errorf("configuration lacks %q:\n%s", line, text)
		}
	}
}

func TestVerifySize(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a": "one\ntw", "b": "o\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := verifySize(dir, 2, 8); err != nil {
		t.Errorf("two lines of eight bytes in two files: %v", err)
	}
	for _, wrong := range []struct {
		count int
		size  int64
	}{{2, 9}, {3, 8}} {
		if err := verifySize(dir, wrong.count, wrong.size); err == nil {
			t.Errorf("accepted as %d lines of %d bytes", wrong.count, wrong.size)
		}
	}
}

func TestVerifyLinesReadsAllFiles(t *testing.T) {
	format, err := lines.NewFormat(64, 640)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for conn, name := range []string{"1-1", "1-2"} {
		sender, err := format.NewSender(conn, 5)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), sender.Next(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := verifyLines(dir, format, []int{5, 5}); err != nil {
		t.Errorf("all lines in two files: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "1-2")); err != nil {
		t.Fatal(err)
	}
	if err := verifyLines(dir, format, []int{5, 5}); err == nil || !strings.Contains(err.Error(), "5 are missing") {
		t.Errorf("with a file gone: %v, want that 5 are missing", err)
	}
}
