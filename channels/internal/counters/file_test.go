package counters

import (
	"errors"
	"testing"

	"github.com/flume-go/flume/metrics"
)

func TestFileTellsItsState(t *testing.T) {
	set := metrics.NewSet(metrics.KindChannel, "c1")
	f := NewFile(set)
	state := func() (out [3]string) {
		for _, m := range set.Metrics() {
			switch m.Name {
			case "Open":
				out[0] = m.Text()
			case "Closed":
				out[1] = metrics.FormatDouble(m.Number())
			case "Unhealthy":
				out[2] = metrics.FormatDouble(m.Number())
			}
		}
		return out
	}
	for _, step := range []struct {
		name string
		do   func()
		want [3]string
	}{
		{"new", func() {}, [3]string{"false", "1.0", "0.0"}},
		{"open", func() { f.Opened(nil) }, [3]string{"true", "0.0", "0.0"}},
		{"closed", f.Shut, [3]string{"false", "1.0", "0.0"}},
		{"could not be opened", func() { f.Opened(errors.New("no")) }, [3]string{"false", "1.0", "1.0"}},
		{"open after all", func() { f.Opened(nil) }, [3]string{"true", "0.0", "0.0"}},
	} {
		if step.do(); state() != step.want {
			t.Errorf("%s: Open, Closed, Unhealthy are %v, want %v", step.name, state(), step.want)
		}
	}
}
