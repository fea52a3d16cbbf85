package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

var connections = flag.Int("connections", 2000, "connections of TestManyConnections; as many as the limit of open files allows")

// TestManyConnections keeps many clients connected and serves each.
func TestManyConnections(t *testing.T) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	// The tests that run at the same time and the programs themselves need some.
	n := min(*connections, int(files.Max)-500)
	if n < 100 {
		t.Fatalf("the limit of %d open files is too low for this test", files.Max)
	}
	files.Cur = files.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	p := startAgent(t, change(plain, "= logger", "= null"))
	addr := p.address(t, "[source r1] listening")
	before := residentKiB(t, p.cmd.Process.Pid)
	clients := make([]net.Conn, n)
	for i := range clients {
		clients[i] = dial(t, addr)
		send(t, clients[i], "first")
	}
	grown := residentKiB(t, p.cmd.Process.Pid) - before
	t.Logf("%d connections: %.1f KiB resident each", n, float64(grown)/float64(n))
	if grown > 64*n {
		t.Errorf("%d connections need %d KiB", n, grown)
	}
	for _, c := range clients {
		send(t, c, "second")
	}
}

// residentKiB returns the memory that a process occupies.
func residentKiB(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			n, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no VmRSS in %s", status)
	return 0
}
