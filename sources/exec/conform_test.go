//go:build unix

package exec

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/flume-go/flume/conform/sourcetest"
)

// TestConformance runs a command that copies what the clients write to a named
// pipe, each line with one write. A stop may find it in the middle of reading a
// line; the next run then begins with the rest of that line, and passes over it.
func TestConformance(t *testing.T) {
	const command = `while read -r line; do case $line in "event "*) echo "$line";; esac; done <`
	sourcetest.Run(t, sourcetest.Harness{
		Type: "exec",
		Settings: func(t testing.TB) map[string]string {
			pipe := filepath.Join(t.TempDir(), "pipe")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Fatalf("making a named pipe: %v", err)
			}
			return map[string]string{"shell": "/bin/sh -c", "command": command + pipe, "batchSize": "5"}
		},
		Client: func(t testing.TB, s *sourcetest.Subject) sourcetest.Client {
			// Opened for reading, too, so that opening does not wait for the command.
			pipe, err := os.OpenFile(strings.TrimPrefix(s.Properties["command"], command), os.O_RDWR, 0)
			if err != nil {
				t.Fatalf("opening the named pipe: %v", err)
			}
			return pipeClient{pipe}
		},
		Grace:   grace,
		Sockets: true,
	})
}

// pipeClient writes lines for the command.
type pipeClient struct{ pipe *os.File }

// Generate implements sourcetest.Client.
func (c pipeClient) Generate(ids ...uint64) {
	var text strings.Builder
	for _, id := range ids {
		text.WriteString(sourcetest.Text(id) + "\n")
	}
	c.pipe.WriteString(text.String()) //nolint:errcheck // fails when the client was closed meanwhile
}

// Close implements sourcetest.Client.
func (c pipeClient) Close() { c.pipe.Close() }
