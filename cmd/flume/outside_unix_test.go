//go:build unix

package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBusyPort: a source whose port another process has is tried again; others
// are not concerned.
func TestBusyPort(t *testing.T) {
	t.Parallel()
	busy, port := busyPort(t)
	p := startAgent(t, change(plain, "sources = r1", "sources = r1 r2", "port = 0", "port = "+port)+
		"a1.sources.r2.type = netcat\na1.sources.r2.bind = 127.0.0.1\na1.sources.r2.port = 0\na1.sources.r2.channels = c1\n")
	line := p.says(t, "[source r1] source failed")
	wantAll(t, "the log", line, "127.0.0.1:"+port, "bind and port", "address already in use")
	p.unhealthy(t, "source", "r1", "address already in use")
	send(t, dial(t, p.address(t, "[source r2] listening")), "others go on")
	if err := busy.Close(); err != nil {
		t.Fatal(err)
	}
	send(t, dial(t, p.address(t, "[source r1] listening")), "back again")
	p.healthy(t)
	output, _ := p.read()
	if n := len(grep(output, "[source r1] source failed")); n != 1 {
		t.Errorf("the same failure was logged %d times", n)
	}
}

// TestBusyMonitoringPort: an agent moves events though nobody can look at it.
func TestBusyMonitoringPort(t *testing.T) {
	t.Parallel()
	busy, port := busyPort(t)
	p := startAgent(t, plain, "-Dflume.monitoring.port="+port)
	wantAll(t, "the log", p.says(t, "address already in use"), "http monitoring", port, "flume.monitoring.port")
	send(t, dial(t, p.address(t, "[source r1] listening")), "line")
	if err := busy.Close(); err != nil {
		t.Fatal(err)
	}
	p.healthy(t)
}

// TestDirectory: a sink without its directory waits for it and loses nothing.
func TestDirectory(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, reason string
		before       func(t *testing.T, dir string)
		mend         func(dir string) error
	}{
		{"missing", "does not exist: create it, or set sink.createDirectory = true", nil, nil},
		{"file", "is not a directory: name one", func(t *testing.T, dir string) { writeFile(t, dir, "") }, os.Remove},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "out")
			if tt.before != nil {
				tt.before(t, dir)
			}
			p := startAgent(t, change(plain, "= logger", "= file_roll\na1.sinks.k1.sink.directory = "+dir))
			wantAll(t, "the log", p.says(t, "[sink k1] sink failed"), dir, "sink.directory", tt.reason)
			p.unhealthy(t, "sink", "k1", tt.reason)
			send(t, dial(t, p.address(t, "[source r1] listening")), "kept meanwhile")
			if tt.mend != nil {
				if err := tt.mend(dir); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			p.healthy(t)
			p.terminate(t)
			if got := contents(t, dir); got != "kept meanwhile\n" {
				t.Errorf("the files have %q", got)
			}
		})
	}
}

// contents returns what all files of a directory have together.
func contents(t *testing.T, dir string) string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// TestExplodingExpression gives an expression that only backtracking can match and
// a line on which that would take longer than the world.
func TestExplodingExpression(t *testing.T) {
	t.Parallel()
	for name, expression := range map[string]string{
		"back-reference": `^(a+)+\\1!$`,
		"look-ahead":     `^(?=(a+)+$)(a+)+!$`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startAgent(t, plain+"a1.sources.r1.interceptors = i\na1.sources.r1.interceptors.i.type = regex_filter\n"+
				"a1.sources.r1.interceptors.i.excludeEvents = true\na1.sources.r1.interceptors.i.matchTimeout = 100\n"+
				"a1.sources.r1.interceptors.i.regex = "+expression+"\n")
			conn := dial(t, p.address(t, "[source r1] listening"))
			send(t, conn, strings.Repeat("a", 100)+"?")
			wantAll(t, "the log", p.says(t, "matching takes too long"), "interceptor i", "WARN")
			send(t, conn, "an easy line")
			p.says(t, "an easy line")
			if h := p.health(t); h.code != http.StatusOK {
				t.Errorf("/healthz answers %+v", h)
			}
		})
	}
}
