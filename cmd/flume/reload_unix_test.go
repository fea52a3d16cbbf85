//go:build unix

package main

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const second = "a1.sources.r2.type = netcat\na1.sources.r2.bind = 127.0.0.1\na1.sources.r2.port = 0\na1.sources.r2.channels = c1\n"

// TestReload gives a running agent a bad file, which changes nothing, then one
// with another source, then the first again. A connection lives through it all.
func TestReload(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, option string
		ask          func(t *testing.T, p *process)
	}{
		{"poll", "--poll-interval=1", func(*testing.T, *process) {}},
		{"signal", "--no-reload-conf", func(t *testing.T, p *process) { p.signal(t, syscall.SIGHUP) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := startAgent(t, plain, tt.option)
			path := filepath.Join(p.cmd.Dir, "a.conf")
			conn := dial(t, p.address(t, "[source r1] listening"))
			send(t, conn, "before")

			writeFile(t, path, change(plain, "= netcat", "= netkat"))
			tt.ask(t, p)
			wantAll(t, "the log", p.says(t, `unknown source type "netkat"`), "ERROR", "a.conf:4:22: a1.sources.r1.type", `did you mean "netcat"?`)
			p.says(t, "configuration is not reloaded, the agent goes on with the old one")
			send(t, conn, "after a bad file")

			writeFile(t, path, change(plain, "sources = r1", "sources = r1 r2")+second)
			tt.ask(t, p)
			wantAll(t, "the log", p.says(t, "configuration is reloaded"), "r2")
			added := dial(t, p.address(t, "[source r2] listening"))
			send(t, added, "to the new source")
			send(t, conn, "after it was added")

			writeFile(t, path, plain)
			tt.ask(t, p)
			p.saysTimes(t, "configuration is reloaded", 2)
			send(t, conn, "after it was removed")
			if n, err := added.Read(make([]byte, 1)); err == nil {
				t.Errorf("a removed source answers %d bytes", n)
			}
			p.says(t, "after it was rem")
			p.terminate(t)
			output, _ := p.read()
			if n := len(grep(output, "[source r1] listening")); n != 1 {
				t.Errorf("source r1 began to listen %d times", n)
			}
		})
	}
}

// TestConfigurationVanishes: an agent whose file is gone, or unreadable for a
// while, goes on.
func TestConfigurationVanishes(t *testing.T) {
	t.Parallel()
	p := startAgent(t, plain, "--no-reload-conf")
	path := filepath.Join(p.cmd.Dir, "a.conf")
	conn := dial(t, p.address(t, "[source r1] listening"))
	remove(t, path)
	p.signal(t, syscall.SIGHUP)
	wantAll(t, "the log", p.says(t, "configuration cannot be read; the last one stays in force"), "a.conf: no such file")
	send(t, conn, "goes on")
	writeFile(t, path, change(plain, "= logger", "= null"))
	p.signal(t, syscall.SIGHUP)
	p.says(t, "configuration can be read again")
	p.says(t, "configuration is reloaded")
	send(t, conn, strings.Repeat("x", 10))
}
