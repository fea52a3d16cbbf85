//go:build linux

package scenario

import (
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/flume-go/flume/bench/report"
)

// figures are the medians of a result by metric, of one program.
func figures(t *testing.T, result report.Result, program string) map[string]report.Figure {
	t.Helper()
	if result.Error != "" {
		t.Fatalf("%s: %s", result.Scenario, result.Error)
	}
	all := make(map[string]report.Figure)
	for _, measure := range result.Measures {
		for _, figure := range measure.Figures {
			if figure.Program == program {
				all[measure.Name] = figure
			}
		}
	}
	return all
}

func TestScenariosAreComplete(t *testing.T) {
	s := settings(t)
	s.Flume = "flume"
	java := JavaFlume{Java: "java", Jars: "jars"}
	seen := make(map[string]bool)
	for _, sc := range slices.Concat(All(s), Inputs(s), Hops(s), Large(s), []Scenario{
		AgainstJava(s, java, 1), AgainstJava(s, java, 4), PostsAgainstJava(s, java, 512, true), PostsAgainstJava(s, java, 128, false),
		HopAgainstJava(s, java, "avro", 100, 10), HopAgainstJava(s, java, "thrift", 1000, 5),
	}) {
		if seen[sc.Name] {
			t.Errorf("%s: the name is used twice", sc.Name)
		}
		seen[sc.Name] = true
		if sc.Name == "" || sc.Summary == "" || sc.Limit <= 0 || sc.Measure == nil || len(sc.Programs) == 0 {
			t.Errorf("%s: name, summary, limit, programs and measurement are needed: %+v", sc.Name, sc)
		}
		names := make(map[string]bool)
		for _, p := range sc.Programs {
			names[p.Name] = true
		}
		if !names[Flume] || sc.Base != "" && !names[sc.Base] || sc.Beside != "" && !names[sc.Beside] {
			t.Errorf("%s: compares with a program that it has not: %v", sc.Name, names)
		}
	}
}

func TestAnsweredLinesWithBareProgram(t *testing.T) {
	s := settings(t)
	s.Runs = 1
	result := Execute(t.Context(), AnsweredLines(s), s)
	if rate := figures(t, result, Bare)[events.Name]; rate.Median <= 0 {
		t.Errorf("events per second: %+v, want some of the bare program", rate)
	}
}

func TestBacklog(t *testing.T) {
	s := settings(t)
	s.Backlog = 4 << 20
	result := Execute(t.Context(), Backlog(s), s)
	log, bare := figures(t, result, Flume), figures(t, result, Bare)
	for _, metric := range []Metric{backlogRate, openClean, openKilled, openResident, peak, earlyMemory, lateMemory} {
		if log[metric.Name].Median <= 0 {
			t.Errorf("%s: %+v, want more than nothing", metric.Name, log[metric.Name])
		}
	}
	if bare[backlogRate.Name].Ratio != 1 || log[backlogRate.Name].Goal == "" {
		t.Errorf("rates: %+v and %+v, want a goal that is a ratio to the bare program", log[backlogRate.Name], bare[backlogRate.Name])
	}
	if len(result.Remarks) != 1 || !strings.Contains(result.Remarks[0], "events were staged") {
		t.Errorf("remarks %q, want how much was staged", result.Remarks)
	}
}

func TestBacklogIsReduced(t *testing.T) {
	s := settings(t)
	s.Backlog = 1 << 60
	size, remarks, err := affordable(s)
	if err != nil {
		if !strings.Contains(err.Error(), "-dir") {
			t.Errorf("affordable = %v, want what can be done about it", err)
		}
		return // a full disk
	}
	if size >= s.Backlog || len(remarks) != 1 || !strings.Contains(remarks[0], "no room for more") {
		t.Errorf("of %d bytes %d are affordable, remarks %q; want less and a remark", s.Backlog, size, remarks)
	}
}

func TestBeside(t *testing.T) {
	sc := Scenario{Name: "x", Programs: []Program{{Name: Flume}, {Name: "other"}, {Name: "base"}}, Base: "base", Beside: "other"}
	measures := condense(sc, map[string][]Sample{
		Flume: {{{events, 30}}}, "other": {{{events, 60}}}, "base": {{{events, 10}}},
	})
	if got := measures[0].Figures[0].Ratio; got != 3 || measures[0].Base != "base" {
		t.Errorf("ratio %v to %s, want 3 to base", got, measures[0].Base)
	}
	remark, ok := beside(sc, measures)
	if want := "flume has 0.50 of the events per second of other"; !ok || remark != want {
		t.Errorf("remark %q, want %q", remark, want)
	}
}

func TestDurableConfig(t *testing.T) {
	r := &Run{Dir: "/d", Port: 4141}
	text := answered(durableConfig, true)(r)
	for _, want := range []string{
		"a1.channels.c1.type = file\n", "c1.dataDirs = /d/data\n", "ack-every-event = true\n", "a1.sinks.k1.channel = c1\n", "r1.port = 4141\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("configuration lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "byteCapacity") {
		t.Errorf("configuration has what is left of a memory channel:\n%s", text)
	}
}

func TestStressConfig(t *testing.T) {
	text := stressConfig(2)(&Run{Dir: "/d"})
	for _, want := range []string{
		"a1.sources = r1 r2\n", "a1.sinks = k1 k2\n", "r2.type = org.apache.flume.source.StressSource\n", "k2.batchSize = 1000\n", "capacity = 1000000\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("configuration lacks %q:\n%s", want, text)
		}
	}
}

func TestCounters(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(`{"SINK.k1":{"Type":"SINK"},"CHANNEL.c1":{"Type":"CHANNEL","EventTakeSuccessCount":"1234","ChannelFillPercentage":"0.5"}}`))
	}))
	defer server.Close()
	addr, ok := server.Listener.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("the server listens on a %T", server.Listener.Addr())
	}
	got, err := (&Run{Monitoring: addr.Port}).counters(t.Context())
	if err != nil || got["EventTakeSuccessCount"] != 1234 || got["ChannelFillPercentage"] != 0.5 || len(got) != 2 {
		t.Errorf("counters = %v, %v, want the two numbers of channel c1", got, err)
	}
}

func TestFindJavaFlume(t *testing.T) {
	t.Setenv("FLUME_E2E_CACHE", t.TempDir())
	if f, ok := FindJavaFlume(); ok {
		t.Errorf("found Apache Flume in an empty folder: %+v", f)
	}
}
