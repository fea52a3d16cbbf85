//go:build unix

package main

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// commands is an agent with commands that do what commands should not: end, never
// end, flood, not be there, hang on to their output, ignore being asked to end.
const commands = `a1.sources = dies floods stays nowhere deaf
a1.channels = c1 c2
a1.sinks = k1 k2
a1.channels.c1.type = memory
a1.channels.c2.type = memory
a1.sinks.k1.type = logger
a1.sinks.k1.channel = c1
a1.sinks.k2.type = null
a1.sinks.k2.channel = c2
a1.sources.dies.type = exec
a1.sources.dies.shell = /bin/sh -c
a1.sources.dies.command = echo last words; exit 3
a1.sources.dies.restart = true
a1.sources.dies.restartThrottle = 50
a1.sources.dies.channels = c1
a1.sources.floods.type = exec
a1.sources.floods.command = yes a flood of lines
a1.sources.floods.channels = c2
a1.sources.stays.type = exec
a1.sources.stays.shell = /bin/sh -c
a1.sources.stays.command = echo "stays $$"; exec sleep 1000
a1.sources.stays.channels = c1
a1.sources.nowhere.type = exec
a1.sources.nowhere.command = /no/such/command
a1.sources.nowhere.channels = c1
a1.sources.deaf.type = exec
a1.sources.deaf.shell = /bin/sh -c
a1.sources.deaf.command = trap '' TERM; echo "deaf $$"; while :; do sleep 1; done
a1.sources.deaf.channels = c1
`

// TestCommands runs them all in one agent, which stops in time and leaves none behind.
func TestCommands(t *testing.T) {
	t.Parallel()
	p := startAgent(t, commands)
	wantAll(t, "the log", p.says(t, "[source dies] the command ended"), "exit status 3", "restartThrottle", "WARN")
	p.saysTimes(t, "last words", 3)
	wantAll(t, "the log", p.says(t, "[source nowhere] source failed"), `starting the command \"/no/such/command\" (property command)`, "no such file")
	p.unhealthy(t, "source", "nowhere", "/no/such/command")
	pids := []int{p.pidOf(t, "stays"), p.pidOf(t, "deaf")}
	output, _ := p.read()
	if n := len(grep(output, "[source dies] the command ended")); n != 1 {
		t.Errorf("the same end was logged %d times", n)
	}
	p.terminate(t)
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d was left behind (%v)", pid, err)
		}
	}
}

// pidOf returns the number that follows a word in the body of an event. The sink
// shows bodies as hex and text, 16 bytes.
func (p *process) pidOf(t *testing.T, word string) int {
	t.Helper()
	line := p.says(t, word+" ")
	m := regexp.MustCompile(word + ` (\d+)`).FindStringSubmatch(strings.TrimSpace(line))
	if m == nil {
		t.Fatalf("no number in %q", line)
	}
	pid, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}
