package replicating

import (
	"testing"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

func TestSelect(t *testing.T) {
	s, err := New(Config{Optional: []string{"b"}}, component.Env{}, []string{"a", "b", "c"})
	if err != nil {
		t.Fatal(err)
	}
	b := event.NewBatch()
	defer b.Release()
	b.AppendCopy([]byte("x"))
	var plan flow.Plan
	plan.Reset(3)
	if err := s.Select(b, &plan); err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ required, optional bool }{{true, false}, {false, true}, {true, false}} {
		if got := plan.Required()[i].All; got != want.required {
			t.Errorf("channel %d required: %v", i, got)
		}
		if got := plan.Optional()[i].All; got != want.optional {
			t.Errorf("channel %d optional: %v", i, got)
		}
	}
}
