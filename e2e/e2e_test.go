//go:build e2e

package e2e

import (
	"os"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/e2e/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// seen is what a test observed of one system: texts by name.
type seen map[string]string

// differential makes the same observation on Java Flume and on ours at the same time. Where want has a
// name both must have seen its text; under every other name they must have seen the same.
func differential(t *testing.T, want seen, observe func(t *testing.T, s harness.System) seen) {
	t.Helper()
	differentialOn(t, harness.Systems(), want, observe)
}

// differentialOn is differential on some of the systems.
func differentialOn(t *testing.T, systems []harness.System, want seen, observe func(t *testing.T, s harness.System) seen) {
	t.Helper()
	var mu sync.Mutex
	all := make(map[string]seen)
	t.Run("on", func(t *testing.T) {
		for _, s := range systems {
			t.Run(s.Name, func(t *testing.T) {
				t.Parallel()
				got := observe(t, s)
				for name, text := range want {
					if diff := cmp.Diff(text, got[name]); diff != "" {
						t.Errorf("%s (-want +got):\n%s", name, diff)
					}
				}
				mu.Lock()
				defer mu.Unlock()
				all[s.Name] = got
			})
		}
	})
	if t.Failed() || len(all) < 2 {
		return // already told, or only one system was asked for
	}
	if diff := cmp.Diff(all["java"], all["flume"]); diff != "" {
		t.Errorf("Java Flume and ours differ (-java +ours):\n%s", diff)
	}
}
