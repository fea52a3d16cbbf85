package spooldir

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flume-go/flume/conform/sourcetest"
)

func TestConformance(t *testing.T) {
	sourcetest.Run(t, sourcetest.Harness{
		Type: "spooldir",
		Settings: func(t testing.TB) map[string]string {
			return map[string]string{"spoolDir": t.TempDir(), "batchSize": "5", "pollDelay": "20", "maxBackoff": "20"}
		},
		Client: func(t testing.TB, s *sourcetest.Subject) sourcetest.Client {
			return &dropper{s.Properties["spoolDir"]}
		},
		Resumes: true,
		Grace:   grace,
	})
}

// dropper puts files into the directory, the way it is meant to be done.
type dropper struct {
	dir string
}

// Generate implements sourcetest.Client.
func (d *dropper) Generate(ids ...uint64) {
	var text strings.Builder
	for _, id := range ids {
		text.WriteString(sourcetest.Text(id) + "\n")
	}
	name := filepath.Join(d.dir, fmt.Sprintf("%020d", ids[0]))
	hidden := filepath.Join(d.dir, fmt.Sprintf(".%020d", ids[0]))
	// Under a name that is not read, until it is finished.
	os.WriteFile(hidden, []byte(text.String()), 0o600) //nolint:errcheck // fails when the directory was removed meanwhile
	os.Rename(hidden, name)                            //nolint:errcheck // likewise
}

// Close implements sourcetest.Client.
func (d *dropper) Close() {}
