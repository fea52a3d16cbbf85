package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/flume-go/flume/bench/proc"
)

// JavaFlume is an installation of Apache Flume.
type JavaFlume struct {
	Java string // executable
	Jars string // folder of Flume's jars and those it needs
}

// FindJavaFlume finds what e2e/setup.sh has put into its cache. It reports false if that, or Java, is missing.
func FindJavaFlume() (JavaFlume, bool) {
	cache := os.Getenv("FLUME_E2E_CACHE")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return JavaFlume{}, false
		}
		cache = filepath.Join(home, ".cache", "flume-e2e")
	}
	f := JavaFlume{Jars: filepath.Join(cache, "flume")}
	node, err := filepath.Glob(filepath.Join(f.Jars, "flume-ng-node-*.jar"))
	if err != nil || len(node) == 0 {
		return f, false
	}
	f.Java, err = exec.LookPath("java")
	return f, err == nil
}

// apacheFlume is the name of Apache Flume in reports.
const apacheFlume = "apache-flume"

// Durations of a run beside Apache Flume, whose compiler needs a while.
const (
	javaWarm = 10 * time.Second
	javaFor  = 10 * time.Second
	// with a single core, which it has to share with what it compiles; it became faster until then
	javaWarmAlone = time.Minute
)

// AgainstJava runs one configuration in Apache Flume and in this agent: stress sources, a file channel that syncs each transaction
// and null sinks, as many of each as lanes. Both run for the same time before they are measured, by the counters
// that they show over HTTP.
func AgainstJava(s Settings, java JavaFlume, lanes int) Scenario {
	return Scenario{
		Name: fmt.Sprintf("file-channel-%d", lanes),
		Summary: fmt.Sprintf("%d stress sources → file channel → %d null sinks, batches of %d events of %d bytes, one configuration for both; Apache Flume 1.11 on Java with %s, measured after %s",
			lanes, lanes, javaBatch, putBody, strings.Join(javaMemory, " "), javaWarm),
		Programs: programs(s, flume(stressConfig(lanes), monitoringType, monitoringPort), java.program(stressConfig(lanes))),
		Goals:    []Goal{{Metric: events, Ratio: 5}},
		Base:     apacheFlume,
		Limit:    3 * time.Minute,
		Measure:  measureCounters,
	}
}

// javaBatch is the batch size of sources and sinks.
const javaBatch = 1000

// javaMemory are the settings of the Java machine: a fixed heap, of which the channel needs little, and the collector for throughput.
var javaMemory = []string{"-Xms1g", "-Xmx1g", "-XX:+UseParallelGC"}

// stressConfig has properties that both programs know. The capacity lets sources run ahead a little.
func stressConfig(lanes int) func(r *Run) string {
	return func(r *Run) string {
		var b strings.Builder
		names := func(prefix string) string {
			var all []string
			for i := range lanes {
				all = append(all, prefix+strconv.Itoa(i+1))
			}
			return strings.Join(all, " ")
		}
		fmt.Fprintf(&b, "a1.sources = %s\na1.channels = c1\na1.sinks = %s\n\n%s\n", names("r"), names("k"),
			strings.Replace(fileChannel(r.Dir), "capacity = 100000000", "capacity = 1000000", 1))
		for i := range lanes {
			fmt.Fprintf(&b, `a1.sources.r%[1]d.type = org.apache.flume.source.StressSource
a1.sources.r%[1]d.size = %[2]d
a1.sources.r%[1]d.batchSize = %[3]d
a1.sources.r%[1]d.channels = c1
a1.sinks.k%[1]d.type = null
a1.sinks.k%[1]d.batchSize = %[3]d
a1.sinks.k%[1]d.channel = c1
`, i+1, putBody, javaBatch)
		}
		return b.String()
	}
}

// javaLog keeps Apache Flume's log to what is wrong.
const javaLog = `<Configuration status="ERROR">
  <Appenders><Console name="Console" target="SYSTEM_ERR"><PatternLayout pattern="%p %c{1} - %m%n"/></Console></Appenders>
  <Loggers><Root level="WARN"><AppenderRef ref="Console"/></Root></Loggers>
</Configuration>
`

