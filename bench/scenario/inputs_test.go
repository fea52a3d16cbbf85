//go:build linux

package scenario

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestInputsWithBareProgram has bare programs do their work once.
func TestInputsWithBareProgram(t *testing.T) {
	s := settings(t)
	s.Runs = 1
	for _, sc := range []Scenario{Tail(s, 7), SyslogLines(s, 200), Posts(s, 128), DurablePosts(s)} {
		t.Run(sc.Name, func(t *testing.T) {
			bare := figures(t, Execute(t.Context(), sc, s), Bare)
			for _, metric := range []Metric{events, rate, peak, duration} {
				if bare[metric.Name].Median <= 0 {
					t.Errorf("%s: %+v, want more than nothing", metric.Name, bare[metric.Name])
				}
			}
		})
	}
	if left, err := os.ReadDir(s.Dir); err != nil || len(left) > 0 {
		t.Errorf("after the runs: %v, %v, want an empty directory", left, err)
	}
}

// TestFilesThatDoNotArrive has a program that copies nothing of what it is given.
func TestFilesThatDoNotArrive(t *testing.T) {
	s := settings(t)
	s.Runs = 1
	sc := Tail(s, 3)
	sc.Programs = []Program{role("nothing", "copy", "-from", t.TempDir(), "-out", filepath.Join(t.TempDir(), "out"))}
	sc.Prepare = func(ctx context.Context, r *Run) ([]string, error) {
		return nil, tailed{counts: []int{10, 10, 10}}.make(r.Shared)
	}
	sc.Limit = 500 * time.Millisecond
	if result := Execute(t.Context(), sc, s); !strings.Contains(result.Error, "waiting for the output of nothing, which has 0 of") {
		t.Errorf("error %q, want that the output stayed empty", result.Error)
	}
}

func TestInputConfigs(t *testing.T) {
	r := &Run{Dir: "/d", Shared: "/s", Port: 4141}
	for _, c := range []struct {
		name string
		text string
		want []string
	}{
		{"tail", toFile(taildir, memoryChannel)(r), []string{
			`a1.sources.r1.filegroups.g1 = /d/logs/.*\\.log` + "\n", "r1.positionFile = /d/positions.json\n", "c1.type = memory\n", "sink.directory = /d/out\n",
		}},
		{"idle files", toFile(idleTaildir, memoryChannel)(r), []string{`a1.sources.r1.filegroups.g1 = /s/.*\\.log` + "\n"}},
		{"syslog", toFile(syslogTCP, fileChannelOf)(r), []string{"r1.port = 4141\n", "c1.dataDirs = /d/data\n", "r1.channels = c1\n"}},
		{"http", toNull(httpSource, memoryChannel)(r), []string{"r1.type = http\n", "k1.type = null\n", "k1.channel = c1\n"}},
	} {
		for _, want := range c.want {
			if !strings.Contains(c.text, want) {
				t.Errorf("%s: configuration lacks %q:\n%s", c.name, want, c.text)
			}
		}
	}
}

// TestWholeRequests rounds the number of lines to what can be posted.
func TestWholeRequests(t *testing.T) {
	f := posts(128)
	format, err := f.form.Format(f.length, f.block)
	if err != nil {
		t.Fatal(err)
	}
	for lines, want := range map[int]int{1: 400, 799: 400, 1234: 1200} {
		if got := f.count(&Run{Settings: Settings{Conns: 4, Lines: lines}}, format); got != want {
			t.Errorf("of %d lines on 4 connections %d are sent, want %d", lines, got, want)
		}
	}
}
