package taildir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flume-go/flume/conform/sourcetest"
)

// TestConformance checks the source when it is told of changes, and when it looks
// by itself; the latter in a bubble, where looking takes no time.
func TestConformance(t *testing.T) {
	told := harness("changeNotifications = true")
	told.Sockets = true
	sourcetest.Run(t, told, harness("changeNotifications = false"))
}

func harness(way string) sourcetest.Harness {
	return sourcetest.Harness{
		Name: way,
		Type: "taildir",
		Settings: func(t testing.TB) map[string]string {
			key, value, _ := strings.Cut(way, " = ")
			return map[string]string{
				"filegroups": "g1", "filegroups.g1": t.TempDir() + `/.*\.log`, "positionFile": "/state/positions.json",
				"batchSize": "5", key: value, "backoffSleepIncrement": "20", "maxBackoffSleep": "200",
			}
		},
		Client: func(t testing.TB, s *sourcetest.Subject) sourcetest.Client {
			dir := filepath.Dir(s.Properties["filegroups.g1"])
			f, err := os.CreateTemp(dir, "*.log")
			if err != nil {
				t.Fatalf("making a log: %v", err)
			}
			return writer{f}
		},
		Resumes: true,
		Grace:   grace,
	}
}

// writer appends lines to a log of its own.
type writer struct{ file *os.File }

// Generate implements sourcetest.Client.
func (w writer) Generate(ids ...uint64) {
	var text strings.Builder
	for _, id := range ids {
		text.WriteString(sourcetest.Text(id) + "\n")
	}
	w.file.WriteString(text.String()) //nolint:errcheck // fails when the client was closed meanwhile
}

// Close implements sourcetest.Client.
func (w writer) Close() { w.file.Close() }