// program starts Apache Flume as its launcher does, with the run's directory as the configuration folder.
func (f JavaFlume) program(conf func(r *Run) string) Program {
	return Program{Name: apacheFlume, Spec: func(r *Run) (proc.Spec, error) {
		if _, err := r.WriteConfig("log4j2.xml", javaLog); err != nil {
			return proc.Spec{}, err
		}
		path, err := r.WriteConfig("flume.conf", conf(r))
		if err != nil {
			return proc.Spec{}, err
		}
		classes := r.Dir + string(os.PathListSeparator) + filepath.Join(f.Jars, "*")
		args := append(javaMemory[:len(javaMemory):len(javaMemory)], monitoringType(r), monitoringPort(r),
			"-cp", classes, "org.apache.flume.node.Application", "-n", "a1", "-f", path)
		return proc.Spec{Path: f.Java, Args: args}, nil
	}}
}

// measureCounters starts an agent that makes its own load.
func measureCounters(ctx context.Context, r *Run) (sample Sample, err error) {
	p, err := r.Start(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Stop(stopGrace)) }()
	return readCounters(ctx, r, p, usageOf(p), javaWarm)
}

// readCounters lets an agent run, warm until it is measured, and reads its channel's counters, and usage, at two moments.
func readCounters(ctx context.Context, r *Run, p *proc.Process, usage func() (proc.Usage, error), warm time.Duration) (Sample, error) {
	err := poll(ctx, p, 100*time.Millisecond, func() (bool, error) {
		c, err := r.counters(ctx)
		return err == nil && c["EventTakeSuccessCount"] > 0, nil
	})
	if err != nil {
		return nil, fmt.Errorf("waiting for events to come through %s: %w", r.Program.Name, err)
	}
	if err := wait(ctx, p, warm); err != nil {
		return nil, err
	}
	first, err := r.reading(ctx, usage)
	if err != nil {
		return nil, err
	}
	if err := wait(ctx, p, javaFor); err != nil {
		return nil, err
	}
	last, err := r.reading(ctx, usage)
	if err != nil {
		return nil, err
	}
	count := last.taken - first.taken
	if count <= 0 {
		return nil, fmt.Errorf("%s took no events from its channel for %s", r.Program.Name, javaFor)
	}
	used := last.CPU - first.CPU
	if used <= 0 {
		return nil, fmt.Errorf("%s took no processor time for %s", r.Program.Name, javaFor)
	}
	// What a second of the processor gives is what the programs can be compared by: in a second of time the load generator, where there
	// is one, takes its share of the processors from each of them.
	return Sample{
		{events, count / last.at.Sub(first.at).Seconds()},
		{perCPU, count / used.Seconds()},
		{cpu, float64(used.Microseconds()) / count},
		{peak, mebibytes(last.Peak)},
	}, nil
}

// reading is the state of an agent at a moment.
type reading struct {
	at    time.Time
	taken float64 // events that sinks took and committed so far
	proc.Usage
}

func (r *Run) reading(ctx context.Context, usage func() (proc.Usage, error)) (reading, error) {
	c, err := r.counters(ctx)
	if err != nil {
		return reading{}, err
	}
	now := reading{at: time.Now(), taken: c["EventTakeSuccessCount"]}
	now.Usage, err = usage()
	return now, err
}

// counters reads the counters of channel c1 as Flume's monitoring shows them: every value a string.
func (r *Run) counters(ctx context.Context) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/metrics", r.Monitoring), nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("reading counters: %w", err)
	}
	defer resp.Body.Close()
	var all map[string]map[string]string
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
		return nil, fmt.Errorf("reading counters: %w", err)
	}
	values := make(map[string]float64)
	for name, text := range all["CHANNEL.c1"] {
		if v, err := strconv.ParseFloat(text, 64); err == nil {
			values[name] = v
		}
	}
	return values, nil
}
