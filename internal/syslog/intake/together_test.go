package intake

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/event"
)

// spans is an emitter that notes the runs of bodies that stand one behind the other with a newline behind each.
type spans struct{ runs []string }

func (s *spans) Emit(_ context.Context, b *event.Batch) error {
	for i := 0; i < b.Len(); {
		run, n := b.Span(i, '\n')
		if n == 0 {
			run, n = b.At(i).Body, 1
		}
		s.runs = append(s.runs, string(run))
		i += n
	}
	return nil
}

// TestBodiesStandTogether: bodies are one run of memory, from whichever form they come, but for those that
// are as well written alone.
func TestBodiesStandTogether(t *testing.T) {
	long := strings.Repeat("long", mostPulled/4)
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"lines":          {"<13>1 - h one\n\n\n<14>1 - h two\n<15>three\n", []string{"one\ntwo\n<15>three\n"}},
		"counted":        {"13 <13>1 - h one13 <13>1 - h two14 <13>1 - h six\n", []string{"one\ntwo\nsix\n"}},
		"both":           {"<13>1 - h one\n13 <13>1 - h two<13>1 - h six\n", []string{"one\ntwo\nsix\n"}},
		"nothing to cut": {"one\ntwo\n", []string{"one\ntwo\n"}},
		"an empty body":  {"<13>1 - h one\n<13>1 - h \n<13>1 - h two\n", []string{"one\n<13>1 - h \ntwo\n"}},
		"a long one between": {"<13>1 - h one\n<13>1 - h two\n<13>1 - h " + long + "\n<13>1 - h three\n<13>1 - h four\n",
			[]string{"one\ntwo\n", long + "\nthree\nfour\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := net.Pipe()
			defer server.Close()
			go func() {
				defer client.Close()
				io.WriteString(client, c.text) //nolint:errcheck // shows in what is emitted
			}()
			out := new(spans)
			newSession(t.Context(), newTCP(Options{}, nil), server, out).serve(t.Context())
			if diff := cmp.Diff(c.want, out.runs); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
