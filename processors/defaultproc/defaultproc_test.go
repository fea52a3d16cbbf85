package defaultproc

import (
	"strings"
	"testing"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/sinkgroup/sinktest"
)

func TestOnlyOneSink(t *testing.T) {
	e, ok := component.Lookup(component.KindProcessor, "org.apache.flume.sink.DefaultSinkProcessor")
	if !ok {
		t.Fatal("default is not registered")
	}
	d := component.Decode(e, nil, component.Scope{})
	members, sinks := sinktest.New(nil, "k1", "k2")
	s, err := component.New[flow.Sink](d, component.Env{}, members[:1])
	if err != nil || s != flow.Sink(sinks["k1"]) {
		t.Errorf("New with one sink = %v, %v; want the sink", s, err)
	}
	if lo, hi := d.Config.(Config).Members(); lo != 1 || hi != 1 {
		t.Errorf("%d to %d sinks are allowed", lo, hi)
	}
	for _, n := range []int{0, 2} {
		if _, err := component.New[flow.Sink](d, component.Env{}, members[:n]); err == nil || !strings.Contains(err.Error(), "exactly one") {
			t.Errorf("New with %d sinks: error %v", n, err)
		}
	}
}
