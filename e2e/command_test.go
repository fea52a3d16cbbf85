//go:build e2e

package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flume-go/flume/e2e/harness"
)

// commandLimit is how long a command that does not run an agent may take.
const commandLimit = 10 * time.Second

// TestLauncher checks what scripts written for Flume's launcher rely on, under its name.
func TestLauncher(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		args   string
		status int
		says   string
	}{
		{"version", "version", 0, "Flume "},
		{"version with the options of a wrapper", "version --conf conf", 0, "Flume "},
		{"help", "help", 0, "agent"},
		{"nothing", "", 1, "agent"},
		{"unknown command", "agnet", 1, "agnet"},
		{"dry run", "agent --name a1 --conf-file x.conf --dryrun -Xmx1g", 0, "--conf-file=x.conf"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := harness.RunFlumeNG(t, strings.Fields(tt.args)...)
			if status := p.Wait(t, commandLimit); status != tt.status {
				t.Errorf("exit status %d, want %d", status, tt.status)
			}
			if !strings.Contains(p.Output(), tt.says) {
				t.Errorf("the output does not say %q:\n%s", tt.says, p.Output())
			}
			if strings.HasPrefix(tt.args, "version") && !strings.HasPrefix(p.Output(), "Flume ") {
				t.Errorf("the first line does not name the version:\n%s", p.Output())
			}
		})
	}
}

// TestCommands checks the exit status of our command line and that it says what a user needs. Java Flume's
// counterpart is a shell script, which its published artifacts do not hold.
func TestCommands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := filepath.Join(dir, "good.conf")
	harness.WriteFile(t, good, "a1.sources = r\na1.channels = c\na1.sources.r.type = seq\na1.sources.r.channels = c\na1.channels.c.type = memory\n")
	bad := filepath.Join(dir, "bad.conf")
	harness.WriteFile(t, bad, "a1.sources = r\na1.channels = c\na1.sources.r.type = netcat\na1.sources.r.bind = localhost\n"+
		"a1.sources.r.port = many\na1.sources.r.channels = c\na1.channels.c.type = memory\n")
	for _, tt := range []struct {
		name   string
		args   string
		status int
		says   string
	}{
		{"version", "version", 0, "Flume "},
		{"help", "help", 0, "agent"},
		{"nothing", "", 2, "agent"},
		{"unknown command", "agnet", 2, "agnet"},
		{"unknown option", "agent -n a1 -f " + good + " --no-such-option", 2, "no-such-option"},
		{"no agent name", "agent -f " + good, 2, "name"},
		{"no configuration", "agent -n a1", 2, "conf"},
		{"missing file", "agent -n a1 -f " + filepath.Join(dir, "none.conf"), 2, "none.conf"},
		{"unknown agent", "agent -n a2 -f " + good, 2, "a2"},
		{"bad value", "agent -n a1 -f " + bad, 2, "bad.conf:5"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := harness.RunFlume(t, strings.Fields(tt.args)...)
			if status := p.Wait(t, commandLimit); status != tt.status {
				t.Errorf("exit status %d, want %d", status, tt.status)
			}
			if !strings.Contains(p.Output(), tt.says) {
				t.Errorf("the output does not name %q:\n%s", tt.says, p.Output())
			}
		})
	}
}
